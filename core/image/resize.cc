#include "core/image/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <opencv2/core/hal/intrin.hpp>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"

namespace graft::image {
namespace {

constexpr size_t kRgb = 3;
constexpr size_t kLanes = 4;
constexpr size_t kStep = 2 * kLanes;  // output values at a time
constexpr float kSharpening = 0.15f;

// One output row or column: the source rows or columns that it is made of, first to last, and how much of each.
template <size_t kTaps>
struct Tap {
  std::array<size_t, kTaps> at;
  std::array<float, kTaps> weights;
};

// Between two neighbours.
void SetWeights(float second, std::array<float, 2>& weights) {
  weights = {1 - second, second};
}

// The same between neighbours that are sharpened by theirs.
void SetWeights(float second, std::array<float, 4>& weights) {
  constexpr float kSide = kSharpening, kMiddle = 1 + 2 * kSharpening;
  const float first = 1 - second;
  weights = {-kSide * first, kMiddle * first - kSide * second, kMiddle * second - kSide * first, -kSide * second};
}

// Where along one side the stretched part begins, and how long it is, in source rows or columns.
struct Extent {
  double start = 0, length = 0;
};

// The extent, of a grid of `count`, becomes `target` rows or columns. Half-pixel centres, edges repeated.
// Source: tf.image.resize's compute_interpolation_weights; positions in double, because float's rounding of a position
// near 1,000 is worth a hundredth of a grey level.
template <size_t kTaps>
std::vector<Tap<kTaps>> TapsOf(const Extent& extent, int count, int target) {
  std::vector<Tap<kTaps>> taps(static_cast<size_t>(target));
  const double scale = extent.length / target;
  for (int i = 0; i < target; ++i) {
    const double position = extent.start + (i + 0.5) * scale - 0.5;
    const double below = std::floor(position);
    Tap<kTaps>& tap = taps[static_cast<size_t>(i)];
    SetWeights(static_cast<float>(position - below), tap.weights);
    int at = static_cast<int>(below) + 1 - static_cast<int>(kTaps / 2);
    for (size_t& source : tap.at) source = static_cast<size_t>(std::clamp(at++, 0, count - 1));
  }
  return taps;
}

template <size_t kTaps>
using Vectors = std::array<cv::v_float32x4, kTaps>;

Vectors<2> Spread(const std::array<float, 2>& weights) {
  return {cv::v_setall_f32(weights[0]), cv::v_setall_f32(weights[1])};
}
Vectors<4> Spread(const std::array<float, 4>& weights) {
  return {cv::v_setall_f32(weights[0]), cv::v_setall_f32(weights[1]), cv::v_setall_f32(weights[2]),
          cv::v_setall_f32(weights[3])};
}

// load(i) is the i-th tap's value. Written out, because these loops are most of a resize and would stay loops.
template <typename Load>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline cv::v_float32x4 Mix(const Vectors<2>& weights, Load load) {
  const cv::v_float32x4 first = load(0);
  return first + (load(1) - first) * weights[1];
}
template <typename Load>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline cv::v_float32x4 Mix(const Vectors<4>& weights, Load load) {
  return (load(0) * weights[0] + load(1) * weights[1]) + (load(2) * weights[2] + load(3) * weights[3]);
}

// Reads one byte past the pixel. The copy is free, and OpenCV loads its four bytes as an aligned int.
cv::v_float32x4 PixelAt(const uint8_t* pixel) {
  alignas(int) uint8_t bytes[4];
  std::memcpy(bytes, pixel, sizeof(bytes));
  return cv::v_cvt_f32(cv::v_reinterpret_as_s32(cv::v_load_expand_q(bytes)));
}

// Source rows stretched to the target's width, each only once while they are asked for from top to bottom.
template <size_t kTaps>
class StretchedRows {
 public:
  StretchedRows(const Image& image, const Extent& extent, int width)
      : image_(image),
        row_bytes_(static_cast<size_t>(image.width) * kRgb),
        columns_(TapsOf<kTaps>(extent, image.width, width)),
        last_row_(image.pixels.end() - static_cast<std::ptrdiff_t>(row_bytes_), image.pixels.end()) {
    last_row_.push_back(0);
    for (Row& row : rows_) row.values.resize(columns_.size() * kRgb + kStep);
  }

