#include "core/engine/openvino_engine.h"

#include <malloc.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <openvino/core/version.hpp>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/properties.hpp>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/errors.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/engine/buffers.h"
#include "core/network/onnx_writer.h"

namespace graft::engine {
namespace {

constexpr char kOpenVinoCpu[] = "CPU";

// Loading the CPU plugin takes tens of milliseconds. Never destroyed: the plugin's threads may outlive main.
ov::Core& SharedCore() {
  static ov::Core& core = *new ov::Core;
  return core;
}

// A compiled network and the requests that run it. Thread-safe.
class Compiled {
 public:
  // streams passes at a time, each on threads / streams cores.
  Compiled(const std::shared_ptr<const ov::Model>& model, Precision precision, int streams, int threads)
      : model_(SharedCore().compile_model(
            model, kOpenVinoCpu,
            // The default is not float32 on every processor.
            ov::hint::inference_precision(precision == Precision::kBf16 ? ov::element::bf16 : ov::element::f32),
            ov::num_streams(streams), ov::inference_num_threads(threads),
            // Pinned threads of several processes, or of several networks, would meet on the same cores.
            ov::hint::enable_cpu_pinning(false),
            // Or the thread count would be cut to that of physical cores; the share was counted in logical ones.
            ov::hint::enable_hyper_threading(true))) {}

  // With more callers than streams, passes wait for a stream in the order they came.
  void Run(absl::Span<const uint8_t> image, absl::Span<float> features) ABSL_LOCKS_EXCLUDED(mutex_) {
    ov::InferRequest request = TakeRequest();
    std::memcpy(request.get_input_tensor().data<uint8_t>(), image.data(), image.size());
    request.infer();
    std::memcpy(features.data(), request.get_output_tensor().data<float>(), features.size() * sizeof(float));
    absl::MutexLock lock(&mutex_);
    idle_.push_back(std::move(request));  // one that threw is not used again
  }

 private:
  // As many as there ever were callers at once; each holds one image and its features.
  ov::InferRequest TakeRequest() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (!idle_.empty()) {
        ov::InferRequest request = std::move(idle_.back());
        idle_.pop_back();
        return request;
      }
    }
    return model_.create_infer_request();
  }

  ov::CompiledModel model_;
  absl::Mutex mutex_;
  std::vector<ov::InferRequest> idle_ ABSL_GUARDED_BY(mutex_);
};

class OpenVinoEngine : public Engine {
 public:
  OpenVinoEngine(network::BackboneFacts facts, const std::shared_ptr<const ov::Model>& model,
                 const EngineTarget& target, int64_t bytes)
      : facts_(std::move(facts)),
        id_(EngineId(target.device, target.precision)),
        bytes_(bytes),
        one_core_each_(model, target.precision, target.threads, target.threads) {
    if (target.threads > 1) all_cores_ = std::make_unique<Compiled>(model, target.precision, 1, target.threads);
  }

  absl::Status Run(absl::Span<const uint8_t> images, int count, absl::Span<float> features, Cores cores) override {
    RETURN_IF_ERROR(CheckBuffers(facts_, images, count, features));
    Compiled& compiled = cores == Cores::kAll && all_cores_ != nullptr ? *all_cores_ : one_core_each_;
    const size_t pixels = ImageBytes(facts_), dimension = static_cast<size_t>(facts_.feature_dimension);
    return StatusFromThrow(absl::StatusCode::kInternal, absl::StrCat("run ", facts_.name), [&] {
      for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
        compiled.Run(images.subspan(i * pixels, pixels), features.subspan(i * dimension, dimension));
      }
    });
  }

  const network::BackboneFacts& facts() const override { return facts_; }
  int preferred_batch() const override { return 1; }
  const std::string& id() const override { return id_; }
  int64_t bytes() const override { return bytes_; }

 private:
  const network::BackboneFacts facts_;
  const std::string id_;
  const int64_t bytes_;
  Compiled one_core_each_;
  std::unique_ptr<Compiled> all_cores_;  // null where one core is all
};

