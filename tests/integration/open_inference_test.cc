// The real server, asked by clients that nobody here wrote: the scripts in open_inference/ run them from PyPI.
#include <gtest/gtest.h>

#include "tests/integration/picture_folder.h"
#include "tests/integration/running_server.h"
#include "tests/testing/temporary_folder.h"

namespace graft::testing {
namespace {

class OpenInferenceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MakePictureFolder(folder_ / "photos", 8);
    MakeRandomWeights(folder_ / "data", "mobilenet_v2");
    ASSERT_TRUE(server_.Start());
    server_.GraftJson({"dataset", "push", "colours", folder_ / "photos"});
    Train({"--alias", "production", "--epochs", "1"});
    // Version 2 has a backbone of its own.
    Train({"--preset", "balanced", "--trainable", "blocks:1", "--epochs", "1"});
  }

  void Train(std::vector<std::string> more) {
    more.insert(more.begin(), {"train", "--dataset", "colours", "--backbone", "mobilenet_v2", "--model", "colours"});
    ASSERT_EQ(server_.GraftJson(more)["state"], "JOB_STATE_SUCCEEDED");
  }

  // A script of open_inference/ passes on this server.
  void Run(const std::string& script) {
    const Outcome outcome = RunPython(
        {"integration/open_inference/" + script, "--server", server_.address(), "--photos", folder_ / "photos"},
        absl::Minutes(8));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    EXPECT_NE(outcome.out.find(" passed"), std::string::npos) << outcome.out << outcome.err;
    EXPECT_EQ(server_.Stop().exit_code, 0) << server_.log();
  }

  TemporaryFolder folder_;
  RunningServer server_{folder_ / "data"};
};

TEST_F(OpenInferenceTest, TritonClientWorks) {
  Run("triton_test.py");
}

TEST_F(OpenInferenceTest, KserveClientWorks) {
  Run("kserve_test.py");
}

TEST_F(OpenInferenceTest, GrpcToolsWork) {
  Run("grpc_tools_test.py");
}

TEST_F(OpenInferenceTest, PerfAnalyzerMeasures) {
  Run("perf_analyzer_test.py");
}

}  // namespace
}  // namespace graft::testing
