// What one Classify call spends on its metrics:
//
//   build/release/bench/metrics_bench --benchmark_format=json
//
// Threads: as many callers at once, who share the counters' locks.
#include <benchmark/benchmark.h>

#include <memory>

#include "server/metrics/classify_metrics.h"
#include "server/metrics/rpc_metrics.h"

namespace graft::metrics {
namespace {

inference::Classification Answer() {
  inference::Classification answer;
  answer.model_version = "models/animals/versions/3";
  answer.times = {absl::Milliseconds(2), absl::Microseconds(50), absl::Milliseconds(5), absl::Milliseconds(7),
                  absl::Microseconds(20)};
  return answer;
}

void OneCall(benchmark::State& state) {
  static prometheus::Registry registry;
  static ModelMetrics models([] { return std::set<std::string>{"animals"}; });
  static RpcMetrics rpc(registry);
  static ClassifyMetrics classify(registry, &models);
  const inference::Classification answer = Answer();
  const std::string method = "graft.v1.InferenceService/Classify";
  for (auto _ : state) {
    rpc.Begin();
    classify.Answered(answer);
    rpc.End(method, absl::StatusCode::kOk, absl::Milliseconds(7));
  }
}
BENCHMARK(OneCall)->Threads(1)->Threads(2)->UseRealTime();

}  // namespace
}  // namespace graft::metrics

BENCHMARK_MAIN();
