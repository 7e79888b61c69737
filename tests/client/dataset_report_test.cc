#include "client/commands/dataset_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "client/commands/dataset_diff.h"

namespace graft::commands {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

v1::DatasetReport Report() {
  v1::DatasetReport report;
  report.mutable_version()->set_name("datasets/animals/versions/2");
  report.mutable_version()->set_image_count(1234);
  report.mutable_audit()->set_imbalance(1);
  return report;
}

void AddCluster(v1::DatasetReport::Clusters& clusters, const std::vector<std::string>& paths, int files) {
  auto& cluster = *clusters.add_first();
  cluster.set_file_count(files);
  for (const std::string& path : paths) {
    cluster.add_files()->set_path(path);
    cluster.mutable_files()->rbegin()->set_label(path.substr(0, 3));
  }
  clusters.set_cluster_count(clusters.cluster_count() + 1);
  clusters.set_file_count(clusters.file_count() + files);
}

TEST(DatasetReportTest, SaysWhenNothingWasFoundAndWhenNobodyLooked) {
  v1::DatasetReport report = Report();
  EXPECT_THAT(RenderReport(report), AllOf(HasSubstr("animals:2: 1,234 images"), HasSubstr("audit: nothing found")));
  report.clear_audit();
  EXPECT_THAT(RenderReport(report), HasSubstr("audit: none, an older server imported it; push the same files again"));
}

TEST(DatasetReportTest, NamesTheFilesOfEveryFinding) {
  v1::DatasetReport report = Report();
  AddCluster(*report.mutable_audit()->mutable_label_conflicts(), {"cat/1.jpg", "dog/7.jpg"}, 2);
  AddCluster(*report.mutable_audit()->mutable_near_duplicates(), {"cat/1.jpg", "dog/7.jpg"}, 30);
  auto& dark = *report.mutable_audit()->mutable_brightness();
  dark.set_file_count(1);
  dark.set_low(40);
  dark.set_high(200);
  auto& outlier = *dark.add_first();
  outlier.mutable_file()->set_path("cat/night.jpg");
  outlier.set_value(12);
  outlier.set_width(640);
  outlier.set_height(480);
  report.mutable_audit()->add_rare_classes("owl");
  report.mutable_audit()->set_imbalance(12.5);
  const std::string text = RenderReport(report);
  EXPECT_THAT(text, HasSubstr("same picture, different labels: 2 files in 1 groups"));
  EXPECT_THAT(text, HasSubstr("1  cat/1.jpg    cat"));
  EXPECT_THAT(text, HasSubstr("dog/7.jpg"));
  EXPECT_THAT(text, HasSubstr("and 28 more"));
  EXPECT_THAT(text, HasSubstr("unusual brightness, usual is 40 to 200"));
  EXPECT_THAT(text, HasSubstr("640x480  cat/night.jpg"));
  EXPECT_THAT(text, HasSubstr("rare classes: owl; the largest class has 12.5 times"));
  EXPECT_THAT(text, Not(HasSubstr("blurred")));
}

TEST(DatasetReportTest, SaysHowManyItLeavesOut) {
  v1::DatasetReport report = Report();
  for (int i = 0; i < 12; ++i) {
    AddCluster(*report.mutable_audit()->mutable_exact_duplicates(), {absl::StrCat("cat/", i), absl::StrCat("dog/", i)},
               2);
  }
  report.mutable_audit()->mutable_exact_duplicates()->set_cluster_count(1500);
  report.mutable_version()->set_quarantined_count(5000);
  report.add_quarantined()->set_path("cat/broken.jpg");
  const std::string text = RenderReport(report);
  EXPECT_THAT(text, HasSubstr("same pixels, 10 of 1,500 groups:"));
  EXPECT_THAT(text, Not(HasSubstr("cat/10")));
  EXPECT_THAT(text, HasSubstr("and 4,999 more"));
}

v1::DiffDatasetVersionsResponse::File File(const std::string& path, const std::string& label) {
  v1::DiffDatasetVersionsResponse::File file;
  file.set_path(path);
  file.set_label(label);
  return file;
}

TEST(DatasetDiffTest, CountsAndNamesChanges) {
  v1::DiffDatasetVersionsResponse diff;
  diff.set_from("datasets/animals/versions/1");
  diff.set_to("datasets/animals/versions/2");
  diff.set_added(1);
  diff.set_removed(1);
  diff.set_relabelled(1);
  diff.set_renamed(1);
  diff.set_unchanged(2000);
  diff.set_change_count(53);
  *diff.add_changes()->mutable_after() = File("cat/new.jpg", "cat");
  *diff.add_changes()->mutable_before() = File("cat/old.jpg", "cat");
  auto& moved = *diff.add_changes();
  *moved.mutable_before() = File("cat/1.jpg", "cat");
  *moved.mutable_after() = File("dog/1.jpg", "dog");
  const std::string text = RenderDiff(diff);
  EXPECT_THAT(text, HasSubstr("animals:1 -> animals:2: 1 added, 1 removed, 1 relabelled, 1 renamed, 2,000 unchanged"));
  EXPECT_THAT(text, HasSubstr("added                cat/new.jpg             cat"));
  EXPECT_THAT(text, HasSubstr("removed              cat/old.jpg"));
  EXPECT_THAT(text, HasSubstr("relabelled, renamed  cat/1.jpg -> dog/1.jpg  cat -> dog"));
  EXPECT_THAT(text, HasSubstr("and 50 more; see --limit"));
}

TEST(DatasetDiffTest, EqualVersionsAreOneLine) {
  v1::DiffDatasetVersionsResponse diff;
  diff.set_from("datasets/animals/versions/1");
  diff.set_to("datasets/animals/versions/1");
  diff.set_unchanged(7);
  EXPECT_EQ(RenderDiff(diff), "animals:1 -> animals:1: 7 unchanged\n");
}

}  // namespace
}  // namespace graft::commands
