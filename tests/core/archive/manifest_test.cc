#include "core/archive/manifest.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::archive {
namespace {

using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class ManifestTest : public ::testing::Test {
 protected:
  void Write(const std::string& path, const std::string& content) {
    const std::filesystem::path full = folder_ / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full, std::ios::binary) << content;
  }
  absl::StatusOr<Manifest> Csv(const std::string& content, const SourceLimits& limits = {}) {
    Write("labels.csv", content);
    return Manifest::Read(folder_ / "labels.csv", limits);
  }
  absl::StatusOr<Manifest> Json(const std::string& content) {
    Write("labels.jsonl", content);
    return Manifest::Read(folder_ / "labels.jsonl");
  }
  // "line path|label|split|group" of each row.
  static std::vector<std::string> Rows(const absl::StatusOr<Manifest>& manifest) {
    EXPECT_OK(manifest);
    std::vector<std::string> lines;
    if (!manifest.ok()) return lines;
    for (const ManifestRow& row : manifest->rows()) {
      lines.push_back(
          absl::StrCat(row.line, " ", row.path, "|", row.label, "|", static_cast<int>(row.split), "|", row.group));
    }
    return lines;
  }

  const testing::TemporaryFolder folder_;
};

TEST_F(ManifestTest, CsvColumnsComeInAnyOrder) {
  EXPECT_THAT(Rows(Csv("label,path\ncat,1.jpg\ndog,2.jpg\n")), ElementsAre("2 1.jpg|cat|0|", "3 2.jpg|dog|0|"));
  EXPECT_THAT(Rows(Csv("group,split,path,label\nc7,train,a/1.jpg,cat\n,Val,./a/2.jpg,cat\n,,a/3.jpg,dog")),
              ElementsAre("2 a/1.jpg|cat|1|c7", "3 a/2.jpg|cat|2|", "4 a/3.jpg|dog|0|"));
}

TEST_F(ManifestTest, CsvIsRfc4180) {
  EXPECT_THAT(
      Rows(Csv("path,label\r\n\"a, b.jpg\",\"the \"\"big\"\" cat\"\r\n\"two\nlines.jpg\",cat\r\n3.jpg,dog\r\n")),
      ElementsAre("2 a, b.jpg|the \"big\" cat|0|", "3 two\nlines.jpg|cat|0|", "5 3.jpg|dog|0|"));
}

TEST_F(ManifestTest, ByteOrderMarkAndEmptyLinesDoNotCount) {
  EXPECT_THAT(Rows(Csv("\xEF\xBB\xBFpath,label\n\n1.jpg,cat\n\n\n2.jpg,dog\n")),
              ElementsAre("3 1.jpg|cat|0|", "6 2.jpg|dog|0|"));
}

TEST_F(ManifestTest, JsonLines) {
  EXPECT_THAT(Rows(Json("{\"path\": \"1.jpg\", \"label\": \"cat\", \"split\": \"test\", \"group\": \"c7\"}\n\n"
                        "{\"label\": \"dog\", \"path\": \"2.jpg\", \"group\": null}")),
              ElementsAre("1 1.jpg|cat|3|c7", "3 2.jpg|dog|0|"));
}

TEST_F(ManifestTest, CsvErrorsNameFileAndLine) {
  const std::string file = folder_ / "labels.csv";
  const auto expect = [&](const std::string& content, int line, const std::string& reason) {
    EXPECT_THAT(Csv(content),
                StatusIs(kInvalid, AllOf(HasSubstr(absl::StrCat(file, ":", line, ": ")), HasSubstr(reason))))
        << content;
  };
  expect("", 1, "is empty");
  expect("path,lable\n", 1, "'lable', 'label' is meant?; the columns are path, label, split, group");
  expect("filename,label\n", 1, "'path' is meant?");
  expect("path,label,weight\n", 1, "unknown column 'weight'; the columns are");
  expect("path,path\n", 1, "'path' twice");
  expect("path,split\n", 1, "no column 'label'");
  expect("path,label\n1.jpg,cat\n2.jpg\n", 3, "has 1 fields, the first line names 2 columns");
  expect("path,label\n1.jpg,cat,x\n", 2, "has 3 fields");
  expect("path,label\n1.jpg,\"cat\n2.jpg,dog\n", 2, "quote");
  expect("path,label\n1.jpg,c\"at\n", 2, "quote");
  expect("path,label\n\n,cat\n", 3, "no path");
  expect("path,label\n1.jpg,\n", 2, "1.jpg has no label");
  expect("path,label\n/data/1.jpg,cat\n", 2, "is absolute");
  expect("path,label\na/../../1.jpg,cat\n", 2, "leads out");
  expect("path,label,split\n1.jpg,cat,holdout\n", 2, "split 'holdout' is none of train, validation, test or empty");
  expect("path,label\n1.jpg,cat\n2.jpg,cat\n./1.jpg,dog\n", 4, "1.jpg is in line 2 too");
  EXPECT_THAT(Csv("path,label\n"), StatusIs(kInvalid, HasSubstr("lists no photos")));
  EXPECT_THAT(Csv("path,label\n1,a\n2,b\n3,c\n", {.max_files = 2}), StatusIs(kInvalid, HasSubstr(":4: more than 2")));
}

