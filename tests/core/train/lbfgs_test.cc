#include "core/train/lbfgs.h"

#include <gtest/gtest.h>

namespace graft::train {
namespace {

const auto kFloat64 = torch::TensorOptions(torch::kFloat64);

// f(w) = 1/2 w.A w with a diagonal A: its gradient is A w, its Hessian A.
TEST(LbfgsMemoryTest, DirectionOfAQuadraticIsNewtonsOnceEveryAxisWasSeen) {
  const torch::Tensor hessian = torch::tensor({1.0, 10.0, 100.0}, kFloat64);
  LbfgsMemory memory;
  for (int axis = 0; axis < 3; ++axis) {
    torch::Tensor step = torch::zeros({3}, kFloat64);
    step[axis] = 0.5;
    memory.Add(step, hessian * step);
  }
  const torch::Tensor gradient = torch::tensor({1.0, -2.0, 3.0}, kFloat64);
  EXPECT_TRUE(torch::allclose(memory.Direction(gradient), -gradient / hessian, 1e-12, 1e-12));
}

TEST(LbfgsMemoryTest, FirstDirectionIsTheGradientsAndNoLongerThanOne) {
  const LbfgsMemory memory;
  const torch::Tensor steep = torch::tensor({3.0, 4.0}, kFloat64);
  EXPECT_TRUE(torch::allclose(memory.Direction(steep), -steep / 5));
  EXPECT_TRUE(torch::allclose(memory.Direction(steep / 10), -steep / 10));
}

TEST(LbfgsMemoryTest, PairWithoutCurvatureIsLeftOut) {
  LbfgsMemory memory;
  const torch::Tensor step = torch::tensor({1.0, 0.0}, kFloat64);
  memory.Add(step, -step);
  memory.Add(step, torch::zeros({2}, kFloat64));
  EXPECT_TRUE(memory.empty());
}

}  // namespace
}  // namespace graft::train
