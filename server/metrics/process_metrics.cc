#include "server/metrics/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace graft::metrics {
namespace {

prometheus::MetricFamily Family(const char* name, const char* help, prometheus::MetricType type, double value) {
  prometheus::ClientMetric metric;
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return {name, help, type, {metric}};
}

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  double total_pages = 0, resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double CountEntries(const char* folder) {
  std::error_code error;
  double entries = 0;
  for (auto it = std::filesystem::directory_iterator(folder, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    ++entries;
  }
  return entries;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

std::vector<prometheus::MetricFamily> ProcessMetrics::Collect() const {
  using Type = prometheus::MetricType;
  return {
      Family("process_resident_memory_bytes", "Resident memory.", Type::Gauge, ResidentBytes()),
      Family("process_open_fds", "Open file descriptors.", Type::Gauge, CountEntries("/proc/self/fd")),
      Family("process_threads", "Threads.", Type::Gauge, CountEntries("/proc/self/task")),
      Family("process_start_time_seconds", "Unix time of the start.", Type::Gauge,
             absl::ToDoubleSeconds(start_time_ - absl::UnixEpoch())),
      Family("process_cpu_seconds_total", "User and system time.", Type::Counter, CpuSeconds()),
  };
}

}  // namespace graft::metrics
