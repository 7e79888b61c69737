#include "core/train/loss.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

namespace graft::train {
namespace {

namespace functional = torch::nn::functional;

constexpr int kClasses = 4;

class LossTest : public ::testing::Test {
 protected:
  void SetUp() override { torch::manual_seed(3); }
  double Sum(const LossOptions& options) const {
    return Loss(options, kClasses, torch::kCPU).Sum(logits_, targets_).item<double>();
  }
  double TorchSum(functional::CrossEntropyFuncOptions options) const {
    return functional::cross_entropy(logits_, labels_, options.reduction(torch::kSum)).item<double>();
  }

  const torch::Tensor logits_ = torch::tensor({{2.0, -1.0, 0.5, 0.0}, {0.1, 0.2, 0.3, 0.4}, {-3.0, 4.0, 0.0, 1.0}});
  const torch::Tensor labels_ = torch::tensor({0L, 3L, 2L});
  Targets targets_{.classes = torch::eye(kClasses).index_select(0, labels_)};
};

TEST_F(LossTest, IsTorchsCrossEntropyWithItsLabelSmoothing) {
  EXPECT_NEAR(Sum({}), TorchSum({}), 1e-5);
  EXPECT_NEAR(Sum({.label_smoothing = 0.1}), TorchSum(functional::CrossEntropyFuncOptions().label_smoothing(0.1)),
              1e-5);
}

TEST_F(LossTest, ClassWeightsMultiplyTheirImagesLosses) {
  const LossOptions options{.class_weight = {1, 5, 2, 0.5}};
  const torch::Tensor weight = torch::tensor({1.0, 5.0, 2.0, 0.5});
  EXPECT_NEAR(Sum(options), TorchSum(functional::CrossEntropyFuncOptions().weight(weight)), 1e-5);
  targets_.classes = torch::tensor({{0.25, 0.75, 0.0, 0.0}}).expand({3, kClasses});
  const double plain = Sum({});
  EXPECT_NEAR(Sum(options), plain * (0.25 * 1 + 0.75 * 5), 1e-4);
}

// Lin et al. 2017, equation 4, by hand.
TEST_F(LossTest, FocalLossFadesWhatIsClassifiedWell) {
  double expected = 0;
  const torch::Tensor probabilities = torch::softmax(logits_, 1);
  for (int i = 0; i < 3; ++i) {
    const double p = probabilities[i][labels_[i].item<int64_t>()].item<double>();
    expected -= std::pow(1 - p, 2) * std::log(p);
  }
  EXPECT_NEAR(Sum({.focal_gamma = 2}), expected, 1e-5);
}

TEST_F(LossTest, MixturesLoseInProportion) {
  const double first = Sum({});
  targets_.classes = torch::eye(kClasses).index_select(0, torch::tensor({1L, 1L, 1L}));
  const double second = Sum({});
  targets_.classes = 0.3 * torch::eye(kClasses).index_select(0, labels_) + 0.7 * targets_.classes;
  EXPECT_NEAR(Sum({}), 0.3 * first + 0.7 * second, 1e-4);
}

TEST_F(LossTest, DistillationIsHintons) {
  const double plain = Sum({});
  const torch::Tensor teacher_logits = torch::randn({3, kClasses});
  targets_.teacher = torch::softmax(teacher_logits, 1);
  const double temperature = 3;
  const double divergence =
      functional::kl_div(torch::log_softmax(logits_ / temperature, 1), torch::softmax(teacher_logits / temperature, 1),
                         functional::KLDivFuncOptions().reduction(torch::kSum))
          .item<double>();
  EXPECT_NEAR(Sum({.distillation_weight = 0.4, .distillation_temperature = temperature}),
              0.6 * plain + 0.4 * temperature * temperature * divergence, 1e-4);
}

TEST_F(LossTest, ATeacherThatIsCertainGivesAFiniteLoss) {
  targets_.teacher = torch::eye(kClasses).index_select(0, labels_);
  EXPECT_NEAR(Sum({.distillation_weight = 1}), Sum({.distillation_weight = 0}), 1e-4);
}

}  // namespace
}  // namespace graft::train
