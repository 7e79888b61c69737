// An engine without a network: features are mean colours. Fast, deterministic, and it counts.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "core/engine/engine.h"

namespace graft::testing {

// Feature j of an image is the mean of its colour channel j % 3, in 0 .. 1, times 1 + j / dimension: pictures of
// different colours are separable, and no two images of different bytes share all features. Thread-safe.
class FakeEngine : public engine::Engine {
 public:
  enum class Arithmetic {
    kExact,
    kRounded,  // to bf16: hardly matters
    kMixedUp,  // for about one image in three the colour channels change places: costs accuracy
  };

  explicit FakeEngine(network::BackboneFacts facts, int preferred_batch = 1, Arithmetic arithmetic = Arithmetic::kExact)
      : facts_(std::move(facts)),
        preferred_batch_(preferred_batch),
        arithmetic_(arithmetic),
        id_(IdOf(arithmetic == Arithmetic::kExact ? engine::Precision::kF32 : engine::Precision::kBf16)) {}

  static std::string IdOf(engine::Precision precision) {
    return precision == engine::Precision::kF32 ? "fake-1/cpu/f32" : "fake-1/cpu/bf16";
  }

  absl::Status Run(absl::Span<const uint8_t> images, int count, absl::Span<float> features, engine::Cores) override {
    ++runs_;
    images_ += count;
    largest_batch_ = std::max(largest_batch_.load(), count);
    if (fail_ != absl::StatusCode::kOk) return absl::Status(fail_, "fake engine was told to fail");
    const size_t image_bytes = static_cast<size_t>(facts_.input_size) * facts_.input_size * 3;
    for (int i = 0; i < count; ++i) {
      RunOne(images.subspan(i * image_bytes, image_bytes),
             features.subspan(static_cast<size_t>(i) * facts_.feature_dimension, facts_.feature_dimension));
    }
    return absl::OkStatus();
  }
  const network::BackboneFacts& facts() const override { return facts_; }
  int preferred_batch() const override { return preferred_batch_; }
  const std::string& id() const override { return id_; }
  int64_t bytes() const override { return facts_.parameters * static_cast<int64_t>(sizeof(float)); }

  int images() const { return images_; }  // since it was made
  int runs() const { return runs_; }
  int largest_batch() const { return largest_batch_; }
  void FailFromNowOn(absl::StatusCode code = absl::StatusCode::kInternal) { fail_ = code; }

 private:
  void RunOne(absl::Span<const uint8_t> image, absl::Span<float> features) const {
    double sums[3] = {0, 0, 0};
    for (size_t i = 0; i < image.size(); ++i) sums[i % 3] += image[i];
    const double pixels = static_cast<double>(image.size()) / 3;
    const bool mixed_up =
        arithmetic_ == Arithmetic::kMixedUp && static_cast<int64_t>(sums[0] + sums[1] + sums[2]) % 3 == 0;
    for (size_t j = 0; j < features.size(); ++j) {
      const double scale = 1 + static_cast<double>(j) / static_cast<double>(features.size());
      const double mean = sums[(j + (mixed_up ? 1 : 0)) % 3] / pixels / 255;
      features[j] = static_cast<float>(mean * scale);
      if (arithmetic_ != Arithmetic::kExact) features[j] = Bf16(features[j]);
    }
  }

  static float Bf16(float value) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    bits &= 0xffff0000u;
    std::memcpy(&value, &bits, sizeof(bits));
    return value;
  }

  const network::BackboneFacts facts_;
  const int preferred_batch_;
  const Arithmetic arithmetic_;
  const std::string id_;
  std::atomic<int> images_ = 0, runs_ = 0, largest_batch_ = 0;
  std::atomic<absl::StatusCode> fail_ = absl::StatusCode::kOk;
};

}  // namespace graft::testing
