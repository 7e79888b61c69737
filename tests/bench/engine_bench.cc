// Frozen forward passes, images/s, OpenVINO and LibTorch interleaved in one run on random weights:
//
//   build/release/bench/engine_bench --benchmark_filter=mobilenet_v2/ --benchmark_repetitions=5
//     --benchmark_enable_random_interleaving --benchmark_report_aggregates_only
//
// one_core, all_cores: the engine as Graft uses it, one caller. callers: as many as cores, one core each.
// "CPU" is that of all threads, per pass. openvino/batch: one stream on all cores over that many images at a time,
// which Graft does not do.
#include <benchmark/benchmark.h>

#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/properties.hpp>
#include <random>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "core/base/cores.h"
#include "core/engine/engine.h"
#include "core/engine/torch_engine.h"
#include "core/network/onnx_writer.h"
#include "tests/testing/random_backbone.h"
#include "tests/testing/temporary_folder.h"

namespace graft::engine {
namespace {

std::vector<uint8_t> RandomImages(int size, int count) {
  std::mt19937 numbers(5);
  std::vector<uint8_t> images(static_cast<size_t>(size) * size * 3 * count);
  for (uint8_t& value : images) value = static_cast<uint8_t>(numbers());
  return images;
}

// One backbone with all its engines, made on first use.
class Subject {
 public:
  explicit Subject(const std::string& backbone) {
    const network::Architecture architecture = *network::FindArchitecture(backbone);
    const auto shapes = network::ExpectedTensors(architecture);
    const std::string bytes = testing::SerializeFloats(shapes, testing::RandomValues(shapes));
    stored_ = *weights::PutWeights(folder_.path(), backbone, bytes, "random", "none");
    onnx_ = *network::WriteOnnx(*network::FindBackbone(backbone), architecture, *weights::Safetensors::Parse(bytes));
  }

  Engine& openvino() {
    if (openvino_ == nullptr) openvino_ = *CreateEngine(stored_, {.threads = AvailableCores()});
    return *openvino_;
  }
  Engine& libtorch() {
    if (libtorch_ == nullptr) libtorch_ = *CreateTorchEngine(stored_, {.threads = AvailableCores()});
    return *libtorch_;
  }
  ov::CompiledModel& batched(int batch) {
    ov::CompiledModel& model = batched_[batch];
    if (!model) {
      static ov::Core& core = *new ov::Core;
      const std::shared_ptr<ov::Model> network = core.read_model(onnx_, ov::Tensor());
      network->reshape(ov::PartialShape{batch, 224, 224, 3});
      model = core.compile_model(network, "CPU", ov::hint::inference_precision(ov::element::f32), ov::num_streams(1),
                                 ov::inference_num_threads(AvailableCores()), ov::hint::enable_cpu_pinning(false));
    }
    return model;
  }

 private:
  const testing::TemporaryFolder folder_;
  weights::StoredWeights stored_;
  std::string onnx_;
  std::unique_ptr<Engine> openvino_, libtorch_;
  std::map<int, ov::CompiledModel> batched_;
};

// Benchmarks with several threads ask at the same time.
absl::Mutex making(absl::kConstInit);

Subject& SubjectOf(const std::string& backbone) {
  static auto& subjects = *new std::map<std::string, Subject>;
  return subjects.try_emplace(backbone, backbone).first->second;
}

Engine& EngineOf(const std::string& backbone, Engine& (Subject::*engine_of)()) {
  absl::MutexLock lock(&making);
  return (SubjectOf(backbone).*engine_of)();
}

void RunEngine(benchmark::State& state, Engine& engine, Cores cores) {
  const std::vector<uint8_t> image = RandomImages(engine.facts().input_size, 1);
  std::vector<float> features(static_cast<size_t>(engine.facts().feature_dimension));
  for (auto _ : state) {
    const absl::Status status = engine.Run(image, 1, absl::MakeSpan(features), cores);
    if (!status.ok()) state.SkipWithError(std::string(status.message()).c_str());
  }
  state.SetItemsProcessed(state.iterations());
}

void RunBatch(benchmark::State& state, const std::string& backbone, int batch) {
  ov::InferRequest request = SubjectOf(backbone).batched(batch).create_infer_request();
  const std::vector<uint8_t> images = RandomImages(224, batch);
  for (auto _ : state) {
    std::memcpy(request.get_input_tensor().data<uint8_t>(), images.data(), images.size());
    request.infer();
    benchmark::DoNotOptimize(request.get_output_tensor().data<float>());
  }
  state.SetItemsProcessed(state.iterations() * batch);
}

void Register(const std::string& backbone) {
  using Member = Engine& (Subject::*)();
  for (const auto& [name, engine_of] :
       {std::pair<const char*, Member>{"openvino", &Subject::openvino}, {"libtorch", &Subject::libtorch}}) {
    const auto add = [&, engine_of = engine_of](const char* what, Cores cores) {
      return benchmark::RegisterBenchmark((backbone + "/" + name + "/" + what).c_str(),
                                          [backbone, engine_of, cores](benchmark::State& state) {
                                            RunEngine(state, EngineOf(backbone, engine_of), cores);
                                          })
          ->MeasureProcessCPUTime()
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    };
    add("one_core", Cores::kOne);
    add("all_cores", Cores::kAll);
    add("callers", Cores::kOne)->Threads(AvailableCores());
  }
  for (const int batch : {8, 32}) {
    benchmark::RegisterBenchmark((backbone + "/openvino/batch/" + std::to_string(batch)).c_str(),
                                 [backbone, batch](benchmark::State& state) { RunBatch(state, backbone, batch); })
        ->MeasureProcessCPUTime()
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace
}  // namespace graft::engine

int main(int argc, char** argv) {
  for (const graft::network::BackboneFacts& backbone : graft::network::Backbones()) {
    graft::engine::Register(backbone.name);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
