#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
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

struct Packed {
  std::string path;
  std::string content;
  std::string link_to = "";
};

class ArchiveSourceTest : public ::testing::Test {
 protected:
  // Packs `files` as `name` says: .zip, .tar, .tar.gz or .tgz. Returns the archive's path.
  std::string Pack(const std::string& name, const std::vector<Packed>& files, const char* passphrase = nullptr) const {
    const std::string path = folder_ / name;
    ::archive* writer = archive_write_new();
    const std::string extension = std::filesystem::path(name).extension();
    if (extension == ".zip") {
      archive_write_set_format_zip(writer);
    } else {
      archive_write_set_format_pax_restricted(writer);
    }
    if (extension == ".gz" || extension == ".tgz") archive_write_add_filter_gzip(writer);
    if (passphrase != nullptr) {
      archive_write_set_options(writer, "zip:encryption=zipcrypt");
      archive_write_set_passphrase(writer, passphrase);
    }
    EXPECT_EQ(archive_write_open_filename(writer, path.c_str()), ARCHIVE_OK);
    for (const Packed& file : files) PackOne(writer, file);
    archive_write_free(writer);
    return path;
  }

  static void PackOne(::archive* writer, const Packed& file) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname_utf8(entry, file.path.c_str());
    archive_entry_copy_pathname(entry, file.path.c_str());
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_filetype(entry, file.link_to.empty() ? AE_IFREG : AE_IFLNK);
    if (!file.link_to.empty()) archive_entry_copy_symlink(entry, file.link_to.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(file.content.size()));
    EXPECT_GE(archive_write_header(writer, entry), ARCHIVE_WARN) << archive_error_string(writer);
    archive_write_data(writer, file.content.data(), file.content.size());
    archive_entry_free(entry);
  }

  const TemporaryFolder folder_;
};

class EveryArchiveTest : public ArchiveSourceTest, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Archives, EveryArchiveTest, ::testing::Values("a.zip", "a.tar", "a.tar.gz", "a.tgz"),
                         [](const auto& info) {
                           return absl::StrReplaceAll(info.param, {{"a.", ""}, {".", "_"}});
                         });

TEST_P(EveryArchiveTest, GivesEntriesAndLaterTheirBytes) {
  const std::string path = Pack(GetParam(), {{"set/dog/2.png", "dog"},
                                             {"set/cat/1.jpg", "cat"},
                                             {"set/cat/link.jpg", "", "1.jpg"},
                                             {"set/readme.txt", "text"},
                                             {"__MACOSX/set/cat/._1.jpg", "junk"}});
  ASSERT_OK_AND_ASSIGN(const DatasetSource source, DatasetSource::Open(path));
  ASSERT_EQ(source.entries().size(), 2u);
  EXPECT_EQ(source.entries()[0].path, "set/cat/1.jpg");
  EXPECT_EQ(source.entries()[0].label, "cat");
  EXPECT_EQ(source.entries()[1].sha256, Sha256Hex("dog"));
  EXPECT_EQ(source.ignored_files(), 2);
  std::vector<std::string> blobs;
  ASSERT_OK(source.ForEachBlob({Sha256Hex("dog")}, [&](absl::string_view, std::string bytes) {
    blobs.push_back(std::move(bytes));
    return absl::OkStatus();
  }));
  EXPECT_THAT(blobs, ElementsAre("dog"));
}

TEST_P(EveryArchiveTest, NamesThatLeaveTheArchiveAreRefused) {
  for (const char* name : {"/cat/1.jpg", "../cat/1.jpg", "cat/../../1.jpg"}) {
    const std::string path = Pack(GetParam(), {{name, "x"}, {"dog/2.jpg", "y"}});
    EXPECT_THAT(DatasetSource::Open(path), StatusIs(kInvalid, HasSubstr("does not stay inside"))) << name;
  }
}

