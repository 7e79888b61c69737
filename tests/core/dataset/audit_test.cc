#include "core/dataset/audit.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/digest.h"
#include "tests/testing/status_matchers.h"

namespace graft::dataset {
namespace {

using ::graft::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Examples with made facts.
class AuditTest : public ::testing::Test {
 protected:
  // A file of another picture than all before it.
  Example& Add(const std::string& path, int label = 0, Split split = Split::kUnspecified) {
    ImageFact& fact = facts_[Sha256Hex(path)];
    fact = {.width = 400, .height = 300, .format = "jpeg"};
    fact.fingerprint.pixel_sha256 = Sha256Hex(absl::StrCat("pixels of ", path));
    fact.fingerprint.hash = random_();
    for (uint8_t& field : fact.fingerprint.thumbnail) field = static_cast<uint8_t>(random_());
    fact.fingerprint.brightness = 120 + static_cast<double>(random_() % 10);
    fact.fingerprint.sharpness = 900 + static_cast<double>(random_() % 200);
    return examples_.emplace_back(
        Example{.path = path, .label = label, .sha256 = Sha256Hex(path), .given_split = split});
  }
  ImageFact& FactOf(const std::string& path) { return facts_[Sha256Hex(path)]; }
  // The file's picture becomes a copy of the other's: the same pixels in other bytes.
  void CopyPixels(const std::string& path, const std::string& of) { FactOf(path).fingerprint = FactOf(of).fingerprint; }
  // Nearly the same.
  void MakeAlike(const std::string& path, const std::string& of) {
    const std::string pixels = FactOf(path).fingerprint.pixel_sha256;
    CopyPixels(path, of);
    FactOf(path).fingerprint.pixel_sha256 = pixels;
    FactOf(path).fingerprint.hash ^= 0x21;
  }

  AuditResult Run() const { return AuditExamples({.examples = examples_, .labels = labels_, .facts = facts_}); }

  static std::vector<std::string> PathsOf(const Cluster& cluster) {
    std::vector<std::string> paths;
    for (const AuditedFile& file : cluster.files) paths.push_back(file.path);
    return paths;
  }

