// Our optimum beside that of an implementation that nobody here wrote: scikit-learn's.
#include <cstdint>
#include <iostream>
#include <random>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/train/head_solver.h"
#include "tests/integration/program.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::train {
namespace {

constexpr int kClasses = 4;

template <typename T>
std::string BytesOf(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// Overlapping classes in features of very different scales, some of them dependent on others.
LabelledFeatures MakeFeatures(int images, int dimension, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  LabelledFeatures features{.dimension = dimension};
  for (int image = 0; image < images; ++image) {
    const int label = image % kClasses;
    features.labels.push_back(label);
    float previous = 0;
    for (int i = 0; i < dimension; ++i) {
      const float scale = i % 3 == 0 ? 0.01f : 5.0f;
      previous = normal(generator) + 0.7f * previous + (i % kClasses == label ? 0.6f : 0.0f);
      features.values.push_back(scale * previous + static_cast<float>(i));
    }
  }
  return features;
}

TEST(ScikitLearnTest, ProbabilitiesAreThoseOfLogisticRegression) {
  const testing::TemporaryFolder folder;
  const LabelledFeatures train = MakeFeatures(300, 40, 1);
  ASSERT_OK(WriteFileDurably(folder / "features", BytesOf(train.values)));
  ASSERT_OK(
      WriteFileDurably(folder / "labels", BytesOf(std::vector<int32_t>(train.labels.begin(), train.labels.end()))));
  for (const double l2 : {1e-4, 1e-2, 1.0}) {
    ASSERT_OK_AND_ASSIGN(const SolvedHead solved, SolveHead(
                                                      train, MakeFeatures(40, 40, 2), {.classes = kClasses, .l2 = l2},
                                                      [](const L2Trial&) { return absl::OkStatus(); },
                                                      [] { return false; }, [] { return false; }));
    ASSERT_OK(WriteFileDurably(folder / "head", BytesOf(solved.head.kernel) + BytesOf(solved.head.bias)));
    // Both stop at a gradient of 1e-6 or less, which leaves the weights open by 1e-6 / l2. The head is float32.
    const char* const tolerance = l2 < 1e-3 ? "1e-3" : "1e-4";
    const testing::Outcome outcome =
        testing::RunPython({"core/train/logistic_parity.py", folder / "features", folder / "labels", folder / "head",
                            absl::StrCat(l2), absl::StrCat(kClasses), tolerance});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    std::cout << outcome.out;
  }
}

}  // namespace
}  // namespace graft::train
