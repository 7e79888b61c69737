#include "core/train/lbfgs.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace graft::train {
namespace {

constexpr size_t kPairs = 20;

}  // namespace

double Dot(const torch::Tensor& a, const torch::Tensor& b) {
  return a.flatten().dot(b.flatten()).item<double>();
}

void LbfgsMemory::Add(const torch::Tensor& step, const torch::Tensor& change) {
  const double curvature = Dot(change, step);
  if (!(curvature > 0)) return;
  if (pairs_.size() == kPairs) pairs_.pop_front();
  pairs_.push_back({step, change, curvature});
}

// The two loops of algorithm 7.4: newest to oldest, scaling, oldest to newest.
torch::Tensor LbfgsMemory::Direction(const torch::Tensor& gradient) const {
  torch::Tensor direction = gradient.neg();
  if (pairs_.empty()) return direction.div_(std::max(1.0, std::sqrt(Dot(gradient, gradient))));
  std::vector<double> shares(pairs_.size());
  for (size_t i = pairs_.size(); i-- > 0;) {
    shares[i] = Dot(pairs_[i].step, direction) / pairs_[i].curvature;
    direction.sub_(pairs_[i].change, shares[i]);
  }
  const Pair& newest = pairs_.back();
  direction.mul_(newest.curvature / Dot(newest.change, newest.change));
  for (size_t i = 0; i < pairs_.size(); ++i) {
    const double share = Dot(pairs_[i].change, direction) / pairs_[i].curvature;
    direction.add_(pairs_[i].step, shares[i] - share);
  }
  return direction;
}

}  // namespace graft::train
