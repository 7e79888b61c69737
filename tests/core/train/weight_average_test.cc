#include "core/train/weight_average.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>

namespace graft::train {
namespace {

TEST(WeightAverageTest, IsTheRecursionWithItsWarmup) {
  const torch::Tensor weight = torch::tensor({1.0});
  WeightAverage average({{"w", weight}}, 0.6);
  double expected = 1;
  for (int update = 1; update <= 10; ++update) {
    weight.fill_(update * update);
    average.Update(update);
    const double decay = std::min(0.6, (1.0 + update) / (10 + update));
    expected = decay * expected + (1 - decay) * update * update;
    EXPECT_NEAR(average.tensors().at("w").item<double>(), expected, 1e-4);
  }
}

TEST(WeightAverageTest, OfAConstantIsTheConstantToTheLastBit) {
  const torch::Tensor weight = torch::rand({1000});
  WeightAverage average({{"w", weight}}, 0.9999);
  for (int update = 1; update <= 100; ++update) average.Update(update);
  EXPECT_TRUE(torch::equal(average.tensors().at("w"), weight));
}

TEST(WeightAverageTest, SwapsThereAndBack) {
  const torch::Tensor weight = torch::tensor({1.0F, 2.0F});
  WeightAverage average({{"w", weight}}, 0.5);
  weight.mul_(3);
  average.Swap();
  EXPECT_TRUE(torch::equal(weight, torch::tensor({1.0F, 2.0F})));
  EXPECT_TRUE(torch::equal(average.tensors().at("w"), torch::tensor({3.0F, 6.0F})));
  average.Swap();
  EXPECT_TRUE(torch::equal(weight, torch::tensor({3.0F, 6.0F})));
}

}  // namespace
}  // namespace graft::train
