#include "core/base/file.h"
#include "server/metrics/classifier_families.h"
#include "server/metrics/gpu_families.h"
#include "server/metrics/process_families.h"
#include "server/metrics/scrape_target.h"
#include "tests/server/metrics/metrics_text.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::metrics {
namespace {

using ::graft::testing::Text;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ClassifierFamiliesTest, BatchSizesAreAHistogramOfForwardPasses) {
  inference::ClassifierStats stats;
  stats.passes = {5, 0, 2};  // five of one image, two of three
  stats.passes.resize(32);
  stats.passes[31] = 1;
  const std::string text = Text(ClassifierFamilies(stats, 0));
  EXPECT_THAT(text, AllOf(HasSubstr("graft_classify_batch_images_bucket{le=\"1\"} 5\n"),
                          HasSubstr("graft_classify_batch_images_bucket{le=\"2\"} 5\n"),
                          HasSubstr("graft_classify_batch_images_bucket{le=\"4\"} 7\n"),
                          HasSubstr("graft_classify_batch_images_bucket{le=\"16\"} 7\n"),
                          HasSubstr("graft_classify_batch_images_bucket{le=\"32\"} 8\n"),
                          HasSubstr("graft_classify_batch_images_bucket{le=\"+Inf\"} 8\n"),
                          HasSubstr("graft_classify_batch_images_sum 43\n")));
}

TEST(ClassifierFamiliesTest, EachReasonToShedHasItsSeriesFromTheStart) {
  inference::ClassifierStats stats;
  stats.refused_deadline = 3;
  const std::string text = Text(ClassifierFamilies(stats, 4));
  EXPECT_THAT(text, AllOf(HasSubstr("graft_shed_requests_total{reason=\"images\"} 0\n"),
                          HasSubstr("graft_shed_requests_total{reason=\"bytes\"} 0\n"),
                          HasSubstr("graft_shed_requests_total{reason=\"deadline\"} 3\n"),
                          HasSubstr("graft_shed_requests_total{reason=\"expired\"} 0\n"),
                          HasSubstr("graft_shed_requests_total{reason=\"request_pool\"} 4\n")));
}

TEST(GpuFamiliesTest, SplitGpuHasMemoryButNoUtilization) {
  const std::string text = Text(GpuFamilies({{.index = 0, .memory_bytes = 80, .memory_used_bytes = 20},
                                             {.index = 1, .memory_bytes = 80, .utilization = 0.5}}));
  EXPECT_THAT(text, AllOf(HasSubstr("graft_gpu_memory_used_bytes{gpu=\"0\"} 20\n"),
                          HasSubstr("graft_gpu_utilization_ratio{gpu=\"1\"} 0.5\n"),
                          Not(HasSubstr("graft_gpu_utilization_ratio{gpu=\"0\"}"))));
}

TEST(DiskFamiliesTest, FolderThatIsNotThereLeavesAGap) {
  testing::TemporaryFolder folder;
  EXPECT_THAT(Text(DiskFamilies(folder.path())), HasSubstr("graft_disk_free_bytes"));
  EXPECT_THAT(Text(DiskFamilies(folder / "none")), Not(HasSubstr("graft_disk_free_bytes")));
}

TEST(ScrapeTargetTest, FileNamesThePortWhileTheTargetLives) {
  testing::TemporaryFolder folder;
  const DataFolder data{folder.path()};
  const std::string path = folder / "targets/worker-cuda:0.json";
  ASSERT_OK_AND_ASSIGN(auto target, ScrapeTarget::Publish(data, "cuda:0", 4321));
  EXPECT_EQ(*ReadFile(path, 1000), "[{\"labels\":{\"device\":\"cuda:0\"},\"targets\":[\"127.0.0.1:4321\"]}]\n");
  target.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ScrapeTargetTest, ServerRemovesWhatKilledWorkersLeft) {
  testing::TemporaryFolder folder;
  const DataFolder data{folder.path()};
  ASSERT_OK(CreateFolders(data.scrape_targets()));
  ASSERT_OK(WriteFileDurably(folder / "targets/worker-cpu.json", "[]"));
  ASSERT_OK(RemoveScrapeTargets(data));
  EXPECT_TRUE(std::filesystem::is_empty(data.scrape_targets()));
  ASSERT_OK(RemoveScrapeTargets(DataFolder{folder / "new"}));
  EXPECT_TRUE(std::filesystem::is_directory(folder / "new/targets"));
}

}  // namespace
}  // namespace graft::metrics