  std::vector<Example> examples_;
  const std::vector<std::string> labels_ = {"cat", "dog", "owl"};
  ImageFacts facts_;
  std::mt19937_64 random_{1};
};

TEST_F(AuditTest, FindsNothingWhereThereIsNothing) {
  for (int i = 0; i < 60; ++i) Add(absl::StrCat(i / 20, "/", i % 20), i / 20);
  const AuditResult result = Run();
  for (const ClusterFindings* findings : {&result.audit.exact_duplicates, &result.audit.near_duplicates,
                                          &result.audit.label_conflicts, &result.audit.split_leaks}) {
    EXPECT_EQ(findings->clusters, 0);
    EXPECT_THAT(findings->first, IsEmpty());
  }
  for (const OutlierFindings* findings :
       {&result.audit.size_outliers, &result.audit.brightness_outliers, &result.audit.blur_outliers}) {
    EXPECT_EQ(findings->files, 0);
  }
  EXPECT_EQ(result.audit.imbalance, 1);
  EXPECT_THAT(result.audit.rare_classes, IsEmpty());
  EXPECT_THAT(result.clusters, ::testing::Each(0));
}

TEST_F(AuditTest, TellsExactFromNearDuplicates) {
  for (const char* path : {"a", "b", "c", "d", "e", "f"}) Add(path);
  CopyPixels("c", "a");
  MakeAlike("f", "d");
  const AuditResult result = Run();
  ASSERT_THAT(result.audit.exact_duplicates.first, SizeIs(1));
  EXPECT_THAT(PathsOf(result.audit.exact_duplicates.first[0]), ElementsAre("a", "c"));
  ASSERT_THAT(result.audit.near_duplicates.first, SizeIs(1));
  EXPECT_THAT(PathsOf(result.audit.near_duplicates.first[0]), ElementsAre("d", "f"));
  EXPECT_EQ(result.audit.near_duplicates.files, 2);
  EXPECT_THAT(result.clusters, ElementsAre(1, 0, 1, 2, 0, 2));
}

TEST_F(AuditTest, FilesWithTheSameBytesAreExactDuplicates) {
  Add("a");
  Add("b").sha256 = Sha256Hex("a");
  const AuditResult result = Run();
  ASSERT_THAT(result.audit.exact_duplicates.first, SizeIs(1));
  EXPECT_THAT(result.clusters, ElementsAre(1, 1));
}

TEST_F(AuditTest, NearDuplicatesOfCopiesAreOneCluster) {
  for (const char* path : {"a", "b", "c", "d"}) Add(path);
  CopyPixels("b", "a");
  MakeAlike("d", "b");
  const AuditResult result = Run();
  ASSERT_THAT(result.audit.near_duplicates.first, SizeIs(1));
  EXPECT_THAT(PathsOf(result.audit.near_duplicates.first[0]), ElementsAre("a", "b", "d"));
  EXPECT_THAT(result.clusters, ElementsAre(1, 1, 0, 1));
}

TEST_F(AuditTest, NamesLabelConflicts) {
  Add("cat/1", 0);
  Add("cat/2", 0);
  Add("dog/1", 1);
  Add("dog/2", 1);
  CopyPixels("dog/1", "cat/1");
  MakeAlike("dog/2", "cat/2");
  const Audit audit = Run().audit;
  EXPECT_EQ(audit.label_conflicts.clusters, 2);
  EXPECT_EQ(audit.label_conflicts.first[0].files[1].label, "dog");
}

TEST_F(AuditTest, NamesLeaksAcrossGivenSplits) {
  Add("a", 0, Split::kTrain);
  Add("b", 0, Split::kTest);
  Add("c", 0, Split::kTrain);
  Add("d", 0, Split::kTrain);
  Add("e", 0, Split::kValidation);
  Add("f");
  CopyPixels("b", "a");
  MakeAlike("d", "c");
  CopyPixels("f", "e");
  const Audit audit = Run().audit;
  ASSERT_EQ(audit.split_leaks.clusters, 1);
  EXPECT_THAT(PathsOf(audit.split_leaks.first[0]), ElementsAre("a", "b"));
  EXPECT_EQ(audit.split_leaks.first[0].files[1].given_split, Split::kTest);
}

TEST_F(AuditTest, NamesGroupsAcrossGivenSplits) {
  Add("a", 0, Split::kTrain).group = "one";
  Add("b", 0, Split::kTest).group = "one";
  Add("c", 0, Split::kTrain).group = "two";
  Add("d", 0, Split::kTrain).group = "two";
  const Audit audit = Run().audit;
  ASSERT_EQ(audit.group_leaks.clusters, 1);
  EXPECT_THAT(PathsOf(audit.group_leaks.first[0]), ElementsAre("a", "b"));
  EXPECT_EQ(audit.split_leaks.clusters, 0);
}

TEST_F(AuditTest, ListsTheLargestClustersAndCountsAll) {
  for (int cluster = 0; cluster < 60; ++cluster) {
    for (int i = 0; i < (cluster == 42 ? 30 : 2); ++i) {
      const std::string path = absl::StrFormat("%02d/%02d", cluster, i);
      Add(path, cluster == 42 && i == 29 ? 1 : 0);
      if (i > 0) CopyPixels(path, absl::StrFormat("%02d/00", cluster));
    }
  }
  const ClusterFindings findings = Run().audit.exact_duplicates;
  EXPECT_EQ(findings.clusters, 60);
  EXPECT_EQ(findings.files, 59 * 2 + 30);
  ASSERT_THAT(findings.first, SizeIs(kListedFindings));
  EXPECT_EQ(findings.first[0].file_count, 30);
  ASSERT_THAT(findings.first[0].files, SizeIs(kListedFiles));
  EXPECT_EQ(findings.first[0].files.front().path, "42/00");
  EXPECT_EQ(findings.first[0].files.back().path, "42/29") << "the only one with its label must show";
  EXPECT_EQ(findings.first[1].files[0].path, "00/00");
}

TEST_F(AuditTest, NamesRareClasses) {
  for (int i = 0; i < 20; ++i) Add(absl::StrCat("cat/", i), 0);
  for (int i = 0; i < 16; ++i) Add(absl::StrCat("dog/", i), 1);
  for (int i = 0; i < 5; ++i) Add(absl::StrCat("owl/", i), 2);
  const Audit audit = Run().audit;
  EXPECT_EQ(audit.imbalance, 4);
  EXPECT_THAT(audit.rare_classes, ElementsAre("owl"));
}

TEST_F(AuditTest, NamesOutliers) {
  for (int i = 0; i < 40; ++i) Add(absl::StrCat(i));
  FactOf("3").width = 40;
  FactOf("3").height = 30;
  FactOf("5").fingerprint.brightness = 2;
  FactOf("6").fingerprint.brightness = 250;
  FactOf("7").fingerprint.sharpness = 3;
  FactOf("8").fingerprint.sharpness = 100'000;
  const Audit audit = Run().audit;
  ASSERT_EQ(audit.size_outliers.files, 1);
  EXPECT_EQ(audit.size_outliers.first[0].file.path, "3");
  EXPECT_EQ(audit.size_outliers.first[0].width, 40);
  EXPECT_NEAR(audit.size_outliers.median, 120'000, 1);
  EXPECT_LT(audit.size_outliers.low, 120'000 / 4);
  ASSERT_EQ(audit.brightness_outliers.files, 2);
  EXPECT_EQ(audit.brightness_outliers.first[0].file.path, "6");
  ASSERT_EQ(audit.blur_outliers.files, 1) << "sharp photos are not odd";
  EXPECT_EQ(audit.blur_outliers.first[0].file.path, "7");
  EXPECT_EQ(audit.blur_outliers.high, 0);
}

TEST_F(AuditTest, ComesBackFromJson) {
  for (int i = 0; i < 20; ++i) Add(absl::StrCat(i), i % 3, i % 2 == 0 ? Split::kTrain : Split::kTest);
  CopyPixels("3", "0");
  MakeAlike("5", "1");
  FactOf("9").fingerprint.brightness = 2;
  const std::string json = AuditToJson(Run().audit);
  ASSERT_OK_AND_ASSIGN(const Audit audit, AuditFromJson(json));
  EXPECT_EQ(AuditToJson(audit), json);
  EXPECT_EQ(audit.split_leaks.clusters, 1);
  EXPECT_EQ(audit.brightness_outliers.first[0].file.path, "9");
  ASSERT_OK_AND_ASSIGN(const Audit older, AuditFromJson(R"({"imbalance": 2.5, "of_a_newer_program": {}})"));
  EXPECT_EQ(older.imbalance, 2.5);
  EXPECT_THAT(AuditFromJson("[]"), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(AuditFromJson("{"), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace graft::dataset
