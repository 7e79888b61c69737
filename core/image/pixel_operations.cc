#include "core/image/pixel_operations.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace graft::image {
namespace {

constexpr size_t kChannels = 3;
using Table = std::array<uint8_t, 256>;
using Histogram = std::array<int, 256>;

cv::Mat MatOf(const Pixels& pixels) {
  return cv::Mat(pixels.height, pixels.width, CV_8UC3, pixels.data);
}

size_t CountOf(const Pixels& pixels) {
  return static_cast<size_t>(pixels.height) * static_cast<size_t>(pixels.width);
}

template <typename Value>
Table TableOf(Value value) {
  Table table;
  for (int i = 0; i < 256; ++i) table[static_cast<size_t>(i)] = cv::saturate_cast<uint8_t>(value(i));
  return table;
}

void Apply(const Table& table, const Pixels& pixels) {
  const size_t count = CountOf(pixels) * kChannels;
  for (size_t i = 0; i < count; ++i) pixels.data[i] = table[pixels.data[i]];
}

void ApplyToChannel(const Table& table, size_t channel, const Pixels& pixels) {
  const size_t count = CountOf(pixels) * kChannels;
  for (size_t i = channel; i < count; i += kChannels) pixels.data[i] = table[pixels.data[i]];
}

Histogram HistogramOf(const Pixels& pixels, size_t channel) {
  Histogram histogram{};
  const size_t count = CountOf(pixels) * kChannels;
  for (size_t i = channel; i < count; i += kChannels) ++histogram[pixels.data[i]];
  return histogram;
}

Table FullRange(const Histogram& histogram) {
  const auto is_there = [](int count) { return count > 0; };
  const auto least = std::find_if(histogram.begin(), histogram.end(), is_there) - histogram.begin();
  const auto greatest = histogram.rend() - std::find_if(histogram.rbegin(), histogram.rend(), is_there) - 1;
  if (least >= greatest) return TableOf([](int value) { return value; });
  return TableOf([&](int value) { return static_cast<int>((value - least) * 255 / (greatest - least)); });
}

// Source: PIL.ImageOps.equalize.
Table Equalized(const Histogram& histogram) {
  int total = 0, last = 0;
  for (const int count : histogram) {
    total += count;
    if (count > 0) last = count;
  }
  const int step = (total - last) / 255;
  if (step == 0) return TableOf([](int value) { return value; });
  int below = step / 2;
  return TableOf([&](int value) {
    const int level = below / step;
    below += histogram[static_cast<size_t>(value)];
    return level;
  });
}

}  // namespace

void ScaleBrightness(const Pixels& pixels, double factor) {
  Apply(TableOf([&](int value) { return value * factor; }), pixels);
}

void ScaleContrast(const Pixels& pixels, double factor) {
  cv::Mat grey;
  cv::cvtColor(MatOf(pixels), grey, cv::COLOR_RGB2GRAY);
  const double mean = std::floor(cv::mean(grey)[0] + 0.5);
  Apply(TableOf([&](int value) { return mean + (value - mean) * factor; }), pixels);
}

void ScaleSaturation(const Pixels& pixels, double factor) {
  cv::Matx33f blend;
  constexpr std::array<double, kChannels> kGrey = {0.299, 0.587, 0.114};
  for (int to = 0; to < 3; ++to) {
    for (int from = 0; from < 3; ++from) {
      const double own = to == from ? factor : 0;
      blend(to, from) = static_cast<float>(own + (1 - factor) * kGrey[static_cast<size_t>(from)]);
    }
  }
  cv::Mat picture = MatOf(pixels);
  cv::transform(picture, picture, blend);
}

void ScaleSharpness(const Pixels& pixels, double factor) {
  if (pixels.height < 3 || pixels.width < 3) return;
  const cv::Matx33f kernel = cv::Matx33f(1, 1, 1, 1, 5, 1, 1, 1, 1) * (1.0f / 13);
  cv::Mat smooth;
  cv::filter2D(MatOf(pixels), smooth, -1, kernel);
  const cv::Rect inner(1, 1, pixels.width - 2, pixels.height - 2);
  cv::Mat picture = MatOf(pixels)(inner);
  cv::addWeighted(picture, factor, smooth(inner), 1 - factor, 0, picture);
}

void TurnHue(const Pixels& pixels, double share) {
  if (std::lround(share * 256) == 0) return;  // HSV in 8 bits costs a few levels
  cv::Mat picture = MatOf(pixels), hsv;
  cv::cvtColor(picture, hsv, cv::COLOR_RGB2HSV_FULL);  // the whole circle is 256
  const auto shift = static_cast<uint8_t>(static_cast<int>(std::lround(share * 256)));
  const size_t count = CountOf(pixels) * kChannels;
  for (size_t i = 0; i < count; i += kChannels) hsv.data[i] = static_cast<uint8_t>(hsv.data[i] + shift);
  cv::cvtColor(hsv, picture, cv::COLOR_HSV2RGB_FULL);
}

void KeepHighBits(const Pixels& pixels, int bits) {
  const int mask = 0xff & ~((1 << (8 - bits)) - 1);
  Apply(TableOf([&](int value) { return value & mask; }), pixels);
}

void InvertFrom(const Pixels& pixels, int threshold) {
  Apply(TableOf([&](int value) { return value < threshold ? value : 255 - value; }), pixels);
}

void StretchContrast(const Pixels& pixels) {
  for (size_t channel = 0; channel < kChannels; ++channel) {
    ApplyToChannel(FullRange(HistogramOf(pixels, channel)), channel, pixels);
  }
}

void EqualizeHistogram(const Pixels& pixels) {
  for (size_t channel = 0; channel < kChannels; ++channel) {
    ApplyToChannel(Equalized(HistogramOf(pixels, channel)), channel, pixels);
  }
}

void Mirror(const Pixels& pixels) {
  cv::Mat picture = MatOf(pixels);
  cv::flip(picture, picture, /*flipCode=*/1);
}

void Warp(const Pixels& pixels, const Affine& source) {
  const cv::Matx23d map(source.xx, source.xy, source.x0, source.yx, source.yy, source.y0);
  cv::Mat picture = MatOf(pixels);
  const cv::Mat before = picture.clone();
  cv::warpAffine(before, picture, map, before.size(), cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_REFLECT_101);
}

// With y downwards, the source of a picture turned counter-clockwise lies clockwise.
Affine TurnAndZoom(const Pixels& pixels, double degrees, double zoom) {
  const double angle = degrees * std::numbers::pi / 180;
  const double cosine = std::cos(angle) / zoom, sine = std::sin(angle) / zoom;
  const double x = (pixels.width - 1) / 2.0, y = (pixels.height - 1) / 2.0;
  return {.xx = cosine,
          .xy = -sine,
          .x0 = x - cosine * x + sine * y,
          .yx = sine,
          .yy = cosine,
          .y0 = y - sine * x - cosine * y};
}

}  // namespace graft::image
