#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "core/archive/dataset_source.h"
#include "core/base/digest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::archive {
namespace {

using ::graft::testing::StatusIs;
using ::graft::testing::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class FolderSourceTest : public ::testing::Test {
 protected:
  // Files whose content is their path.
  void Write(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) WriteContent(path, path);
  }
  void WriteContent(const std::string& path, const std::string& content) {
    const std::filesystem::path full = folder_ / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << content;
  }
  absl::StatusOr<DatasetSource> Open(const SourceLimits& limits = {}) const {
    return DatasetSource::Open(folder_.path(), limits);
  }
  // "label path" of each entry, the split's number before it where there is one.
  std::vector<std::string> Labels() const {
    std::vector<std::string> lines;
    const absl::StatusOr<DatasetSource> source = Open();
    EXPECT_OK(source);
    if (!source.ok()) return lines;
    for (const Entry& entry : source->entries()) {
      constexpr const char* kSplits[] = {"", "train ", "validation ", "test "};
      lines.push_back(kSplits[static_cast<int>(entry.split)] + entry.label + " " + entry.path);
    }
    return lines;
  }

  const TemporaryFolder folder_;
};

TEST_F(FolderSourceTest, FolderPerClassGivesLabelSizeAndDigest) {
  Write({"dog/2.png", "cat/1.jpg"});
  ASSERT_OK_AND_ASSIGN(const DatasetSource source, Open());
  ASSERT_EQ(source.entries().size(), 2u);
  const Entry& cat = source.entries()[0];
  EXPECT_EQ(cat.path, "cat/1.jpg");
  EXPECT_EQ(cat.label, "cat");
  EXPECT_EQ(cat.split, Split::kNone);
  EXPECT_EQ(cat.size, 9);
  EXPECT_EQ(cat.sha256, Sha256Hex("cat/1.jpg"));
}

TEST_F(FolderSourceTest, WrapperFoldersAreSkippedAndDeeperFoldersBelongToTheirClass) {
  Write({"photos/raw/cat/kittens/1.JPG", "photos/raw/cat/2.jpeg", "photos/raw/dog/3.webp"});
  EXPECT_THAT(Labels(), ElementsAre("cat photos/raw/cat/2.jpeg", "cat photos/raw/cat/kittens/1.JPG",
                                    "dog photos/raw/dog/3.webp"));
}

TEST_F(FolderSourceTest, SplitFoldersAreUnderstoodInAnyCaseAndWithWrappersInside) {
  Write({"set/Training/training/cat/1.jpg", "set/Training/training/dog/2.jpg", "set/VAL/cat/3.jpg",
         "set/test/dog/4.jpg"});
  EXPECT_THAT(Labels(),
              ElementsAre("train cat set/Training/training/cat/1.jpg", "train dog set/Training/training/dog/2.jpg",
                          "validation cat set/VAL/cat/3.jpg", "test dog set/test/dog/4.jpg"));
}

TEST_F(FolderSourceTest, LoneTrainFolderIsASplit) {
  Write({"train/cat/1.jpg", "train/dog/2.jpg"});
  EXPECT_THAT(Labels(), ElementsAre("train cat train/cat/1.jpg", "train dog train/dog/2.jpg"));
}

TEST_F(FolderSourceTest, ClassMayBeCalledTrain) {
  Write({"bus/1.jpg", "train/2.jpg"});
  EXPECT_THAT(Labels(), ElementsAre("bus bus/1.jpg", "train train/2.jpg"));
}

TEST_F(FolderSourceTest, HiddenSystemAndOtherFilesAreLeftOutAndCounted) {
  Write({"cat/1.jpg", "dog/2.jpg", "cat/.hidden.jpg", ".git/cat/3.jpg", "__MACOSX/cat/._1.jpg", "cat/Thumbs.db",
         "readme.md", "labels.csv", "cat/1.json"});
  ASSERT_OK_AND_ASSIGN(const DatasetSource source, Open());
  EXPECT_EQ(source.entries().size(), 2u);
  EXPECT_EQ(source.ignored_files(), 7);
}

TEST_F(FolderSourceTest, LinksAreNotFollowed) {
  Write({"cat/1.jpg", "dog/2.jpg"});
  std::filesystem::create_symlink(folder_ / "cat/1.jpg", folder_ / "dog/link.jpg");
  std::filesystem::create_directory_symlink(folder_.path(), folder_ / "loop");
  EXPECT_THAT(Labels(), ElementsAre("cat cat/1.jpg", "dog dog/2.jpg"));
}

