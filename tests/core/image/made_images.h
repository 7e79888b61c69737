// Small pictures made in the test, and comparisons between pictures.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "core/base/file.h"
#include "core/image/decode.h"

namespace graft::image::testing {

inline constexpr char kExtensions[][6] = {".jpg", ".png", ".webp", ".bmp"};

// Smooth colours, different in every corner, so that JPEG keeps them and a wrong turn shows.
inline Image Gradient(int height, int width) {
  Image image{.height = height, .width = width, .pixels = {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.pixels.push_back(static_cast<uint8_t>(255 * x / width));
      image.pixels.push_back(static_cast<uint8_t>(255 * y / height));
      image.pixels.push_back(static_cast<uint8_t>(x < width / 2 && y < height / 2 ? 200 : 40));
    }
  }
  return image;
}

// Soft coloured blobs with some fine texture; every seed is another picture.
inline Image Scene(int seed, int height = 120, int width = 160) {
  cv::RNG random(static_cast<uint64_t>(seed) * 7919 + 1);
  cv::Mat blobs(7, 9, CV_8UC3), grain(height, width, CV_8UC3), scene;
  random.fill(blobs, cv::RNG::UNIFORM, 0, 256);
  random.fill(grain, cv::RNG::NORMAL, 0, 6);
  cv::resize(blobs, scene, cv::Size(width, height), 0, 0, cv::INTER_CUBIC);
  scene += grain;
  return {.height = height, .width = width, .pixels = std::vector<uint8_t>(scene.data, scene.data + scene.total() * 3)};
}

inline cv::Mat ToMat(const Image& image) {
  return cv::Mat(image.height, image.width, CV_8UC3, const_cast<uint8_t*>(image.pixels.data())).clone();
}

inline Image FromMat(const cv::Mat& rgb) {
  const cv::Mat whole = rgb.clone();
  return {.height = rgb.rows,
          .width = rgb.cols,
          .pixels = std::vector<uint8_t>(whole.data, whole.data + whole.total() * 3)};
}

inline std::string Encode(const Image& image, const std::string& extension, const std::vector<int>& options = {}) {
  cv::Mat bgr(image.height, image.width, CV_8UC3);
  for (size_t i = 0; i < image.pixels.size(); ++i) bgr.data[i] = image.pixels[i / 3 * 3 + 2 - i % 3];
  std::vector<uint8_t> bytes;
  cv::imencode(extension, bgr, bytes, options);
  return std::string(bytes.begin(), bytes.end());
}

// The JPEG with an EXIF block that says `orientation`.
inline std::string WithOrientation(const std::string& jpeg, int orientation) {
  std::string exif(
      "\xff\xe1\x00\x22"
      "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0",
      36);
  exif[29] = static_cast<char>(orientation);
  return jpeg.substr(0, 2) + exif + jpeg.substr(2);
}

inline double MeanDifference(const Image& a, const Image& b) {
  if (a.height != b.height || a.width != b.width) return 1e9;
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(int{a.pixels[i]} - int{b.pixels[i]});
  return sum / static_cast<double>(a.pixels.size());
}

inline std::string Contents(const std::string& path) {
  return *ReadFile(path, 64 << 20);
}

}  // namespace graft::image::testing
