#include "server/metrics/process_families.h"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/base/data_folder.h"

namespace graft::metrics {
namespace {

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

double MaxDescriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// With the write-ahead log.
double DatabaseBytes(const std::string& path) {
  double bytes = 0;
  for (const char* suffix : {"", "-wal"}) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path + suffix, error);
    if (!error) bytes += static_cast<double>(size);
  }
  return bytes;
}

}  // namespace

Families ProcessFamilies(absl::Time start_time) {
  return {
      Gauge("process_resident_memory_bytes", "Resident memory.", {{ResidentBytes()}}),
      Gauge("process_open_fds", "Open file descriptors.", {{CountEntries("/proc/self/fd")}}),
      Gauge("process_max_fds", "Limit of open file descriptors.", {{MaxDescriptors()}}),
      Gauge("process_threads", "Threads.", {{CountEntries("/proc/self/task")}}),
      Gauge("process_start_time_seconds", "Unix time of the start.",
            {{absl::ToDoubleSeconds(start_time - absl::UnixEpoch())}}),
      Counter("process_cpu_seconds_total", "User and system time.", {{CpuSeconds()}}),
  };
}

Families DiskFamilies(const std::string& data_dir) {
  Families families = {Gauge("graft_database_bytes", "Size of the database's files.",
                             {{DatabaseBytes(DataFolder{data_dir}.database())}})};
  struct statvfs disk {};
  if (statvfs(data_dir.c_str(), &disk) != 0) return families;
  const auto block = static_cast<double>(disk.f_frsize);
  families.push_back(Gauge("graft_disk_size_bytes", "Size of the file system that holds the data folder.",
                           {{block * static_cast<double>(disk.f_blocks)}}));
  families.push_back(Gauge("graft_disk_free_bytes", "Of it, what the server may still use.",
                           {{block * static_cast<double>(disk.f_bavail)}}));
  return families;
}

}  // namespace graft::metrics
