// The real server watched by a real Prometheus, as deploy/prometheus and deploy/grafana have it.
#include <gtest/gtest.h>

#include "tests/integration/picture_folder.h"
#include "tests/integration/running_server.h"
#include "tests/testing/temporary_folder.h"

namespace graft::testing {
namespace {

TEST(MonitoringTest, DashboardsAlertsAndDocsFitWhatIsExported) {
  TemporaryFolder folder;
  MakePictureFolder(folder / "photos", 8);
  MakeRandomWeights(folder / "data", "mobilenet_v2");
  RunningServer server(folder / "data");
  ASSERT_TRUE(server.Start());
  const Outcome outcome = RunPython(
      {"integration/monitoring/monitoring_test.py", "--graft", ProgramPath("graft"), "--server", server.address(),
       "--metrics", server.metrics_address(), "--data", folder / "data", "--photos", folder / "photos"},
      absl::Minutes(8));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find(" passed"), std::string::npos) << outcome.out << outcome.err;
  EXPECT_EQ(server.Stop().exit_code, 0) << server.log();
}

}  // namespace
}  // namespace graft::testing