TEST_F(FolderSourceTest, ErrorsNameThePathAndWhatToDo) {
  EXPECT_THAT(Open(), StatusIs(kInvalid, AllOf(HasSubstr(folder_.path()), HasSubstr("no pictures"))));
  Write({"1.jpg"});
  EXPECT_THAT(Open(), StatusIs(kInvalid, AllOf(HasSubstr("no class folders"), HasSubstr("1.jpg"))));
  Write({"cat/2.jpg", "dog/3.jpg"});
  EXPECT_THAT(Open(), StatusIs(kInvalid, AllOf(HasSubstr("1.jpg"), HasSubstr("beside the class folders"))));
  EXPECT_THAT(DatasetSource::Open(folder_ / "absent"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent")));
}

TEST_F(FolderSourceTest, OneClassIsNotADataSet) {
  Write({"cat/1.jpg", "cat/2.jpg"});
  EXPECT_THAT(Open(), StatusIs(kInvalid, AllOf(HasSubstr("only one class"), HasSubstr("cat"))));
}

TEST_F(FolderSourceTest, FolderBesideTheSplitsIsNamed) {
  Write({"train/cat/1.jpg", "train/dog/1.jpg", "extra/cat/2.jpg"});
  EXPECT_THAT(Open(), StatusIs(kInvalid, HasSubstr("'extra'")));
}

TEST_F(FolderSourceTest, LimitsHoldExactly) {
  Write({"cat/1.jpg", "dog/2.jpg"});  // 9 bytes each
  EXPECT_OK(Open({.max_files = 2, .max_file_bytes = 9, .max_total_bytes = 18, .max_depth = 1}));
  EXPECT_THAT(Open({.max_files = 1}), StatusIs(kInvalid, HasSubstr("more than 1 files")));
  EXPECT_THAT(Open({.max_file_bytes = 8}), StatusIs(kInvalid, AllOf(HasSubstr("cat/1.jpg"), HasSubstr("8 bytes"))));
  EXPECT_THAT(Open({.max_total_bytes = 17}), StatusIs(kInvalid, HasSubstr("17 bytes")));
  EXPECT_THAT(Open({.max_depth = 0}), StatusIs(kInvalid, HasSubstr("deep")));
}

TEST_F(FolderSourceTest, ForEachBlobGivesEachWantedDigestOnce) {
  WriteContent("cat/1.jpg", "same");
  WriteContent("dog/2.jpg", "same");
  WriteContent("dog/3.jpg", "other");
  ASSERT_OK_AND_ASSIGN(const DatasetSource source, Open());
  std::map<std::string, std::string> blobs;
  int calls = 0;
  ASSERT_OK(source.ForEachBlob({Sha256Hex("same")}, [&](absl::string_view sha256, std::string bytes) {
    ++calls;
    blobs[std::string(sha256)] = bytes;
    return absl::OkStatus();
  }));
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(blobs, ElementsAre(std::pair(Sha256Hex("same"), std::string("same"))));
}

TEST_F(FolderSourceTest, FileThatChangedOrWentAwayIsNoticed) {
  Write({"cat/1.jpg", "dog/2.jpg"});
  ASSERT_OK_AND_ASSIGN(const DatasetSource source, Open());
  const auto ignore = [](absl::string_view, std::string) { return absl::OkStatus(); };
  const absl::flat_hash_set<std::string> wanted = {Sha256Hex("cat/1.jpg")};
  WriteContent("cat/1.jpg", "changed");
  EXPECT_THAT(source.ForEachBlob(wanted, ignore),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("cat/1.jpg")));
  std::filesystem::remove(folder_ / "cat/1.jpg");
  EXPECT_THAT(source.ForEachBlob(wanted, ignore), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(FolderSourceTest, CallbacksErrorEndsTheReading) {
  Write({"cat/1.jpg", "dog/2.jpg"});
  ASSERT_OK_AND_ASSIGN(const DatasetSource source, Open());
  int calls = 0;
  const absl::Status status =
      source.ForEachBlob({Sha256Hex("cat/1.jpg"), Sha256Hex("dog/2.jpg")}, [&](absl::string_view, std::string) {
        ++calls;
        return absl::UnavailableError("gone");
      });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace graft::archive