TEST_F(ManifestTest, JsonErrorsNameFileAndLine) {
  const std::string good = "{\"path\": \"1.jpg\", \"label\": \"cat\"}\n";
  const auto expect = [&](const std::string& line, const std::string& reason) {
    EXPECT_THAT(Json(good + line), StatusIs(kInvalid, AllOf(HasSubstr("labels.jsonl:2: "), HasSubstr(reason)))) << line;
  };
  expect("[1]", "no JSON object");
  expect("{\"path\": \"2.jpg\",", "no JSON object");
  expect("{\"path\": \"\xFF.jpg\", \"label\": \"cat\"}", "no JSON object");
  expect("{\"path\": \"2.jpg\", \"label\": 3}", "'label' is no string");
  expect("{\"image\": \"2.jpg\", \"label\": \"cat\"}", "'path' is meant?");
  expect("{\"path\": \"2.jpg\"}", "has no label");
  expect(good, "1.jpg is in line 1 too");
}

TEST_F(ManifestTest, FileThatIsNotThereIsNotFound) {
  EXPECT_THAT(Manifest::Read(folder_ / "none.csv"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("none.csv")));
}

TEST_F(ManifestTest, ItsFilesAreTheDataSet) {
  for (const char* path : {"photos/1.jpg", "photos/2.png", "photos/deep/.hidden.jpg", "photos/unlisted.jpg"}) {
    Write(path, path);
  }
  ASSERT_OK_AND_ASSIGN(const Manifest manifest,
                       Csv("path,label,split,group\n1.jpg,cat,train,c\n2.png,dog,,\ndeep/.hidden.jpg,dog,test,\n"));
  ASSERT_OK_AND_ASSIGN(const DatasetSource source, DatasetSource::Open(folder_ / "photos", {}, &manifest));
  ASSERT_EQ(source.entries().size(), 3u);
  EXPECT_EQ(source.ignored_files(), 1);
  EXPECT_EQ(source.entries()[0].label, "cat");
  EXPECT_EQ(source.entries()[0].group, "c");
  EXPECT_EQ(source.entries()[0].split, Split::kTrain);
  EXPECT_EQ(source.entries()[2].path, "deep/.hidden.jpg");
  EXPECT_EQ(source.entries()[2].split, Split::kTest);
}

TEST_F(ManifestTest, ListedFilesThatAreMissingAreNamed) {
  Write("photos/1.jpg", "one");
  std::string content = "path,label\n1.jpg,cat\n";
  for (int i = 2; i < 20; ++i) absl::StrAppend(&content, i, ".jpg,dog\n");
  ASSERT_OK_AND_ASSIGN(const Manifest manifest, Csv(content));
  EXPECT_THAT(DatasetSource::Open(folder_ / "photos", {}, &manifest),
              StatusIs(kInvalid, AllOf(HasSubstr("18 of its 19 files are not in"), HasSubstr("2.jpg (line 3)"),
                                       Not(HasSubstr("19.jpg")), EndsWith("..."))));
}

TEST_F(ManifestTest, OneClassIsTooFew) {
  Write("photos/1.jpg", "one");
  ASSERT_OK_AND_ASSIGN(const Manifest manifest, Csv("path,label\n1.jpg,cat\n"));
  EXPECT_THAT(DatasetSource::Open(folder_ / "photos", {}, &manifest), StatusIs(kInvalid, HasSubstr("only one class")));
}

}  // namespace
}  // namespace graft::archive
