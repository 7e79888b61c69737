// graft-load: drives a server over loopback and prints what it saw as JSON.
//
// Closed loop (--clients): each client sends its next call when the last one has ended; for throughput.
// Open loop (--rate): Poisson arrivals, whatever the server does; latency counts from when a call should have started.

#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <queue>
#include <sstream>
#include <stdexcept>

#include "tests/bench/load/caller.h"
#include "tests/bench/load/payload_files.h"
#include "tests/bench/load/process_usage.h"
#include "tests/bench/load/recorder.h"
#include "tests/bench/load/traffic.h"

namespace graft::bench {
namespace {

using Seconds = std::chrono::duration<double>;

// A server that answers nothing must not fill the generator's memory.
constexpr int64_t kMaxOutstanding = 20'000;

struct Options {
  std::string server;
  TrafficOptions traffic;
  std::vector<std::string> payload_paths;
  std::string models_file;
  double deadline_ms = 0;
  int clients = 0;
  double rate = 0;
  int channels = 0;
  double warmup = 1, seconds = 5;
  int64_t requests = 0;
  pid_t server_pid = 0;
};

void ReadModels(const std::string& path, std::vector<std::string>& models) {
  std::istringstream lines(ReadFile(path));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) models.push_back(line);
  }
}

Options ParseFlags(int argc, char** argv) {
  CLI::App app("Drives a Graft server, or a peer, over loopback and prints what it saw as JSON.", "graft-load");
  Options options;
  app.add_option("--server", options.server, "HOST:PORT")->required();
  app.add_option("--kind", options.traffic.kind, "What to call")->check(CLI::IsMember(Traffic::Kinds()));
  app.add_option("--method", options.traffic.method, "With --kind raw: /package.Service/Method that takes bare bytes");
  app.add_option("--model", options.traffic.models, "Model reference; several: spread at random");
  app.add_option("--models-file", options.models_file, "One model reference per line");
  app.add_option("--payload", options.payload_paths, "Image file or folder of them; several: picked at random");
  app.add_option("--seed", options.traffic.seed, "Of arrivals and picks");
  app.add_option("--deadline-ms", options.deadline_ms, "Of every call; 0: none");
  CLI::Option* clients = app.add_option("--clients", options.clients, "Closed loop with this many clients");
  app.add_option("--rate", options.rate, "Open loop: mean arrivals per second")->excludes(clients);
  app.add_option("--channels", options.channels, "Connections; 0: one per client, at most 16; 16 in the open loop");
  app.add_option("--warmup", options.warmup, "Seconds before the measured window");
  app.add_option("--seconds", options.seconds, "Length of the measured window");
  app.add_option("--requests", options.requests, "Closed loop: this many calls instead of a time");
  app.add_option("--server-pid", options.server_pid, "Also report this process's CPU time in the window");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  if ((options.clients > 0) == (options.rate > 0)) throw std::runtime_error("say either --clients or --rate");
  if (options.channels == 0) options.channels = options.clients > 0 ? std::min(options.clients, 16) : 16;
  if (options.deadline_ms > 0) {
    options.traffic.deadline = std::chrono::microseconds(static_cast<int64_t>(options.deadline_ms * 1000));
  }
  if (!options.models_file.empty()) ReadModels(options.models_file, options.traffic.models);
  options.traffic.payloads = ReadPayloads(options.payload_paths);
  return options;
}

// Starts planned calls and records how they end.
class Generator {
 public:
  Generator(const TrafficOptions& traffic, Caller& caller, Clock::time_point begin, Clock::time_point end)
      : traffic_(traffic), caller_(caller), recorder_(begin, end), end_(end) {}

