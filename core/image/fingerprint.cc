#include "core/image/fingerprint.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/digest.h"
#include "core/base/status_from_throw.h"
#include "core/image/opencv_decoder.h"

namespace graft::image {
namespace {

constexpr int kReducedSide = 512;
constexpr int kCosineSide = 32;
constexpr size_t kHashBits = 64;
constexpr int kLumaFields = kThumbnailSide * kThumbnailSide;
constexpr int kChromaFields = kChromaSide * kChromaSide;
constexpr double kNoContrast = 1e-6;

struct Frequency {
  int vertical = 0;
  int horizontal = 0;
};

// By bit. The 64 lowest but the mean: those with a sum of 1 to 10, less (5, 5). Neighbours go to different quarters of
// the hash, so that each quarter alone says something.
std::array<Frequency, kHashBits> MakeFrequencies() {
  constexpr int kHighestSum = 10;
  std::array<Frequency, kHashBits> frequencies;
  size_t count = 0;
  for (int sum = 1; sum <= kHighestSum; ++sum) {
    for (int vertical = 0; vertical <= sum; ++vertical) {
      if (sum == kHighestSum && vertical * 2 == sum) continue;
      constexpr size_t kQuarters = 4;
      frequencies[count % kQuarters * (kHashBits / kQuarters) + count / kQuarters] = {vertical, sum - vertical};
      ++count;
    }
  }
  return frequencies;
}

const std::array<Frequency, kHashBits>& Frequencies() {
  static const std::array<Frequency, kHashBits> frequencies = MakeFrequencies();
  return frequencies;
}

// What a turn does to the hash: which bit comes to each place, and which change.
struct HashTurns {
  std::array<size_t, kHashBits> transposed;
  std::array<uint64_t, kTurns> flips;  // a mirror changes the signs of its direction's odd frequencies
};

HashTurns MakeHashTurns() {
  const auto& frequencies = Frequencies();
  HashTurns turns{};
  for (size_t bit = 0; bit < kHashBits; ++bit) {
    const auto is_transposed = [&](const Frequency& other) {
      return other.vertical == frequencies[bit].horizontal && other.horizontal == frequencies[bit].vertical;
    };
    turns.transposed[bit] =
        static_cast<size_t>(std::find_if(frequencies.begin(), frequencies.end(), is_transposed) - frequencies.begin());
    for (Turn turn = 0; turn < kTurns; ++turn) {
      const int mirrored = (turn & 1) * frequencies[bit].horizontal + (turn >> 1 & 1) * frequencies[bit].vertical;
      turns.flips[static_cast<size_t>(turn)] |= uint64_t{mirrored % 2 != 0} << bit;
    }
  }
  return turns;
}

// The field of a square of `side` that lands on row, column when it is turned.
int TurnedField(Turn turn, int side, int row, int column) {
  if ((turn & 1) != 0) column = side - 1 - column;
  if ((turn & 2) != 0) row = side - 1 - row;
  if ((turn & 4) != 0) std::swap(row, column);
  return row * side + column;
}

// Of all three planes, by turn and place.
using ThumbnailTurn = std::array<uint16_t, kThumbnailBytes>;

std::array<ThumbnailTurn, kTurns> MakeThumbnailTurns() {
  std::array<ThumbnailTurn, kTurns> turns{};
  for (Turn turn = 0; turn < kTurns; ++turn) {
    size_t at = 0;
    for (const auto& [offset, side] :
         {std::pair(0, kThumbnailSide), {kLumaFields, kChromaSide}, {kLumaFields + kChromaFields, kChromaSide}}) {
      for (int row = 0; row < side; ++row) {
        for (int column = 0; column < side; ++column) {
          turns[static_cast<size_t>(turn)][at++] = static_cast<uint16_t>(offset + TurnedField(turn, side, row, column));
        }
      }
    }
  }
  return turns;
}

std::string PixelDigest(const Image& image) {
  Sha256 sha;
  sha.Update(absl::StrCat(image.height, "x", image.width, "\n"));
  sha.Update({reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size()});
  return sha.HexDigest();
}

// By a whole number, which is the fast case; what does not fill a field at the right and bottom edge is left out.
cv::Mat Reduced(const cv::Mat& rgb) {
  const int by = (std::max(rgb.rows, rgb.cols) + kReducedSide - 1) / kReducedSide;
  if (by <= 1) return rgb;
  const cv::Size size(std::max(1, rgb.cols / by), std::max(1, rgb.rows / by));
  const cv::Mat whole = rgb(cv::Rect(0, 0, std::min(size.width * by, rgb.cols), std::min(size.height * by, rgb.rows)));
  cv::Mat reduced;
  cv::resize(whole, reduced, size, 0, 0, cv::INTER_AREA);
  return reduced;
}

uint64_t HashOf(const cv::Mat& luma) {
  cv::Mat small;
  cv::resize(luma, small, cv::Size(kCosineSide, kCosineSide), 0, 0, cv::INTER_AREA);
  small.convertTo(small, CV_32F);
  cv::Mat cosines;
  cv::dct(small, cosines);
  uint64_t hash = 0;
  for (size_t bit = 0; bit < kHashBits; ++bit) {
    const Frequency& frequency = Frequencies()[bit];
    hash |= uint64_t{cosines.at<float>(frequency.vertical, frequency.horizontal) > 0} << bit;
  }
  return hash;
}

Thumbnail ThumbnailOf(const cv::Mat& rgb) {
  cv::Mat fields;
  cv::resize(rgb, fields, cv::Size(kThumbnailSide, kThumbnailSide), 0, 0, cv::INTER_AREA);
  cv::cvtColor(fields, fields, cv::COLOR_RGB2YCrCb);
  cv::Mat coarse;
  cv::resize(fields, coarse, cv::Size(kChromaSide, kChromaSide), 0, 0, cv::INTER_AREA);
  Thumbnail thumbnail;
  uint8_t* out = thumbnail.data();
  for (int i = 0; i < kLumaFields; ++i) *out++ = fields.data[3 * i];
  for (int i = 0; i < kChromaFields; ++i) *out++ = coarse.data[3 * i + 2];
  for (int i = 0; i < kChromaFields; ++i) *out++ = coarse.data[3 * i + 1];
  return thumbnail;
}

double VarianceOfLaplacian(const cv::Mat& luma) {
  cv::Mat laplacian;
  cv::Laplacian(luma, laplacian, CV_16S);
  cv::Scalar mean, deviation;
  cv::meanStdDev(laplacian, mean, deviation);
  return deviation[0] * deviation[0];
}

}  // namespace

absl::StatusOr<Fingerprint> FingerprintOf(const Image& image) {
  QuietenOnce();
  return StatusFromThrow(absl::StatusCode::kInternal, "compute fingerprint", [&] {
    const cv::Mat rgb(image.height, image.width, CV_8UC3, const_cast<uint8_t*>(image.pixels.data()));
    const cv::Mat reduced = Reduced(rgb);
    cv::Mat luma;
    cv::cvtColor(reduced, luma, cv::COLOR_RGB2GRAY);
    return Fingerprint{.pixel_sha256 = PixelDigest(image),
                       .hash = HashOf(luma),
                       .thumbnail = ThumbnailOf(reduced),
                       .brightness = cv::mean(luma)[0],
                       .sharpness = VarianceOfLaplacian(luma)};
  });
}

uint64_t TurnedHash(uint64_t hash, Turn turn) {
  static const HashTurns turns = MakeHashTurns();
  uint64_t turned = hash;
  if ((turn & 4) != 0) {
    turned = 0;
    for (size_t bit = 0; bit < kHashBits; ++bit) turned |= (hash >> turns.transposed[bit] & 1) << bit;
  }
  return turned ^ turns.flips[static_cast<size_t>(turn)];
}

double Contrast(const Thumbnail& thumbnail) {
  double sum = 0, squares = 0;
  for (int i = 0; i < kLumaFields; ++i) {
    sum += thumbnail[static_cast<size_t>(i)];
    squares += double{1} * thumbnail[static_cast<size_t>(i)] * thumbnail[static_cast<size_t>(i)];
  }
  const double mean = sum / kLumaFields;
  return std::sqrt(std::max(0.0, squares / kLumaFields - mean * mean));
}

Likeness Compare(const Thumbnail& first, const Thumbnail& second, Turn turn) {
  static const std::array<ThumbnailTurn, kTurns> turns = MakeThumbnailTurns();
  const ThumbnailTurn& from = turns[static_cast<size_t>(turn)];
  int64_t sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < kLumaFields; ++i) {
    const int64_t a = first[i], b = second[from[i]];
    sum_a += a, sum_b += b, aa += a * a, bb += b * b, ab += a * b;
  }
  int64_t chroma = 0;
  for (size_t i = kLumaFields; i < kThumbnailBytes; ++i) chroma += std::abs(int{first[i]} - int{second[from[i]]});
  const double n = kLumaFields;
  const double spread_a = std::sqrt(std::max(0.0, static_cast<double>(aa) * n - static_cast<double>(sum_a * sum_a)));
  const double spread_b = std::sqrt(std::max(0.0, static_cast<double>(bb) * n - static_cast<double>(sum_b * sum_b)));
  const double product = static_cast<double>(ab) * n - static_cast<double>(sum_a * sum_b);
  return {.correlation = spread_a * spread_b < kNoContrast ? 0 : product / (spread_a * spread_b),
          .chroma_difference = static_cast<double>(chroma) / (2 * kChromaFields)};
}

}  // namespace graft::image