TEST_P(EveryArchiveTest, TruncatedArchiveIsAnError) {
  std::string noise(100'000, '\0');
  uint32_t state = 1;
  for (char& c : noise) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  const std::string path = Pack(GetParam(), {{"cat/1.jpg", noise}, {"dog/2.jpg", noise}});
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  EXPECT_THAT(DatasetSource::Open(path), StatusIs(kInvalid, HasSubstr(path)));
}

TEST_P(EveryArchiveTest, NamesBeyondAsciiSurvive) {
  const std::string path = Pack(GetParam(), {{"félin/1.jpg", "x"}, {"犬/2.jpg", "y"}});
  ASSERT_OK_AND_ASSIGN(const DatasetSource source, DatasetSource::Open(path));
  EXPECT_EQ(source.entries()[0].label, "félin");
  EXPECT_EQ(source.entries()[1].label, "犬");
}

TEST_F(ArchiveSourceTest, EncryptedZipSaysSo) {
  const std::string path = Pack("a.zip", {{"cat/1.jpg", "x"}, {"dog/2.jpg", "y"}}, "secret");
  EXPECT_THAT(DatasetSource::Open(path),
              StatusIs(kInvalid, AllOf(HasSubstr("encrypted"), HasSubstr("without a password"))));
}

TEST_F(ArchiveSourceTest, OtherFilesAreNotArchives) {
  const std::string path = folder_ / "photo.jpg";
  std::ofstream(path) << "\xff\xd8 not an archive";
  EXPECT_THAT(DatasetSource::Open(path), StatusIs(kInvalid, HasSubstr("not a zip, tar or tar.gz")));
}

TEST_F(ArchiveSourceTest, BombIsStoppedByItsRatio) {
  const std::string zeros(1'000'000, '\0');
  const std::string path = Pack("a.zip", {{"cat/1.jpg", zeros}, {"dog/2.jpg", zeros}});
  EXPECT_OK(DatasetSource::Open(path));
  EXPECT_THAT(DatasetSource::Open(path, {.ratio_from_bytes = 1'000'000}), StatusIs(kInvalid, HasSubstr("100 times")));
}

TEST_F(ArchiveSourceTest, LimitsHoldExactly) {
  const std::string path = Pack("a.tar.gz", {{"cat/1.jpg", "123"}, {"dog/2.jpg", "456"}});
  EXPECT_OK(DatasetSource::Open(path, {.max_files = 2, .max_file_bytes = 3, .max_total_bytes = 6, .max_depth = 1}));
  EXPECT_THAT(DatasetSource::Open(path, {.max_files = 1}), StatusIs(kInvalid, HasSubstr("more than 1 files")));
  EXPECT_THAT(DatasetSource::Open(path, {.max_file_bytes = 2}), StatusIs(kInvalid, HasSubstr("cat/1.jpg")));
  EXPECT_THAT(DatasetSource::Open(path, {.max_total_bytes = 5}), StatusIs(kInvalid, HasSubstr("5 bytes")));
  EXPECT_THAT(DatasetSource::Open(path, {.max_depth = 0}), StatusIs(kInvalid, HasSubstr("deep")));
  const auto packed = static_cast<int64_t>(std::filesystem::file_size(path));
  EXPECT_OK(DatasetSource::Open(path, {.max_archive_bytes = packed}));
  EXPECT_THAT(DatasetSource::Open(path, {.max_archive_bytes = packed - 1}),
              StatusIs(kInvalid, HasSubstr("split it into several data sets")));
}

TEST_F(ArchiveSourceTest, SamePathTwiceIsRefused) {
  const std::string path = Pack("a.tar", {{"cat/1.jpg", "x"}, {"cat/1.jpg", "y"}, {"dog/2.jpg", "z"}});
  EXPECT_THAT(DatasetSource::Open(path), StatusIs(kInvalid, AllOf(HasSubstr("cat/1.jpg"), HasSubstr("twice"))));
}

}  // namespace
}  // namespace graft::archive
