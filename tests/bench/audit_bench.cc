// What the audit of a data set costs and what it finds; the figures of docs/audit.md.
//
//   audit_bench made                 time and memory of the near-duplicate search over the number of pictures
//   audit_bench photos FOLDER...     of each folder: the fingerprint's share of the import's decoding, which changed
//                                    copies of its photos are found, and which of its photos are taken for copies
//
// Prints; asserts nothing.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/dataset/near_duplicates.h"
#include "core/image/fingerprint.h"

namespace graft {
namespace {

using dataset::FindNearDuplicates;
using dataset::NearDuplicates;
using image::Fingerprint;
using image::Image;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double PeakMib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

std::vector<const Fingerprint*> PointersTo(const std::vector<Fingerprint>& prints) {
  std::vector<const Fingerprint*> pointers;
  pointers.reserve(prints.size());
  for (const Fingerprint& print : prints) pointers.push_back(&print);
  return pointers;
}

// ---- made ----

// `alike` says how many of the pictures look about like one of ten: a studio's background, say. Another twentieth are
// near duplicates of one before them.
std::vector<Fingerprint> MakePictures(int count, double alike) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform;
  std::vector<uint64_t> backgrounds(10);
  for (uint64_t& hash : backgrounds) hash = random();
  std::vector<Fingerprint> prints(static_cast<size_t>(count));
  const auto flip = [&](uint64_t& hash, int bits) {
    for (int i = 0; i < bits; ++i) hash ^= uint64_t{1} << random() % 64;
  };
  for (size_t i = 0; i < prints.size(); ++i) {
    Fingerprint& print = prints[i];
    const double kind = uniform(random);
    if (i > 0 && kind < 0.05) {
      print = prints[random() % i];
      flip(print.hash, static_cast<int>(random() % 8));
      continue;
    }
    print.hash = random();
    for (uint8_t& field : print.thumbnail) field = static_cast<uint8_t>(random());
    if (kind < 0.05 + alike) {
      print.hash = backgrounds[random() % backgrounds.size()];
      flip(print.hash, static_cast<int>(random() % 12));
    }
  }
  return prints;
}

void MeasureMade() {
  std::printf("%10s %18s %10s %14s %10s %10s %12s\n", "pictures", "like one of ten", "seconds", "us a picture",
              "joined", "cut short", "memory MiB");
  for (const double alike : {0.0, 0.2, 0.9}) {
    for (const int count : {10'000, 100'000, 200'000}) {
      const std::vector<Fingerprint> prints = MakePictures(count, alike);
      const std::vector<const Fingerprint*> pointers = PointersTo(prints);
      const double start = Seconds();
      const NearDuplicates found = FindNearDuplicates(pointers);
      const double seconds = Seconds() - start;
      int joined = 0;
      for (int i = 0; i < count; ++i) joined += found.first_like[static_cast<size_t>(i)] != i ? 1 : 0;
      std::printf("%10d %17.0f%% %10.2f %14.1f %10d %10d %12.0f\n", count, 100 * alike, seconds, 1e6 * seconds / count,
                  joined, found.cut_short, PeakMib());
    }
  }
}

// ---- photos ----

struct Photo {
  std::string name;
  Fingerprint print;
};

cv::Mat Jpeg(const cv::Mat& rgb, int quality) {
  std::vector<uint8_t> bytes;
  cv::imencode(".jpg", rgb, bytes, {cv::IMWRITE_JPEG_QUALITY, quality});
  return cv::imdecode(bytes, cv::IMREAD_COLOR);
}

cv::Mat Scaled(const cv::Mat& rgb, double by) {
  cv::Mat scaled;
  cv::resize(rgb, scaled, {}, by, by, by < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
  return scaled;
}

cv::Mat Toned(const cv::Mat& rgb, double contrast, double brightness) {
  cv::Mat toned;
  rgb.convertTo(toned, -1, contrast, brightness);
  return toned;
}

// Every edge loses this share of the side.
cv::Mat Cropped(const cv::Mat& rgb, double share) {
  const int x = static_cast<int>(rgb.cols * share), y = static_cast<int>(rgb.rows * share);
  return rgb(cv::Rect(x, y, rgb.cols - 2 * x, rgb.rows - 2 * y)).clone();
}

std::vector<std::pair<std::string, cv::Mat>> ChangedCopies(const cv::Mat& rgb) {
  cv::Mat quarter_turn, half_turn, mirrored, stretched, grey, blurred;
  cv::rotate(rgb, quarter_turn, cv::ROTATE_90_CLOCKWISE);
  cv::rotate(rgb, half_turn, cv::ROTATE_180);
  cv::flip(rgb, mirrored, 1);
  cv::resize(rgb, stretched, cv::Size(224, 224));
  cv::GaussianBlur(rgb, blurred, {}, 2);
  cv::cvtColor(rgb, grey, cv::COLOR_RGB2GRAY);
  cv::cvtColor(grey, grey, cv::COLOR_GRAY2RGB);
  return {{"JPEG quality 50", Jpeg(rgb, 50)},
          {"JPEG quality 20", Jpeg(rgb, 20)},
          {"half the size", Scaled(rgb, 0.5)},
          {"1.5 times the size", Scaled(rgb, 1.5)},
          {"stretched to 224x224", stretched},
          {"turned by 90 degrees", quarter_turn},
          {"turned by 180 degrees", half_turn},
          {"mirrored", mirrored},
          {"mirrored, half, JPEG 70", Jpeg(Scaled(mirrored, 0.5), 70)},
          {"30 levels brighter", Toned(rgb, 1, 30)},
          {"30 % darker", Toned(rgb, 0.7, 0)},
          {"contrast 1.3", Toned(rgb, 1.3, -38)},
          {"blurred, sigma 2", blurred},
          {"cropped by 1 % an edge", Cropped(rgb, 0.01)},
          {"cropped by 2 % an edge", Cropped(rgb, 0.02)},
          {"cropped by 3 % an edge", Cropped(rgb, 0.03)},
          {"cropped by 5 % an edge", Cropped(rgb, 0.05)},
          {"without colour", grey}};
}

Image FromMat(const cv::Mat& rgb) {
  const cv::Mat whole = rgb.clone();
  return {.height = rgb.rows,
          .width = rgb.cols,
          .pixels = std::vector<uint8_t>(whole.data, whole.data + whole.total() * 3)};
}

bool IsFound(const Fingerprint& original, const Fingerprint& copy) {
  return FindNearDuplicates({&original, &copy}).first_like[1] == 0;
}

struct Recall {
  int found = 0, all = 0;
};

void MeasureFolder(const std::string& folder, int copies_of_every, int listed) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Photo> photos;
  std::map<std::string, Recall> recalls;
  double decode_seconds = 0, print_seconds = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string bytes = ReadFile(files[i].string(), 20 << 20).value();
    const double start = Seconds();
    const absl::StatusOr<Image> image = image::DecodeImage(bytes, {.max_bytes = 20 << 20});
    const double decoded = Seconds();
    if (!image.ok()) continue;
    photos.push_back({std::filesystem::relative(files[i], folder).string(), image::FingerprintOf(*image).value()});
    print_seconds += Seconds() - decoded;
    decode_seconds += decoded - start;
    if (i % static_cast<size_t>(copies_of_every) != 0) continue;
    const cv::Mat rgb(image->height, image->width, CV_8UC3, const_cast<uint8_t*>(image->pixels.data()));
    for (const auto& [name, copy] : ChangedCopies(rgb)) {
      Recall& recall = recalls[name];
      ++recall.all;
      if (IsFound(photos.back().print, image::FingerprintOf(FromMat(copy)).value())) ++recall.found;
    }
  }
  std::printf("%s: %zu photos; decoding %.2f ms a photo, fingerprint %.2f ms (%.1f %%)\n", folder.c_str(),
              photos.size(), 1e3 * decode_seconds / static_cast<double>(photos.size()),
              1e3 * print_seconds / static_cast<double>(photos.size()), 100 * print_seconds / decode_seconds);
  for (const auto& [name, recall] : recalls) {
    std::printf("  %-24s %4d of %4d found\n", name.c_str(), recall.found, recall.all);
  }
  std::vector<const Fingerprint*> pointers;
  for (const Photo& photo : photos) pointers.push_back(&photo.print);
  const NearDuplicates found = FindNearDuplicates(pointers);
  std::map<int, std::vector<std::string>> clusters;
  for (size_t i = 0; i < photos.size(); ++i) clusters[found.first_like[i]].push_back(photos[i].name);
  size_t count = 0, in_clusters = 0;
  for (const auto& [first, names] : clusters) {
    if (names.size() < 2) continue;
    ++count;
    in_clusters += names.size();
    if (static_cast<int>(count) > listed) continue;
    std::printf("  together:");
    for (const std::string& name : names) std::printf(" %s", name.c_str());
    std::printf("\n");
  }
  std::printf("  taken for copies: %zu photos in %zu clusters; without contrast %d\n", in_clusters, count,
              found.without_contrast);
}

}  // namespace
}  // namespace graft

int main(int argc, char** argv) {
  CLI::App app("What the audit costs and finds");
  app.require_subcommand(1);
  app.add_subcommand("made", "Time and memory over the number of pictures")->callback(graft::MeasureMade);
  CLI::App* photos = app.add_subcommand("photos", "Cost, and what is found, on photos");
  std::vector<std::string> folders;
  int copies_of_every = 4, listed = 20;
  photos->add_option("FOLDER", folders)->required()->check(CLI::ExistingDirectory);
  photos->add_option("--copies-of-every", copies_of_every, "nth photo is changed and searched for [4]");
  photos->add_option("--list", listed, "clusters of photos taken for copies [20]");
  photos->callback([&] {
    for (const std::string& folder : folders) graft::MeasureFolder(folder, copies_of_every, listed);
  });
  CLI11_PARSE(app, argc, argv);
  return 0;
}
