// What a photo costs until it is a network's input, over its size, beside others' ways of doing the same in the same
// run. Photos of GRAFT_ASSETS/datasets, enlarged, JPEG quality 90; one thread; CPU time.
//
//   libjpeg_scaled  libjpeg-turbo's scaled decode alone, without the resize: the floor
//   graft_scaled    network::ToInput as new versions use it
//   opencv_reduced  cv::imdecode(IMREAD_REDUCED_COLOR_x) with the same reduction, cv::resize
//   graft_full      network::ToInput, exact
//   opencv_full     cv::imdecode, cv::resize
//
// Takes Google Benchmark's flags; by default five interleaved repetitions, whose medians make the table at the end.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

// jpeglib.h needs <cstdio> before it.
#include <jpeglib.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/network/preprocess.h"

namespace graft {
namespace {

constexpr int kTarget = 224;

struct PhotoSize {
  int width, height;
  std::string name() const { return absl::StrCat(width, "x", height); }
  double megapixels() const { return width * height / 1e6; }
  // What image::DecodeStretched takes.
  int reduction() const {
    for (const int by : {8, 4, 2}) {
      if (std::min(width, height) * 2 >= kTarget * by * (by > 2 ? 3 : 2)) return by;
    }
    return 1;
  }
};
constexpr PhotoSize kSizes[] = {{256, 192},   {320, 240},   {640, 480},   {1024, 768}, {1280, 960},
                                {1920, 1080}, {2560, 1920}, {3264, 2448}, {4000, 3000}};

// Encoded photos of one size, taken in turns.
using Photos = std::vector<std::string>;

std::vector<cv::Mat> Originals(const std::string& datasets) {
  std::vector<cv::Mat> originals;
  for (const char* folder : {"animals5/dog", "animals5/panda", "monkeys5/mantled_howler", "trashnet5/glass"}) {
    std::vector<std::string> files;
    for (const auto& file : std::filesystem::directory_iterator(absl::StrCat(datasets, "/", folder))) {
      files.push_back(file.path());
    }
    originals.push_back(cv::imread(*std::min_element(files.begin(), files.end())));
  }
  return originals;
}

Photos Enlarge(const std::vector<cv::Mat>& originals, const PhotoSize& size) {
  Photos photos;
  for (const cv::Mat& original : originals) {
    cv::Mat enlarged;
    cv::resize(original, enlarged, {size.width, size.height}, 0, 0, cv::INTER_CUBIC);
    std::vector<uchar> jpeg;
    cv::imencode(".jpg", enlarged, jpeg, {cv::IMWRITE_JPEG_QUALITY, 90});
    photos.emplace_back(jpeg.begin(), jpeg.end());
  }
  return photos;
}

// The shortest program that libjpeg's manual gives, on pictures known to be good.
void LibjpegScaled(const std::string& bytes, int reduction, std::vector<uint8_t>& pixels) {
  jpeg_decompress_struct jpeg = {};
  jpeg_error_mgr errors = {};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&jpeg, TRUE);
  jpeg.scale_num = 1;
  jpeg.scale_denom = static_cast<unsigned>(reduction);
  jpeg_start_decompress(&jpeg);
  pixels.resize(size_t{jpeg.output_width} * jpeg.output_height * 3);
  while (jpeg.output_scanline < jpeg.output_height) {
    uint8_t* row = pixels.data() + size_t{jpeg.output_scanline} * jpeg.output_width * 3;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
}

void OpenCv(const std::string& bytes, int flags) {
  const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
  cv::Mat input;
  cv::resize(cv::imdecode(encoded, flags), input, {kTarget, kTarget});
  benchmark::DoNotOptimize(input.data);
}

int ReducedFlag(int reduction) {
  switch (reduction) {
    case 8:
      return cv::IMREAD_REDUCED_COLOR_8;
    case 4:
      return cv::IMREAD_REDUCED_COLOR_4;
    case 2:
      return cv::IMREAD_REDUCED_COLOR_2;
    default:
      return cv::IMREAD_COLOR;
  }
}

void Graft(const std::string& bytes, const std::string& decode) {
  const auto input = network::ToInput(bytes, {.height = kTarget, .width = kTarget, .decode = decode}, {});
  if (!input.ok()) {
    std::cerr << input.status() << "\n";
    std::exit(1);
  }
  benchmark::DoNotOptimize(input->data());
}

template <typename Decode>
void Register(const char* way, const PhotoSize& size, const Photos& photos, Decode decode) {
  benchmark::RegisterBenchmark(absl::StrCat(way, "/", size.name()).c_str(), [&photos,
                                                                             decode](benchmark::State& state) mutable {
    size_t next = 0;
    for (auto _ : state) decode(photos[next++ % photos.size()]);
  })->Unit(benchmark::kMillisecond);
}

void RegisterAll(const PhotoSize& size, const Photos& photos) {
  const int reduction = size.reduction();
  Register("libjpeg_scaled", size, photos,
           [reduction, pixels = std::vector<uint8_t>()](const std::string& bytes) mutable {
             LibjpegScaled(bytes, reduction, pixels);
           });
  Register("graft_scaled", size, photos, [](const std::string& bytes) { Graft(bytes, "scaled"); });
  Register("opencv_reduced", size, photos,
           [reduction](const std::string& bytes) { OpenCv(bytes, ReducedFlag(reduction)); });
  Register("graft_full", size, photos, [](const std::string& bytes) { Graft(bytes, "full"); });
  Register("opencv_full", size, photos, [](const std::string& bytes) { OpenCv(bytes, cv::IMREAD_COLOR); });
}

// The usual lines, and at the end the curve: milliseconds over megapixels, one column for each way.
class CurveReporter : public benchmark::ConsoleReporter {
 public:
  explicit CurveReporter(const std::map<std::string, Photos>& photos) : photos_(photos) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.aggregate_name == "median") medians_[run.run_name.function_name] = run.GetAdjustedCPUTime();
    }
  }

  void Finalize() override {
    constexpr const char* kWays[] = {"libjpeg_scaled", "graft_scaled", "opencv_reduced", "graft_full", "opencv_full"};
    std::cout << absl::StrFormat("\nmilliseconds\n%-10s %6s %6s %4s", "size", "MP", "kB", "by");
    for (const char* way : kWays) std::cout << absl::StrFormat(" %14s", way);
    std::cout << "\n";
    for (const PhotoSize& size : kSizes) {
      std::cout << absl::StrFormat("%-10s %6.2f %6.0f %4s", size.name(), size.megapixels(), MeanKilobytes(size),
                                   absl::StrCat("1/", size.reduction()));
      for (const char* way : kWays) {
        const auto found = medians_.find(absl::StrCat(way, "/", size.name()));
        std::cout << (found == medians_.end() ? absl::StrFormat(" %14s", "-")
                                              : absl::StrFormat(" %14.3f", found->second));
      }
      std::cout << "\n";
    }
  }

 private:
  double MeanKilobytes(const PhotoSize& size) const {
    double bytes = 0;
    const Photos& photos = photos_.at(size.name());
    for (const std::string& photo : photos) bytes += static_cast<double>(photo.size());
    return bytes / static_cast<double>(photos.size()) / 1000;
  }

  const std::map<std::string, Photos>& photos_;  // by size
  std::map<std::string, double> medians_;
};

int Main(int argc, char** argv) {
  const char* assets = std::getenv("GRAFT_ASSETS");
  const std::string datasets = absl::StrCat(assets == nullptr ? "" : assets, "/datasets");
  if (!std::filesystem::exists(datasets)) {
    std::cerr << "no photos: set GRAFT_ASSETS to the folder that has datasets/animals5 and its like\n";
    return 1;
  }
  cv::setNumThreads(1);
  std::map<std::string, Photos> photos;
  const std::vector<cv::Mat> originals = Originals(datasets);
  for (const PhotoSize& size : kSizes) {
    RegisterAll(size, photos[size.name()] = Enlarge(originals, size));
  }
  std::vector<std::string> flags = {argv[0], "--benchmark_repetitions=5", "--benchmark_enable_random_interleaving=true",
                                    "--benchmark_report_aggregates_only=true", "--benchmark_min_time=0.2"};
  flags.insert(flags.end(), argv + 1, argv + argc);
  std::vector<char*> pointers;
  for (std::string& flag : flags) pointers.push_back(flag.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return 1;
  CurveReporter reporter(photos);
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return 0;
}

}  // namespace
}  // namespace graft

int main(int argc, char** argv) {
  return graft::Main(argc, argv);
}