// Of the inputs and outputs of the layer that has the most of them: OpenVINO reuses a pass's other memory.
int64_t ActivationValues(const network::Architecture& architecture) {
  const auto values = [&](int i) {
    const network::Layer& layer = architecture.layers[static_cast<size_t>(i)];
    return int64_t{layer.channels} * layer.size * layer.size;
  };
  int64_t most = 0;
  for (int i = 0; i <= architecture.features; ++i) {
    int64_t sum = values(i);
    for (const int input : architecture.layers[static_cast<size_t>(i)].inputs) sum += values(input);
    most = std::max(most, sum);
  }
  return most;
}

// OpenVINO does not say. Measured as growth of anonymous memory on the three backbones, 1 to 8 threads: within 15 %.
int64_t EstimateBytes(const network::BackboneFacts& facts, const network::Architecture& architecture,
                      const EngineTarget& target) {
  constexpr int64_t kLayerBytes = 64 << 10;  // generated code and the graph
  const int64_t number_bytes = target.precision == Precision::kBf16 ? 2 : 4;
  const int64_t compiled = facts.parameters * number_bytes + kLayerBytes * (architecture.features + 1);
  const int64_t pass = ActivationValues(architecture) * number_bytes;
  const int64_t plain = facts.parameters * static_cast<int64_t>(sizeof(float));  // kept, shared by what is compiled
  return target.threads == 1 ? plain + compiled + pass : plain + 2 * compiled + (target.threads + 1) * pass;
}

// With a batch of one image: a pass is the same whatever company an image has, and a free batch costs 4-11 %.
std::shared_ptr<ov::Model> ReadModel(const std::string& onnx, const network::BackboneFacts& facts) {
  std::shared_ptr<ov::Model> model = SharedCore().read_model(onnx, ov::Tensor());
  model->reshape(ov::PartialShape{1, facts.input_size, facts.input_size, 3});
  return model;
}

}  // namespace

std::string OpenVinoName() {
  return absl::StrCat("openvino-", OPENVINO_VERSION_MAJOR, ".", OPENVINO_VERSION_MINOR, ".", OPENVINO_VERSION_PATCH);
}

bool ProcessorHasBf16() {
#ifdef __x86_64__
  // Asked first, because OpenVINO also names what it emulates. Every processor with AMX has this one as well.
  if (!__builtin_cpu_supports("avx512bf16")) return false;
#endif
  const absl::StatusOr<std::vector<std::string>> capabilities =
      StatusFromThrow(absl::StatusCode::kInternal, "ask OpenVINO",
                      [] { return SharedCore().get_property(kOpenVinoCpu, ov::device::capabilities); });
  return capabilities.ok() &&
         std::find(capabilities->begin(), capabilities->end(), ov::device::capability::BF16) != capabilities->end();
}

bool ProcessorHasMatrixUnit() {
#ifdef __x86_64__
  return __builtin_cpu_supports("amx-bf16");
#else
  return ProcessorHasBf16();
#endif
}

absl::StatusOr<std::unique_ptr<Engine>> CreateOpenVinoEngine(const weights::StoredWeights& weights,
                                                             const EngineTarget& target) {
  const std::string doing = absl::StrCat("load ", weights.backbone);
  ASSIGN_OR_RETURN(const network::BackboneFacts facts, network::FindBackbone(weights.backbone));
  ASSIGN_OR_RETURN(const network::Architecture architecture, network::FindArchitecture(weights.backbone));
  std::shared_ptr<const ov::Model> model;
  {
    ASSIGN_OR_RETURN(const weights::Safetensors file, weights::Safetensors::Load(weights.path, weights.sha256));
    absl::StatusOr<std::string> onnx = network::WriteOnnx(facts, architecture, file);
    if (!onnx.ok()) return WithContext(onnx.status(), doing);
    ASSIGN_OR_RETURN(model, StatusFromThrow(absl::StatusCode::kInternal, doing,
                                            [&] { return std::shared_ptr<const ov::Model>(ReadModel(*onnx, facts)); }));
  }
  auto engine = StatusFromThrow(absl::StatusCode::kInternal, doing, [&] {
    return std::unique_ptr<Engine>(
        new OpenVinoEngine(facts, model, target, EstimateBytes(facts, architecture, target)));
  });
  model.reset();
  malloc_trim(0);  // compiling leaves several times the weights in free blocks
  return engine;
}

}  // namespace graft::engine
