// graft-in-process: what the machine gives without a server. Decode, forward pass and head in a plain loop, through the
// very functions that serve, on the head and weights of a published version; prints JSON.

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "core/base/cores.h"
#include "core/base/data_folder.h"
#include "core/base/status_macros.h"
#include "core/engine/engine.h"
#include "core/inference/head.h"
#include "core/network/preprocess.h"
#include "core/registry/registry.h"
#include "core/store/database.h"
#include "core/weights/weight_store.h"
#include "tests/bench/load/distribution.h"
#include "tests/bench/load/payload_files.h"

namespace graft::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<float, std::milli>;

constexpr double kWarmupSeconds = 0.3;

struct Options {
  DataFolder data;
  std::string model;
  std::vector<std::string> payloads;
  int threads = AvailableCores();
  double seconds = 2;
};

Options ParseFlags(int argc, char** argv) {
  CLI::App app("Classifies in a plain loop, without a server, and prints how fast as JSON.", "graft-in-process");
  Options options;
  std::vector<std::string> paths;
  app.add_option("--data-dir", options.data.root, "A server's data folder; the server may run")->required();
  app.add_option("--model", options.model, "Model reference")->required();
  app.add_option("--payload", paths, "Image file or folder of them")->required();
  app.add_option("--threads", options.threads, "Cores to use")->capture_default_str();
  app.add_option("--seconds", options.seconds, "Of each of the three measurements")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  options.payloads = ReadPayloads(paths);
  return options;
}

// One version, ready to classify.
class Loop {
 public:
  static absl::StatusOr<std::unique_ptr<Loop>> Open(const Options& options) {
    ASSIGN_OR_RETURN(const auto database, store::Database::Open(options.data.database()));
    registry::Registry registry(database.get(), options.data.models());
    ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("--model", "models", options.model));
    ASSIGN_OR_RETURN(const registry::ModelVersion version, registry.Find(reference));
    auto loop = std::make_unique<Loop>();
    loop->payloads_ = options.payloads;
    ASSIGN_OR_RETURN(loop->head_, inference::LoadHead(version));
    ASSIGN_OR_RETURN(const weights::StoredWeights weights,
                     weights::FindWeights(options.data.weights(), loop->head_->backbone, loop->head_->backbone_sha256));
    ASSIGN_OR_RETURN(loop->engine_,
                     engine::CreateEngine(weights, {.precision = loop->head_->precision, .threads = options.threads}));
    return loop;
  }

  // Images per second with one core per thread and image.
  double Throughput(int threads, double seconds) {
    std::atomic<int64_t> images = 0;
    const Clock::time_point begin = Clock::now() + Duration(kWarmupSeconds), end = begin + Duration(seconds);
    std::vector<std::thread> workers;
    for (int i = 0; i < threads; ++i) {
      workers.emplace_back([&] {
        while (Clock::now() < end) {
          ClassifyNext(engine::Cores::kOne);
          const Clock::time_point now = Clock::now();
          if (begin <= now && now < end) ++images;
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    return static_cast<double>(images) / seconds;
  }

  // One image after the other from this thread: {"total", "decode", "forward"} distributions.
  nlohmann::json Alone(engine::Cores cores, double seconds) {
    std::vector<float> total, decode, forward;
    const Clock::time_point begin = Clock::now() + Duration(kWarmupSeconds), end = begin + Duration(seconds);
    while (Clock::now() < end) {
      const Times times = ClassifyNext(cores);
      if (times.start < begin) continue;
      total.push_back(Milliseconds(times.end - times.start).count());
      decode.push_back(Milliseconds(times.decoded - times.start).count());
      forward.push_back(Milliseconds(times.end - times.decoded).count());
    }
    return {{"total", Distribution(total)}, {"decode", Distribution(decode)}, {"forward", Distribution(forward)}};
  }

  std::string engine_id() const { return engine_->id(); }
  std::string decode() const { return head_->preprocess.decode; }

 private:
  struct Times {
    Clock::time_point start, decoded, end;
  };

  static Clock::duration Duration(double seconds) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }

  Times ClassifyNext(engine::Cores cores) {
    const std::string& payload = payloads_[next_payload_++ % payloads_.size()];
    Times times;
    times.start = Clock::now();
    const std::vector<uint8_t> input = *network::ToInput(payload, head_->preprocess, image::DecodeLimits());
    times.decoded = Clock::now();
    std::vector<float> features(static_cast<size_t>(head_->dimension));
    if (const absl::Status run = engine_->Run(input, 1, absl::MakeSpan(features), cores); !run.ok()) {
      throw std::runtime_error(run.ToString());
    }
    if (inference::Predict(*head_, features, 5).empty()) throw std::runtime_error("no prediction");
    times.end = Clock::now();
    return times;
  }

  std::vector<std::string> payloads_;
  std::atomic<size_t> next_payload_ = 0;
  std::shared_ptr<const inference::LoadedHead> head_;
  std::unique_ptr<engine::Engine> engine_;
};

nlohmann::json Run(const Options& options) {
  absl::StatusOr<std::unique_ptr<Loop>> loop = Loop::Open(options);
  if (!loop.ok()) throw std::runtime_error(loop.status().ToString());
  return {{"threads", options.threads},
          {"engine", (*loop)->engine_id()},
          {"decode_mode", (*loop)->decode()},
          {"throughput", (*loop)->Throughput(options.threads, options.seconds)},
          {"alone_on_one_core", (*loop)->Alone(engine::Cores::kOne, options.seconds)},
          {"alone_on_all_cores", (*loop)->Alone(engine::Cores::kAll, options.seconds)}};
}

}  // namespace
}  // namespace graft::bench

int main(int argc, char** argv) {
  try {
    std::cout << graft::bench::Run(graft::bench::ParseFlags(argc, argv)).dump(2) << std::endl;
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "graft-in-process: " << error.what() << "\n";
    return 1;
  }
}
