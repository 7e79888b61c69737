#include "server/metrics/model_metrics.h"

#include <set>

#include "tests/server/metrics/metrics_text.h"

namespace graft::metrics {
namespace {

using ::graft::testing::Text;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ModelMetricsTest : public ::testing::Test {
 protected:
  void Answer(const std::string& model) {
    loaded_.insert(model);
    metrics_.Answered(model, absl::Milliseconds(250));
  }

  std::set<std::string> loaded_;
  ModelMetrics metrics_{[this] { return loaded_; }};
};

TEST_F(ModelMetricsTest, FiftyModelsHaveSeriesOfTheirOwnAndTheRestShareOne) {
  for (int i = 0; i < 60; ++i) Answer(absl::StrCat("m", i));
  Answer("m7");
  Answer("m55");
  const std::string text = Text(metrics_);
  EXPECT_THAT(text, AllOf(HasSubstr("graft_model_images_total{model=\"m7\"} 2\n"),
                          HasSubstr("graft_model_image_seconds_total{model=\"m7\"} 0.5\n"),
                          HasSubstr("graft_model_images_total{model=\"m49\"} 1\n"),
                          Not(HasSubstr("graft_model_images_total{model=\"m50\"}")),
                          HasSubstr("graft_model_images_total{model=\"other\"} 11\n")));
}

TEST_F(ModelMetricsTest, SeriesOfAnUnloadedModelEndsAndAnotherTakesItsPlace) {
  for (int i = 0; i < 50; ++i) Answer(absl::StrCat("m", i));
  loaded_.erase("m7");
  EXPECT_THAT(Text(metrics_), Not(HasSubstr("model=\"m7\"")));
  Answer("new");
  EXPECT_THAT(Text(metrics_), HasSubstr("graft_model_images_total{model=\"new\"} 1\n"));
}

TEST_F(ModelMetricsTest, ModelCalledOtherIsCountedWithTheOthers) {
  Answer("other");
  const std::string text = Text(metrics_);
  EXPECT_THAT(text, HasSubstr("graft_model_images_total{model=\"other\"} 1\n"));
  EXPECT_EQ(text.find("{model=\"other\"}"), text.find("graft_model_images_total{model=\"other\"}") + 24);
}

}  // namespace
}  // namespace graft::metrics