  // Each client's next call starts when its last has ended, until the window ends or `requests` have started.
  void RunClosed(int clients, int64_t requests) {
    requests_left_ = requests > 0 ? requests : std::numeric_limits<int64_t>::max();
    for (int i = 0; i < clients; ++i) StartNextClosed();
    while (caller_.outstanding() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  void RunOpen(double rate, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::exponential_distribution<double> gap(rate);
    Clock::time_point next = Clock::now();
    while (next < end_) {
      CancelUntil(next);
      std::this_thread::sleep_until(next);
      if (caller_.outstanding() < kMaxOutstanding) {
        StartOpen(next);
      } else {
        ++not_sent_;
      }
      next += std::chrono::duration_cast<Clock::duration>(Seconds(gap(random)));
    }
    while (!cancels_.empty()) CancelUntil(cancels_.top().at);
    while (caller_.outstanding() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  nlohmann::json ToJson() const {
    nlohmann::json result = recorder_.ToJson();
    result["not_sent"] = not_sent_;
    return result;
  }

 private:
  struct Cancel {
    Clock::time_point at;
    std::weak_ptr<Call> call;
    bool operator<(const Cancel& other) const { return at > other.at; }  // the earliest on top
  };

  std::shared_ptr<Call> Start(Clock::time_point intended, std::function<void()> after, PlannedCall planned) {
    const Request request = planned.request;
    planned.request = {};
    return caller_.Start(request, [this, intended, after = std::move(after), planned](const Call& call) {
      const std::string outcome =
          call.status.ok() && planned.check ? planned.check(call.response) : CodeName(call.status.error_code());
      recorder_.Add(planned.kind, intended, call, outcome, planned.expected.count(outcome) > 0);
      if (after) after();
    });
  }

  void StartNextClosed() {
    const Clock::time_point now = Clock::now();
    if (now >= end_ || requests_left_-- <= 0) return;
    Start(
        now, [this] { StartNextClosed(); }, traffic_.Next());
  }

  void StartOpen(Clock::time_point intended) {
    PlannedCall planned = traffic_.Next();
    const auto cancel_after = planned.cancel_after;
    recorder_.AddStartDelay(intended, Clock::now());
    std::shared_ptr<Call> call = Start(intended, nullptr, std::move(planned));
    if (cancel_after) cancels_.push({Clock::now() + *cancel_after, call});
  }

  // Does the cancellations that are due before `time`, each at its own.
  void CancelUntil(Clock::time_point time) {
    while (!cancels_.empty() && cancels_.top().at <= time) {
      std::this_thread::sleep_until(cancels_.top().at);
      if (const std::shared_ptr<Call> call = cancels_.top().call.lock()) call->context.TryCancel();
      cancels_.pop();
    }
  }

  Traffic traffic_;
  Caller& caller_;
  Recorder recorder_;
  const Clock::time_point end_;
  std::atomic<int64_t> requests_left_ = 0;
  int64_t not_sent_ = 0;
  std::priority_queue<Cancel> cancels_;
};

// CPU time of this process and of the server between two points in time.
class WindowUsage {
 public:
  WindowUsage(Clock::time_point begin, Clock::time_point end, pid_t server) {
    watcher_ = std::thread([this, begin, end, server] {
      std::this_thread::sleep_until(begin);
      const double own = CpuSeconds(getpid()), others = server > 0 ? CpuSeconds(server) : 0;
      std::this_thread::sleep_until(end);
      own_ = CpuSeconds(getpid()) - own;
      server_ = server > 0 ? CpuSeconds(server) - others : 0;
    });
  }
  ~WindowUsage() {
    if (watcher_.joinable()) watcher_.join();
  }

  void AddTo(nlohmann::json& result) {
    watcher_.join();
    result["generator_cpu_seconds"] = own_;
    result["server_cpu_seconds"] = server_;
  }

 private:
  double own_ = 0, server_ = 0;
  std::thread watcher_;
};

nlohmann::json Run(const Options& options) {
  prctl(PR_SET_TIMERSLACK, 1000);  // arrivals on time: 1 us instead of 50
  Caller caller(options.server, options.channels);
  const bool by_count = options.requests > 0;
  const Seconds warmup(by_count ? 0 : options.warmup), length(by_count ? 86'400 : options.seconds);
  const Clock::time_point begin = Clock::now() + std::chrono::duration_cast<Clock::duration>(warmup);
  const Clock::time_point end = begin + std::chrono::duration_cast<Clock::duration>(length);
  Generator generator(options.traffic, caller, begin, end);
  std::optional<WindowUsage> usage;
  if (!by_count) usage.emplace(begin, end, options.server_pid);

  if (options.clients > 0) {
    generator.RunClosed(options.clients, options.requests);
  } else {
    generator.RunOpen(options.rate, options.traffic.seed);
  }

  nlohmann::json result = generator.ToJson();
  if (usage) {
    usage->AddTo(result);
  } else {  // there was no window to divide by
    for (const char* rate : {"seconds", "throughput", "offered_per_second"}) result.erase(rate);
  }
  result["clients"] = options.clients;
  result["rate"] = options.rate;
  result["channels"] = options.channels;
  return result;
}

}  // namespace
}  // namespace graft::bench

int main(int argc, char** argv) {
  try {
    std::cout << graft::bench::Run(graft::bench::ParseFlags(argc, argv)).dump(2) << std::endl;
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "graft-load: " << error.what() << "\n";
    return 1;
  }
}
