#include "core/engine/torch_engine.h"

#include <omp.h>
#include <torch/torch.h>
#include <torch/version.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/engine/buffers.h"
#include "core/engine/plan.h"
#include "core/network/backbone.h"
#include "core/network/normalization.h"
#include "core/network/tensor_binding.h"
#include "core/network/torch_status.h"

namespace graft::engine {
namespace {

// Large enough to fill a GPU with these networks, small enough that a lone photo's padding costs little.
constexpr int kCudaBucket = 32;

// This thread's LibTorch operations use this many cores while the object lives. OpenMP's thread count belongs to the
// calling thread, so other threads' forward passes and head training keep theirs; at::set_num_threads would also
// change what threads that start later get.
class ThreadShare {
 public:
  explicit ThreadShare(int threads)
      : before_(at::get_num_threads()) {  // LibTorch sets up the thread at the first question, undoing ours
    omp_set_num_threads(threads);
  }
  ~ThreadShare() { omp_set_num_threads(before_); }
  ThreadShare(const ThreadShare&) = delete;
  ThreadShare& operator=(const ThreadShare&) = delete;

 private:
  const int before_;
};

// uint8 to normalised float by table: three memory reads a pixel instead of a conversion and two broadcasts.
class PixelTable {
 public:
  explicit PixelTable(network::Normalization normalization) {
    const network::ChannelAffine affine = network::AffineOf(normalization);
    for (size_t value = 0; value < 256; ++value) {
      for (size_t c = 0; c < 3; ++c) {
        table_[c][value] = affine.scale[c] * static_cast<float>(value) + affine.shift[c];
      }
    }
  }

  void Normalize(absl::Span<const uint8_t> pixels, float* result) const {
    for (size_t i = 0; i + 2 < pixels.size(); i += 3) {
      result[i] = table_[0][pixels[i]];
      result[i + 1] = table_[1][pixels[i + 1]];
      result[i + 2] = table_[2][pixels[i + 2]];
    }
  }

 private:
  std::array<std::array<float, 256>, 3> table_;
};

class TorchEngine : public Engine {
 public:
  TorchEngine(network::BackboneFacts facts, Plan plan, torch::Device device, const EngineTarget& target)
      : facts_(std::move(facts)),
        plan_(std::move(plan)),
        device_(device),
        threads_(target.threads),
        bytes_(facts_.parameters * (target.precision == Precision::kBf16 ? 2 : 4)),  // of the weights
        id_(absl::StrCat(TorchName(), "/", device.is_cpu() ? "cpu" : "cuda", "/", NameOf(target.precision))),
        pixels_(facts_.normalization) {}

  absl::Status Run(absl::Span<const uint8_t> images, int count, absl::Span<float> features, Cores cores) override {
    RETURN_IF_ERROR(CheckBuffers(facts_, images, count, features));
    const size_t pixels = ImageBytes(facts_), dimension = static_cast<size_t>(facts_.feature_dimension);
    return network::StatusFromThrow(absl::StatusCode::kInternal, absl::StrCat("run ", facts_.name), [&] {
      const c10::InferenceMode inference_mode;
      const int step = preferred_batch();
      for (int first = 0; first < count; first += step) {
        const auto rows = static_cast<size_t>(std::min(step, count - first));
        const auto at = static_cast<size_t>(first);
        const auto input = images.subspan(at * pixels, rows * pixels);
        const torch::Tensor result = device_.is_cpu() ? RunOnCpu(input, cores) : RunBucket(input);
        std::memcpy(features.data() + at * dimension, result.const_data_ptr(), rows * dimension * sizeof(float));
      }
    });
  }

  const network::BackboneFacts& facts() const override { return facts_; }
  int preferred_batch() const override { return device_.is_cpu() ? 1 : kCudaBucket; }
  const std::string& id() const override { return id_; }
  int64_t bytes() const override { return bytes_; }

 private:
  torch::Tensor RunOnCpu(absl::Span<const uint8_t> image, Cores cores) {
    const absl::MutexLockMaybe lock(cores == Cores::kAll ? &turn_ : nullptr);
    const ThreadShare share(cores == Cores::kAll ? threads_ : 1);
    const int size = facts_.input_size;
    torch::Tensor input = torch::empty({1, size, size, 3});
    pixels_.Normalize(image, input.mutable_data_ptr<float>());
    return plan_.Run(input.permute({0, 3, 1, 2})).contiguous();
  }

  // Every pass has the whole bucket, or kernels chosen by batch size would make a row depend on its company.
  torch::Tensor RunBucket(absl::Span<const uint8_t> images) const {
    const int size = facts_.input_size;
    torch::Tensor bucket = torch::zeros({kCudaBucket, size, size, 3}, torch::kUInt8);
    std::memcpy(bucket.mutable_data_ptr(), images.data(), images.size());
    return plan_.Run(network::NormalizeImages(bucket, facts_.normalization, device_)).to(torch::kCPU).contiguous();
  }

  const network::BackboneFacts facts_;
  const Plan plan_;
  const torch::Device device_;
  const int threads_;
  const int64_t bytes_;
  const std::string id_;
  const PixelTable pixels_;
  absl::Mutex turn_;  // of passes that use all cores
};

// Float32 as the CPU computes it, and the same algorithm every time.
void MakeCudaExact() {
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setDeterministicCuDNN(true);
  at::globalContext().setBenchmarkCuDNN(false);
}

}  // namespace

std::string TorchName() {
  return absl::StrCat("libtorch-", TORCH_VERSION);
}

absl::StatusOr<std::unique_ptr<Engine>> CreateTorchEngine(const weights::StoredWeights& weights,
                                                          const EngineTarget& target) {
  ASSIGN_OR_RETURN(const network::BackboneFacts facts, network::FindBackbone(weights.backbone));
  ASSIGN_OR_RETURN(const network::Architecture architecture, network::FindArchitecture(weights.backbone));
  ASSIGN_OR_RETURN(const weights::Safetensors file, weights::Safetensors::Load(weights.path, weights.sha256));
  const auto tensors = network::BindTensors(architecture, file);
  if (!tensors.ok()) return WithContext(tensors.status(), absl::StrCat("load ", weights.backbone));
  return network::StatusFromThrow(absl::StatusCode::kInternal, absl::StrCat("load ", weights.backbone), [&] {
    const c10::InferenceMode inference_mode;
    const torch::Device device(target.device);
    const auto number = target.precision == Precision::kBf16 ? torch::kBFloat16 : torch::kFloat32;
    // oneDNN's weight layouts depend on the thread count: packed under another one, every pass would reorder them.
    const ThreadShare one_thread(1);
    if (device.is_cuda()) MakeCudaExact();
    return std::unique_ptr<Engine>(
        new TorchEngine(facts, Plan(architecture, *tensors, device, number), device, target));
  });
}

}  // namespace graft::engine
