#include "core/train/softmax_regression.h"

#include <gtest/gtest.h>

namespace graft::train {
namespace {

HeadTensors RandomHead(int dimension, int classes) {
  return {.kernel = torch::randn({dimension, classes}), .bias = torch::randn({classes})};
}

TEST(ForwardBackwardTest, GradientIsThatOfAutograd) {
  torch::manual_seed(1);
  HeadTensors head = RandomHead(7, 4);
  const torch::Tensor features = torch::randn({9, 7});
  const torch::Tensor labels = torch::randint(0, 4, {9}, torch::kInt64);
  const BatchResult batch = ForwardBackward(head, features, labels);

  head.kernel.requires_grad_(true);
  head.bias.requires_grad_(true);
  const torch::Tensor loss = torch::nn::functional::cross_entropy(features.mm(head.kernel) + head.bias, labels);
  loss.backward();
  EXPECT_TRUE(torch::allclose(batch.gradient.kernel, head.kernel.grad(), 1e-5, 1e-6));
  EXPECT_TRUE(torch::allclose(batch.gradient.bias, head.bias.grad(), 1e-5, 1e-6));
  EXPECT_NEAR(batch.loss_sum.item<double>() / 9, loss.item<double>(), 1e-5);
}

TEST(ForwardBackwardTest, CountsRightAnswers) {
  const HeadTensors head{.kernel = torch::eye(3), .bias = torch::zeros({3})};
  const torch::Tensor features = torch::eye(3);
  EXPECT_EQ(ForwardBackward(head, features, torch::tensor({0L, 1L, 0L})).right_count.item<int64_t>(), 2);
}

// w = 1, gradients 0.5 then -0.25, learning rate 0.1; computed from Keras' formula by hand in double precision.
TEST(AdamUpdateTest, FollowsKerasFormula) {
  HeadTensors head{.kernel = torch::ones({1, 1}), .bias = torch::ones({1})};
  const HeadTensors zero{.kernel = torch::zeros({1, 1}), .bias = torch::zeros({1})};
  AdamMoments moments{{zero.kernel.clone(), zero.bias.clone()}, {zero.kernel.clone(), zero.bias.clone()}};
  double m = 0, v = 0, w = 1;
  const double gradients[] = {0.5, -0.25};
  for (int step = 1; step <= 2; ++step) {
    const double g = gradients[step - 1];
    AdamUpdate(head, moments, {torch::full({1, 1}, g), torch::full({1}, g)}, 0.1, step);
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    w -= 0.1 * std::sqrt(1 - std::pow(0.999, step)) / (1 - std::pow(0.9, step)) * m / (std::sqrt(v) + 1e-7);
    EXPECT_NEAR(head.kernel.item<double>(), w, 1e-6);
    EXPECT_NEAR(head.bias.item<double>(), w, 1e-6);
  }
}

// epsilon stands outside the bias correction: with gradients this small it decides the step's size.
TEST(AdamUpdateTest, EpsilonIsAddedToTheUncorrectedRoot) {
  HeadTensors head{.kernel = torch::zeros({1, 1}), .bias = torch::zeros({1})};
  AdamMoments moments{{torch::zeros({1, 1}), torch::zeros({1})}, {torch::zeros({1, 1}), torch::zeros({1})}};
  const double g = 1e-6;
  AdamUpdate(head, moments, {torch::full({1, 1}, g), torch::full({1}, g)}, 1.0, 1);
  const double root = std::sqrt(0.001) * g;
  const double expected = -std::sqrt(0.001) / 0.1 * (0.1 * g) / (root + 1e-7);
  EXPECT_NEAR(head.kernel.item<double>(), expected, 1e-4 * std::abs(expected));
}

}  // namespace
}  // namespace graft::train
