// Our numbers in the eyes of those who defined them: scikit-learn, SciPy and NumPy.
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/random.h"
#include "core/base/status_macros.h"
#include "core/evaluate/bootstrap.h"
#include "core/evaluate/calibration.h"
#include "core/evaluate/metrics.h"
#include "core/evaluate/significance.h"
#include "tests/integration/program.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::evaluate {
namespace {

using Json = nlohmann::json;

struct Case {
  std::string name;
  int images = 0, classes = 0;
  std::vector<float> logits;  // [images, classes]
  std::vector<int> labels;
};

// Logits around 0 with `lift` more for the label in most images; `levels` of them are whole numbers, which ties
// columns.
Case MadeCase(const std::string& name, int images, int classes, int labelled_classes, double lift, int levels = 0) {
  Case made{.name = name, .images = images, .classes = classes};
  RandomStream random(RandomKey({static_cast<uint64_t>(images), static_cast<uint64_t>(classes)}));
  for (int i = 0; i < images; ++i) {
    const int label = static_cast<int>(random.Below(static_cast<uint64_t>(labelled_classes)));
    for (int k = 0; k < classes; ++k) {
      const double value = random.Uniform(-3, 3) + (k == label && random.Chance(0.8) ? lift : 0);
      made.logits.push_back(static_cast<float>(levels == 0 ? value : std::round(value * levels / 6)));
    }
    made.labels.push_back(label);
  }
  return made;
}

std::vector<Case> Cases() {
  return {MadeCase("ordinary", 400, 5, 5, 2),
          MadeCase("binary", 150, 2, 2, 1),
          MadeCase("ties", 300, 4, 4, 1, 3),
          MadeCase("absent classes", 200, 9, 4, 1),
          MadeCase("one class alone", 30, 3, 1, 1),
          MadeCase("one image", 1, 3, 3, 1),
          MadeCase("certain", 120, 4, 4, 40),
          MadeCase("certain and wrong", 120, 4, 4, -60),
          MadeCase("a thousand classes", 2000, 1000, 1000, 5)};
}

Json ToJson(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json ToJson(const AverageScores& scores) {
  return {{"precision", scores.precision},
          {"recall", scores.recall},
          {"f1", scores.f1},
          {"roc_auc", ToJson(scores.roc_auc)}};
}

Json ToJson(const Interval& interval) {
  return {interval.low, interval.high};
}

// Everything that is measured on one case.
Json Measured(const Case& made, const std::vector<float>& probabilities) {
  Metrics metrics = Evaluate(probabilities, made.labels, made.classes);
  AddRocAuc(probabilities, made.labels, metrics);
  const Intervals intervals = Bootstrap(TopClasses(probabilities, made.classes), made.labels,
                                        LossesOf(probabilities, made.labels, made.classes), made.classes, 0);
  Json classes = Json::array(), confusion = Json::array();
  for (const ClassScores& scores : metrics.classes) {
    classes.push_back({{"precision", scores.precision},
                       {"recall", scores.recall},
                       {"f1", scores.f1},
                       {"roc_auc", ToJson(scores.roc_auc)},
                       {"images", scores.images}});
  }
  for (const ConfusionCell& cell : metrics.confusion) confusion.push_back({cell.actual, cell.predicted, cell.images});
  return {{"loss", metrics.loss},
          {"accuracy", metrics.accuracy},
          {"classes", classes},
          {"confusion", confusion},
          {"macro", ToJson(metrics.macro)},
          {"weighted", ToJson(metrics.weighted)},
          {"calibration_error", ExpectedCalibrationError(probabilities, made.labels, made.classes)},
          {"temperature", FitTemperature(made.logits, made.labels, made.classes)},
          {"intervals",
           {{"accuracy", ToJson(intervals.accuracy)},
            {"loss", ToJson(intervals.loss)},
            {"macro_f1", ToJson(intervals.macro_f1)}}},
          {"labels", made.labels},
          {"name", made.name}};
}

absl::Status WriteFloats(const std::string& path, const std::vector<float>& values) {
  return WriteFileDurably(
      path, absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)));
}

// PATH with what we say, PATH.logits and PATH.probabilities: raw float32.
absl::Status WriteCase(const Case& made, const std::string& path) {
  std::vector<float> probabilities = made.logits;
  SoftmaxAt(1, absl::MakeSpan(probabilities), made.classes);
  RETURN_IF_ERROR(WriteFloats(path + ".logits", made.logits));
  RETURN_IF_ERROR(WriteFloats(path + ".probabilities", probabilities));
  return WriteFileDurably(path, Measured(made, probabilities).dump());
}

Json McNemarTests() {
  Json tests = Json::array();
  for (const auto& [b, c] : std::vector<std::pair<int, int>>{{0, 0},
                                                             {0, 1},
                                                             {1, 0},
                                                             {3, 3},
                                                             {0, 24},
                                                             {11, 13},
                                                             {5, 19},
                                                             {12, 13},
                                                             {0, 25},
                                                             {30, 30},
                                                             {121, 59},
                                                             {7, 900}}) {
    const McNemarResult result = McNemar(b, c);
    tests.push_back(
        {{"b", b}, {"c", c}, {"exact", result.exact}, {"statistic", result.statistic}, {"p", result.p_value}});
  }
  return tests;
}

TEST(ScikitLearnTest, AgreesWithOurNumbers) {
  const testing::TemporaryFolder folder;
  std::vector<std::string> words = {"core/evaluate/scikit_learn.py"};
  for (const Case& made : Cases()) {
    words.push_back(folder / absl::StrCat(words.size(), ".json"));
    ASSERT_OK(WriteCase(made, words.back()));
  }
  words.push_back(folder / "mcnemar.json");
  ASSERT_OK(WriteFileDurably(words.back(), Json{{"mcnemar", McNemarTests()}}.dump()));
  const testing::Outcome outcome = testing::RunPython(words);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("a thousand classes: agrees"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("McNemar: agrees"), std::string::npos) << outcome.out;
}

}  // namespace
}  // namespace graft::evaluate
