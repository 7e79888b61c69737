#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/fake_server.h"
#include "tests/client/run_command.h"

namespace graft::commands {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class CompareTest : public ::testing::Test {
 protected:
  CompareTest() {
    v1::CompareModelVersionsResponse response;
    for (const char* name : {"models/animals/versions/1", "models/animals/versions/2"}) {
      auto& version = *response.add_versions();
      version.set_name(name);
      version.set_backbone("mobilenet_v2");
      version.mutable_metrics()->set_test_accuracy(0.9845);
      version.mutable_metrics()->mutable_macro()->set_f1(0.9812);
      auto& cost = *response.add_costs();
      cost.set_size_bytes(9 << 20);
      cost.set_multiply_accumulates(299'506'400);
      cost.mutable_latency()->mutable_batch_1()->set_nanos(12'340'000);
      cost.mutable_latency()->mutable_batch_32()->set_seconds(1);
    }
    auto& comparison = *response.add_comparisons();
    comparison.set_version("models/animals/versions/2");
    comparison.set_baseline("models/animals/versions/1");
    comparison.mutable_mcnemar()->set_only_version_right(7);
    comparison.mutable_mcnemar()->set_only_baseline_right(2);
    comparison.mutable_mcnemar()->set_exact(true);
    comparison.mutable_mcnemar()->set_p_value(0.1796875);
    auto& cat = *comparison.add_classes();
    cat.set_label("cat");
    cat.set_recall(-0.125);
    cat.set_f1(0.0625);
    comparison.add_classes()->set_label("dog");
    server_.models().SetComparison(response);
  }
  CommandResult Compare(std::vector<std::string> words) {
    words.insert(words.begin(), {"--server", server_.address(), "compare", "animals:1", "animals:2"});
    return RunCommand(words);
  }

  graft::testing::FakeServer server_;
};

TEST_F(CompareTest, ShowsTheTablesAndTheDifference) {
  const CommandResult result = Compare({});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(
      result.out,
      AllOf(HasSubstr("TEST ACCURACY  TRAIN TIME  TOTAL TIME"), HasSubstr("0.9845"), HasSubstr("0.9812"),
            HasSubstr("9.0 MiB"), HasSubstr("299.5 M"), HasSubstr("12.3ms"), HasSubstr("1000.0ms"),
            HasSubstr("animals:2 against animals:1: 7 test photos only the former has right, 2 only the latter; "
                      "McNemar's test p = 0.18 (exact)"),
            HasSubstr("-0.1250  +0.0625"), Not(HasSubstr("dog"))));
}

TEST_F(CompareTest, FlagsBecomeTheRequest) {
  ASSERT_EQ(Compare({}).exit_code, 0);
  EXPECT_FALSE(server_.models().compared().measure_latency());
  EXPECT_FALSE(server_.models().compared().any_test_split());
  ASSERT_EQ(Compare({"--latency", "--any-split"}).exit_code, 0);
  EXPECT_TRUE(server_.models().compared().measure_latency());
  EXPECT_TRUE(server_.models().compared().any_test_split());
  EXPECT_THAT(server_.models().compared().names(), ElementsAre("animals:1", "animals:2"));
}

}  // namespace
}  // namespace graft::commands
