#include "core/workflow/engine_cache.h"

#include "absl/strings/str_cat.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/status_matchers.h"

namespace graft::workflow {
namespace {

using ::graft::testing::StatusIs;
using ::testing::ElementsAre;

TEST(EngineCacheTest, KeepsTheLastEngineUntilAnotherIsAsked) {
  std::vector<std::string> made;
  EngineCache cache(
      {.id = [](const std::string& device, engine::Precision) { return "fake/" + device; },
       .create = [&made](const weights::StoredWeights& weights,
                         const engine::EngineTarget& target) -> absl::StatusOr<std::unique_ptr<engine::Engine>> {
         made.push_back(absl::StrCat(weights.sha256, "@", target.device, "/", engine::NameOf(target.precision)));
         return std::make_unique<testing::FakeEngine>(network::BackboneFacts{});
       }});
  EXPECT_EQ(cache.IdOf("cpu", engine::Precision::kF32), "fake/cpu");
  ASSERT_OK_AND_ASSIGN(engine::Engine * first, cache.Get({.sha256 = "a"}, {.device = "cpu"}));
  ASSERT_OK_AND_ASSIGN(engine::Engine * second, cache.Get({.sha256 = "a"}, {.device = "cpu"}));
  EXPECT_EQ(first, second);
  ASSERT_OK(cache.Get({.sha256 = "b"}, {.device = "cpu"}));
  ASSERT_OK(cache.Get({.sha256 = "b"}, {.device = "cpu", .precision = engine::Precision::kBf16}));
  ASSERT_OK(cache.Get({.sha256 = "b"}, {.device = "cuda:0"}));
  EXPECT_THAT(made, ElementsAre("a@cpu/f32", "b@cpu/f32", "b@cpu/bf16", "b@cuda:0/f32"));
}

TEST(EngineCacheTest, FailureIsReportedAndTriedAgain) {
  int tries = 0;
  EngineCache cache(
      {.create = [&tries](const weights::StoredWeights&,
                          const engine::EngineTarget&) -> absl::StatusOr<std::unique_ptr<engine::Engine>> {
        if (++tries == 1) return absl::ResourceExhaustedError("no room");
        return std::make_unique<testing::FakeEngine>(network::BackboneFacts{});
      }});
  EXPECT_THAT(cache.Get({.sha256 = "a"}, {.device = "cpu"}), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_OK(cache.Get({.sha256 = "a"}, {.device = "cpu"}));
}

}  // namespace
}  // namespace graft::workflow
