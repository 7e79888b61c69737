#include "tests/integration/picture_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>

#include "absl/strings/str_format.h"

namespace graft::testing {

void MakePictureFolder(const std::string& folder, int per_class) {
  const std::string names[] = {"blue", "green", "red"};  // OpenCV's channel order
  for (int label = 0; label < 3; ++label) {
    std::filesystem::create_directories(folder + "/" + names[label]);
    for (int i = 0; i < per_class; ++i) {
      cv::RNG generator(static_cast<uint64_t>(label * 10007 + i + 1));
      cv::Mat picture(generator.uniform(64, 129), generator.uniform(64, 129), CV_8UC3);
      cv::Scalar mean(60, 60, 60);
      mean[label] = 190;
      generator.fill(picture, cv::RNG::NORMAL, mean, cv::Scalar(25, 25, 25));
      ASSERT_TRUE(cv::imwrite(absl::StrFormat("%s/%s/%03d.jpg", folder, names[label], i), picture));
    }
  }
}

}  // namespace graft::testing
