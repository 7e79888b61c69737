#include "core/workflow/engine_cache.h"

#include "tests/testing/fake_engine.h"
#include "tests/testing/status_matchers.h"

namespace graft::workflow {
namespace {

using ::graft::testing::StatusIs;
using ::testing::ElementsAre;

TEST(EngineCacheTest, KeepsTheLastEngineUntilAnotherIsAsked) {
  std::vector<std::string> made;
  EngineCache cache({.id = [](const std::string& device) { return "fake/" + device; },
                     .create = [&made](const weights::StoredWeights& weights,
                                       const std::string& device) -> absl::StatusOr<std::unique_ptr<engine::Engine>> {
                       made.push_back(weights.sha256 + "@" + device);
                       return std::make_unique<testing::FakeEngine>(network::BackboneFacts{});
                     }});
  EXPECT_EQ(cache.IdOn("cpu"), "fake/cpu");
  ASSERT_OK_AND_ASSIGN(engine::Engine * first, cache.Get({.sha256 = "a"}, "cpu"));
  ASSERT_OK_AND_ASSIGN(engine::Engine * second, cache.Get({.sha256 = "a"}, "cpu"));
  EXPECT_EQ(first, second);
  ASSERT_OK(cache.Get({.sha256 = "b"}, "cpu"));
  ASSERT_OK(cache.Get({.sha256 = "b"}, "cuda:0"));
  EXPECT_THAT(made, ElementsAre("a@cpu", "b@cpu", "b@cuda:0"));
}

TEST(EngineCacheTest, FailureIsReportedAndTriedAgain) {
  int tries = 0;
  EngineCache cache({.create = [&tries](const weights::StoredWeights&,
                                        const std::string&) -> absl::StatusOr<std::unique_ptr<engine::Engine>> {
    if (++tries == 1) return absl::ResourceExhaustedError("no room");
    return std::make_unique<testing::FakeEngine>(network::BackboneFacts{});
  }});
  EXPECT_THAT(cache.Get({.sha256 = "a"}, "cpu"), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_OK(cache.Get({.sha256 = "a"}, "cpu"));
}

}  // namespace
}  // namespace graft::workflow
