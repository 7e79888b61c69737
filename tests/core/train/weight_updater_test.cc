#include "core/train/weight_updater.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <memory>

namespace graft::train {
namespace {

constexpr int kSteps = 5;

// The gradient of some step, the same in every run.
torch::Tensor GradientOf(int step) {
  return torch::tensor({0.5, -2.0, 0.01}) * (step % 2 == 0 ? -0.7 : 1.0) * step;
}

TrainableTensor Weights(const char* name = "a") {
  return {.name = name, .value = torch::tensor({1.0, -0.5, 2.0}).requires_grad_(true)};
}

// What `phase` makes of Weights() in kSteps updates.
torch::Tensor Updated(const PhaseOptions& phase, bool decays = true, double factor = 1) {
  TrainableTensor weights = Weights();
  weights.decays = decays;
  weights.learning_rate_factor = factor;
  WeightUpdater updater({weights}, phase);
  for (int step = 1; step <= kSteps; ++step) {
    weights.value.mutable_grad() = GradientOf(step);
    updater.Update(1, step);
    EXPECT_FALSE(weights.value.grad().defined());
  }
  return weights.value.detach();
}

torch::Tensor UpdatedByTorch(const std::function<std::unique_ptr<torch::optim::Optimizer>(torch::Tensor)>& make) {
  const torch::Tensor weights = Weights().value;
  const auto optimizer = make(weights);
  for (int step = 1; step <= kSteps; ++step) {
    weights.mutable_grad() = GradientOf(step);
    optimizer->step();
  }
  return weights.detach();
}

TEST(WeightUpdaterTest, SgdIsTorchsWithItsWeightDecay) {
  const torch::Tensor expected = UpdatedByTorch([](torch::Tensor weights) {
    return std::make_unique<torch::optim::SGD>(std::vector<torch::Tensor>{weights},
                                               torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(0.05));
  });
  const PhaseOptions phase{.optimizer = Optimizer::kSgd, .learning_rate = 0.1, .weight_decay = 0.05};
  EXPECT_TRUE(torch::allclose(Updated(phase), expected, 1e-6, 1e-7));
}

// Where torch's epsilon is chosen so small that its place does not matter, the two formulas are one.
TEST(WeightUpdaterTest, AdamWIsTorchsButForTheEpsilon) {
  const torch::Tensor expected = UpdatedByTorch([](torch::Tensor weights) {
    return std::make_unique<torch::optim::AdamW>(std::vector<torch::Tensor>{weights},
                                                 torch::optim::AdamWOptions(0.01).weight_decay(0.3).eps(1e-12));
  });
  const PhaseOptions phase{.optimizer = Optimizer::kAdamW, .learning_rate = 0.01, .weight_decay = 0.3};
  EXPECT_TRUE(torch::allclose(Updated(phase), expected, 1e-4, 1e-6));
}

TEST(WeightUpdaterTest, AdamIsKerasFormula) {
  const double gradients[] = {0.5, -0.7 * 2 * 0.5};
  double m = 0, v = 0, w = 1;
  TrainableTensor weights = Weights();
  WeightUpdater updater({weights}, {.optimizer = Optimizer::kAdam, .learning_rate = 0.1});
  for (int step = 1; step <= 2; ++step) {
    const double g = gradients[step - 1];
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    w -= 0.1 * std::sqrt(1 - std::pow(0.999, step)) / (1 - std::pow(0.9, step)) * m / (std::sqrt(v) + 1e-7);
    weights.value.mutable_grad() = GradientOf(step);
    updater.Update(1, step);
    EXPECT_NEAR(weights.value[0].item<double>(), w, 1e-6);
  }
}

TEST(WeightUpdaterTest, BatchNormsAndBiasesDoNotDecay) {
  const PhaseOptions decaying{.optimizer = Optimizer::kAdamW, .learning_rate = 0.01, .weight_decay = 0.3};
  const PhaseOptions plain{.optimizer = Optimizer::kAdamW, .learning_rate = 0.01};
  EXPECT_TRUE(torch::equal(Updated(decaying, /*decays=*/false), Updated(plain)));
  EXPECT_FALSE(torch::equal(Updated(decaying), Updated(plain)));
}

TEST(WeightUpdaterTest, LayersLearnAtTheirShareOfTheRate) {
  for (const Optimizer optimizer : {Optimizer::kSgd, Optimizer::kAdamW}) {
    const PhaseOptions full{.optimizer = optimizer, .learning_rate = 0.1, .weight_decay = 0.1};
    const PhaseOptions half{.optimizer = optimizer, .learning_rate = 0.05, .weight_decay = 0.1};
    EXPECT_TRUE(torch::equal(Updated(full, true, 0.5), Updated(half)));
  }
}

TEST(WeightUpdaterTest, ClipsTheNormOfAllGradientsTogether) {
  const TrainableTensor a = Weights("a"), b = Weights("b");
  WeightUpdater updater({a, b}, {.optimizer = Optimizer::kSgd, .learning_rate = 1, .clip_norm = 1});
  a.value.mutable_grad() = torch::tensor({3.0, 0.0, 0.0});
  b.value.mutable_grad() = torch::tensor({0.0, 4.0, 0.0});
  updater.Update(1, 1);
  EXPECT_NEAR(a.value[0].item<double>(), 1 - 0.6, 1e-5);
  EXPECT_NEAR(b.value[1].item<double>(), -0.5 - 0.8, 1e-5);
}

TEST(WeightUpdaterTest, SmallGradientsAreNotClipped) {
  const PhaseOptions clipped{.optimizer = Optimizer::kSgd, .learning_rate = 0.1, .clip_norm = 1000};
  EXPECT_TRUE(torch::equal(Updated(clipped), Updated({.optimizer = Optimizer::kSgd, .learning_rate = 0.1})));
}

TEST(WeightUpdaterTest, GoesOnFromItsMoments) {
  const PhaseOptions phase{.optimizer = Optimizer::kAdamW, .learning_rate = 0.01, .weight_decay = 0.1};
  TrainableTensor weights = Weights();
  auto updater = std::make_unique<WeightUpdater>(std::vector<TrainableTensor>{weights}, phase);
  for (int step = 1; step <= kSteps; ++step) {
    auto moments = updater->Moments();
    updater = std::make_unique<WeightUpdater>(std::vector<TrainableTensor>{weights}, phase);
    for (const auto& [name, moment] : updater->Moments()) moment.copy_(moments.at(name));
    weights.value.mutable_grad() = GradientOf(step);
    updater->Update(1, step);
  }
  EXPECT_TRUE(torch::equal(weights.value.detach(), Updated(phase)));
}

}  // namespace
}  // namespace graft::train
