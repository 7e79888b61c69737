// What dataset::Loader alone delivers to a consumer that takes batches as they come: photos of GRAFT_ASSETS/datasets or
// of folders given as arguments, batches of 32 at 224 x 224, one loader thread per core. One row per augmentation: the
// first epoch, and the second without and with decoded pictures kept in memory.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "core/base/cores.h"
#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/dataset/loader.h"
#include "core/image/augment.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxPhotoBytes = 64 << 20;
constexpr int kBatch = 32;

template <typename T>
T OrDie(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::cerr << result.status() << "\n";
  std::exit(1);
}
void OrDie(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << status << "\n";
  std::exit(1);
}

std::vector<dataset::Example> Store(const fs::path& folder, store::BlobStore& blobs) {
  std::vector<dataset::Example> photos;
  std::vector<store::Blob> stored;
  for (const auto& file : fs::recursive_directory_iterator(folder)) {
    if (!file.is_regular_file()) continue;
    std::string bytes = OrDie(ReadFile(file.path(), kMaxPhotoBytes));
    const std::string sha256 = Sha256Hex(bytes);
    photos.push_back({.path = file.path(), .sha256 = sha256});
    stored.push_back({.sha256 = sha256, .bytes = std::move(bytes)});
  }
  OrDie(blobs.Put(stored));
  return photos;
}

// Images per second.
double RunEpoch(dataset::Loader& loader, int epoch) {
  std::vector<int64_t> order(static_cast<size_t>(loader.images()));
  std::iota(order.begin(), order.end(), 0);
  const absl::Time start = absl::Now();
  OrDie(loader.StartEpoch(epoch, std::move(order), kBatch, 0));
  while (OrDie(loader.Next()).has_value()) continue;
  return loader.images() / absl::ToDoubleSeconds(absl::Now() - start);
}

void Measure(const std::string& name, const std::vector<dataset::Example>& photos, store::BlobStore& blobs) {
  dataset::LoaderOptions options{.target = {.height = 224, .width = 224},
                                 .augment = OrDie(image::NamedAugment(name)),
                                 .threads = AvailableCores()};
  const auto decoding = OrDie(dataset::Loader::Create(photos, options, &blobs));
  options.cache_bytes = int64_t{4} << 30;
  const auto keeping = OrDie(dataset::Loader::Create(photos, options, &blobs));
  const double first = RunEpoch(*decoding, 1), second = RunEpoch(*decoding, 2);
  const double filling = RunEpoch(*keeping, 1), kept = RunEpoch(*keeping, 2);
  std::cout << absl::StrFormat("%-8s %10.0f %10.0f %10.0f %10.0f %7.1fx %10.0f\n", name, first, second, filling, kept,
                               kept / second, keeping->stats().cached_bytes / 1e6);
}

int Main(int argc, char** argv) {
  std::vector<std::string> folders(argv + 1, argv + argc);
  if (const char* assets = std::getenv("GRAFT_ASSETS"); folders.empty() && assets != nullptr) {
    folders = {absl::StrCat(assets, "/datasets/animals5")};
  }
  const std::string scratch = (fs::temp_directory_path() / "graft-loader-bench-XXXXXX").string();
  std::vector<char> pattern(scratch.c_str(), scratch.c_str() + scratch.size() + 1);
  const std::string root = mkdtemp(pattern.data());
  {
    const auto database = OrDie(store::Database::Open(root + "/graft.db"));
    const auto blobs = OrDie(store::BlobStore::Open(root + "/blobs", database.get()));
    for (const std::string& folder : folders) {
      const std::vector<dataset::Example> photos = Store(folder, *blobs);
      std::cout << absl::StrFormat("%s: %d photos, %d threads; images/s\n%-8s %10s %10s %10s %10s %8s %10s\n", folder,
                                   photos.size(), AvailableCores(), "augment", "epoch 1", "epoch 2", "keeping 1",
                                   "keeping 2", "gain", "kept MB");
      for (const std::string& name : image::AugmentNames()) Measure(name, photos, *blobs);
    }
  }
  fs::remove_all(root);
  return 0;
}

}  // namespace
}  // namespace graft

int main(int argc, char** argv) {
  return graft::Main(argc, argv);
}