  // [width * 3] and a step; valid until kTaps other rows were asked for.
  const float* Get(size_t source) {
    Row& row = rows_[source % kTaps];
    if (std::exchange(row.source, source) != source) Stretch(source, row.values.data());
    return row.values.data();
  }

 private:
  struct Row {
    size_t source = std::numeric_limits<size_t>::max();
    std::vector<float> values;
  };

  void Stretch(size_t source, float* target) const {
    const bool last = source + 1 == static_cast<size_t>(image_.height);
    const uint8_t* pixels = last ? last_row_.data() : image_.pixels.data() + source * row_bytes_;
    for (const Tap<kTaps>& column : columns_) {
      const auto load = [&](size_t i) { return PixelAt(pixels + column.at[i] * kRgb); };
      cv::v_store(target, Mix(Spread(column.weights), load));  // the fourth lane is the next pixel's to overwrite
      target += kRgb;
    }
  }

  const Image& image_;
  const size_t row_bytes_;
  const std::vector<Tap<kTaps>> columns_;
  std::vector<uint8_t> last_row_;  // with a byte after it, which the picture's own last row lacks
  std::array<Row, kTaps> rows_;
};

// Half up.
template <size_t kTaps>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline cv::v_int32x4 Rounded(const std::array<const float*, kTaps>& rows,
                                                          const Vectors<kTaps>& weights, size_t at) {
  const cv::v_float32x4 mixed = Mix(weights, [&](size_t i) { return cv::v_load(rows[i] + at); });
  return cv::v_trunc(mixed + cv::v_setall_f32(0.5f));
}

// Cut to 0..255. Writes whole steps.
template <size_t kTaps>
void MixRows(const std::array<const float*, kTaps>& rows, const Vectors<kTaps>& weights, size_t count,
             uint8_t* target) {
  for (size_t at = 0; at < count; at += kStep) {
    cv::v_pack_u_store(target + at,
                       cv::v_pack(Rounded<kTaps>(rows, weights, at), Rounded<kTaps>(rows, weights, at + kLanes)));
  }
}

template <size_t kTaps>
void Resize(const Image& image, const Extent& rows_of, const Extent& columns_of, int height, int width,
            absl::Span<uint8_t> out) {
  StretchedRows<kTaps> stretched(image, columns_of, width);
  const size_t row_bytes = static_cast<size_t>(width) * kRgb;
  std::vector<uint8_t> mixed(row_bytes + kStep);
  uint8_t* target = out.data();
  for (const Tap<kTaps>& tap : TapsOf<kTaps>(rows_of, image.height, height)) {
    std::array<const float*, kTaps> rows;
    for (size_t i = 0; i < kTaps; ++i) rows[i] = stretched.Get(tap.at[i]);
    MixRows<kTaps>(rows, Spread(tap.weights), row_bytes, mixed.data());
    std::memcpy(target, mixed.data(), row_bytes);
    target += row_bytes;
  }
}

}  // namespace

void ResizeBilinear(const Image& image, int height, int width, absl::Span<uint8_t> out) {
  ResizeRegion(image, {}, height, width, out);
}

void ResizeRegion(const Image& image, const Region& region, int height, int width, absl::Span<uint8_t> out) {
  const Extent rows{.start = region.top * image.height, .length = region.height * image.height};
  const Extent columns{.start = region.left * image.width, .length = region.width * image.width};
  Resize<2>(image, rows, columns, height, width, out);
}

void ResizeReduced(const ReducedImage& reduced, int height, int width, absl::Span<uint8_t> out) {
  Resize<4>(reduced.image, {.length = reduced.height}, {.length = reduced.width}, height, width, out);
}

}  // namespace graft::image
