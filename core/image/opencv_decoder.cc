#include "core/image/opencv_decoder.h"

#include <cstddef>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>

#include "core/base/status_from_throw.h"

namespace graft::image {
namespace {

Image RgbFromBgr(const cv::Mat& bgr) {
  Image image{.height = bgr.rows, .width = bgr.cols, .pixels = std::vector<uint8_t>(bgr.total() * 3)};
  uint8_t* target = image.pixels.data();
  for (int y = 0; y < bgr.rows; ++y) {
    const uint8_t* source = bgr.ptr<uint8_t>(y);
    for (int x = 0; x < bgr.cols; ++x, source += 3, target += 3) {
      target[0] = source[2];
      target[1] = source[1];
      target[2] = source[0];
    }
  }
  return image;
}

}  // namespace

void QuietenOnce() {
  static const bool done = [] {
    cv::setNumThreads(1);
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    return true;
  }();
  static_cast<void>(done);
}

absl::StatusOr<Image> DecodeWithOpenCv(absl::string_view bytes, const Size& size) {
  QuietenOnce();
  const absl::StatusOr<cv::Mat> bgr = StatusFromThrow(absl::StatusCode::kInvalidArgument, "decode image", [&] {
    const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
    return cv::imdecode(encoded, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  });
  // OpenCV's own text names its source files; the one useful case, out of memory, keeps its code.
  if (bgr.status().code() == absl::StatusCode::kResourceExhausted) return bgr.status();
  if (!bgr.ok() || bgr->empty() || bgr->type() != CV_8UC3) return BadImage("damaged picture data");
  if (bgr->rows != size.height || bgr->cols != size.width) return BadImage("header and picture differ in size");
  return RgbFromBgr(*bgr);
}

}  // namespace graft::image
