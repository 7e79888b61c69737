#include "core/image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace graft::image {
namespace {

// One output row or column: which two source rows or columns it lies between, and how near the second.
struct Tap {
  size_t first;
  size_t second;
  float weight;  // of the second
};

// Half-pixel centres, edges repeated. Source: tf.image.resize's compute_interpolation_weights; positions in double,
// because float's rounding of a position near 1,000 is worth a hundredth of a grey level.
std::vector<Tap> TapsOf(int source, int target) {
  std::vector<Tap> taps(static_cast<size_t>(target));
  const double scale = static_cast<double>(source) / target;
  for (int i = 0; i < target; ++i) {
    const double position = (i + 0.5) * scale - 0.5;
    const double below = std::floor(position);
    const int first = std::clamp(static_cast<int>(below), 0, source - 1);
    const int second = std::clamp(static_cast<int>(below) + 1, 0, source - 1);
    taps[static_cast<size_t>(i)] = {static_cast<size_t>(first), static_cast<size_t>(second),
                                    static_cast<float>(position - below)};
  }
  return taps;
}

float Mix(float first, float second, float weight) {
  return first + (second - first) * weight;
}

}  // namespace

void ResizeBilinear(const Image& image, int height, int width, absl::Span<uint8_t> out) {
  const std::vector<Tap> rows = TapsOf(image.height, height);
  const std::vector<Tap> columns = TapsOf(image.width, width);
  const size_t row_bytes = static_cast<size_t>(image.width) * 3;
  uint8_t* target = out.data();
  for (const Tap& row : rows) {
    const uint8_t* top = image.pixels.data() + row.first * row_bytes;
    const uint8_t* bottom = image.pixels.data() + row.second * row_bytes;
    for (const Tap& column : columns) {
      const size_t left = column.first * 3;
      const size_t right = column.second * 3;
      for (size_t c = 0; c < 3; ++c) {
        const float above = Mix(top[left + c], top[right + c], column.weight);
        const float below = Mix(bottom[left + c], bottom[right + c], column.weight);
        // Half up; the values are in 0..255, and lround would cost a call per pixel.
        *target++ = static_cast<uint8_t>(Mix(above, below, row.weight) + 0.5f);  // NOLINT(bugprone-incorrect-roundings)
      }
    }
  }
}

}  // namespace graft::image
