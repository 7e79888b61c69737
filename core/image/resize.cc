#include "core/image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <opencv2/core/hal/intrin.hpp>
#include <utility>
#include <vector>

namespace graft::image {
namespace {

constexpr size_t kChannels = 3;

// One output row or column: which two source rows or columns it lies between, and how near the second.
struct Tap {
  size_t first;  // offset in the source, in units of the caller
  size_t second;
  float weight;  // of the second
};

// Half-pixel centres, edges repeated. Source: tf.image.resize's compute_interpolation_weights; positions in double,
// because float's rounding of a position near 1,000 is worth a hundredth of a grey level.
std::vector<Tap> TapsOf(int source, int target, size_t unit) {
  std::vector<Tap> taps(static_cast<size_t>(target));
  const double scale = static_cast<double>(source) / target;
  for (int i = 0; i < target; ++i) {
    const double position = (i + 0.5) * scale - 0.5;
    const double below = std::floor(position);
    const int first = std::clamp(static_cast<int>(below), 0, source - 1);
    const int second = std::clamp(static_cast<int>(below) + 1, 0, source - 1);
    taps[static_cast<size_t>(i)] = {static_cast<size_t>(first) * unit, static_cast<size_t>(second) * unit,
                                    static_cast<float>(position - below)};
  }
  return taps;
}

cv::v_float32x4 Mix(const cv::v_float32x4& first, const cv::v_float32x4& second, const cv::v_float32x4& weight) {
  return first + (second - first) * weight;
}

// Reads one byte past the pixel. The copy is free, and OpenCV loads its four bytes as an aligned int.
cv::v_float32x4 PixelAt(const uint8_t* pixel) {
  alignas(int) uint8_t bytes[4];
  std::memcpy(bytes, pixel, sizeof(bytes));
  return cv::v_cvt_f32(cv::v_reinterpret_as_s32(cv::v_load_expand_q(bytes)));
}

// Source rows stretched to the target's width, each only once while rows are asked for from top to bottom.
class StretchedRows {
 public:
  StretchedRows(const Image& image, int width)
      : image_(image),
        row_bytes_(static_cast<size_t>(image.width) * kChannels),
        columns_(TapsOf(image.width, width, kChannels)),
        last_row_(image.pixels.end() - static_cast<std::ptrdiff_t>(row_bytes_), image.pixels.end()) {
    last_row_.push_back(0);
    for (Row& row : rows_) row.values.resize(columns_.size() * kChannels + 1);
  }

  // [width * 3]; both stay valid until the next call.
  std::pair<const float*, const float*> Get(size_t first, size_t second) {
    if (rows_[1].source == first) std::swap(rows_[0], rows_[1]);
    return {Stretch(first, rows_[0]), Stretch(second, rows_[1])};
  }

 private:
  struct Row {
    size_t source = std::numeric_limits<size_t>::max();
    std::vector<float> values;  // and room for the fourth lane of the last pixel
  };

  const float* Stretch(size_t source, Row& row) const {
    if (std::exchange(row.source, source) == source) return row.values.data();
    const bool last = source + 1 == static_cast<size_t>(image_.height);
    const uint8_t* pixels = last ? last_row_.data() : image_.pixels.data() + source * row_bytes_;
    float* target = row.values.data();
    for (const Tap& column : columns_) {
      const cv::v_float32x4 mixed =
          Mix(PixelAt(pixels + column.first), PixelAt(pixels + column.second), cv::v_setall_f32(column.weight));
      cv::v_store(target, mixed);  // the fourth lane is the next pixel's to overwrite
      target += kChannels;
    }
    return row.values.data();
  }

  const Image& image_;
  const size_t row_bytes_;
  const std::vector<Tap> columns_;
  std::vector<uint8_t> last_row_;  // with a byte after it, which the picture's own last row lacks
  Row rows_[2];
};

// Half up: the values are in 0..255.
cv::v_int32x4 Rounded(const float* first, const float* second, const cv::v_float32x4& weight) {
  return cv::v_trunc(Mix(cv::v_load(first), cv::v_load(second), weight) + cv::v_setall_f32(0.5f));
}

void MixRows(const float* first, const float* second, float weight, size_t count, uint8_t* target) {
  const cv::v_float32x4 weights = cv::v_setall_f32(weight);
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    cv::v_pack_u_store(target + i, cv::v_pack(Rounded(first + i, second + i, weights),
                                              Rounded(first + i + 4, second + i + 4, weights)));
  }
  for (; i < count; ++i) {
    target[i] = static_cast<uint8_t>(first[i] + (second[i] - first[i]) * weight +
                                     0.5f);  // NOLINT(bugprone-incorrect-roundings)
  }
}

}  // namespace

void ResizeBilinear(const Image& image, int height, int width, absl::Span<uint8_t> out) {
  StretchedRows rows(image, width);
  const size_t row_values = static_cast<size_t>(width) * kChannels;
  uint8_t* target = out.data();
  for (const Tap& tap : TapsOf(image.height, height, 1)) {
    const auto [first, second] = rows.Get(tap.first, tap.second);
    MixRows(first, second, tap.weight, row_values, target);
    target += row_values;
  }
}

}  // namespace graft::image
