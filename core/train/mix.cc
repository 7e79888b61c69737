#include "core/train/mix.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/train/random_stream.h"

namespace graft::train {
namespace {

// Tells these numbers from those of EpochOrder, which have two keys only.
constexpr uint64_t kMixing = 1;

torch::Tensor IndexOf(const Mix& mix, torch::Device device) {
  return torch::tensor(mix.partners).to(device);
}

torch::Tensor MixRows(const Mix& mix, const torch::Tensor& rows) {
  return torch::lerp(rows.index_select(0, IndexOf(mix, rows.device())), rows, mix.kept);
}

// A rectangle of the image's aspect and (1 - kept) of its area around a uniform centre; what lies outside is lost, and
// `kept` counts it. Source: Yun et al. 2019, section 3.1 and its code.
void DrawRectangle(RandomStream& stream, int size, Mix& mix) {
  const int side = static_cast<int>(size * std::sqrt(1 - mix.kept));
  const auto draw_side = [&](int& from, int& length) {
    const int center = static_cast<int>(stream.Below(static_cast<uint64_t>(size)));
    from = std::max(0, center - side / 2);
    length = std::min(size, center - side / 2 + side) - from;
  };
  draw_side(mix.top, mix.height);
  draw_side(mix.left, mix.width);
  mix.kept = 1 - static_cast<double>(mix.height) * mix.width / (static_cast<double>(size) * size);
}

}  // namespace

Mix DrawMix(const MixOptions& options, uint32_t seed, int epoch, int64_t step, int pass, int images, int size) {
  RandomStream stream(
      {seed, kMixing, static_cast<uint64_t>(epoch), static_cast<uint64_t>(step), static_cast<uint64_t>(pass)});
  Mix mix;
  mix.partners.resize(static_cast<size_t>(images));
  std::iota(mix.partners.begin(), mix.partners.end(), 0);
  for (size_t last = mix.partners.size(); last-- > 1;) {
    std::swap(mix.partners[last], mix.partners[stream.Below(last + 1)]);
  }
  mix.pastes = options.cutmix_alpha > 0 && (options.mixup_alpha <= 0 || stream.Below(2) == 1);
  const double alpha = mix.pastes ? options.cutmix_alpha : options.mixup_alpha;
  mix.kept = stream.Beta(alpha, alpha);
  if (mix.pastes) DrawRectangle(stream, size, mix);
  return mix;
}

torch::Tensor MixImages(const Mix& mix, const torch::Tensor& images) {
  if (!mix.pastes) return MixRows(mix, images).contiguous(images.suggest_memory_format());
  const auto rectangle = [&mix](const torch::Tensor& of) {
    return of.narrow(2, mix.top, mix.height).narrow(3, mix.left, mix.width);
  };
  torch::Tensor mixed = images.clone();
  rectangle(mixed).copy_(rectangle(images).index_select(0, IndexOf(mix, images.device())));
  return mixed;
}

Targets MixTargets(const Mix& mix, const Targets& targets) {
  return {.classes = MixRows(mix, targets.classes),
          .teacher = targets.teacher.defined() ? MixRows(mix, targets.teacher) : torch::Tensor()};
}

}  // namespace graft::train
