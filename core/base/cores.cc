#include "core/base/cores.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

namespace graft {
namespace {

int AffinityCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

// Cores the cgroup's quota allows; a huge number when there is no quota.
double QuotaCores() {
  std::string quota;
  double period = 0;
  std::ifstream("/sys/fs/cgroup/cpu.max") >> quota >> period;
  if (quota.empty()) {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  const double microseconds = std::strtod(quota.c_str(), nullptr);  // "max" and "-1" mean none
  return microseconds > 0 && period > 0 ? microseconds / period : 1e9;
}

}  // namespace

int AvailableCores() {
  return std::max(1, std::min(AffinityCores(), static_cast<int>(std::ceil(std::min(QuotaCores(), 1e6)))));
}

}  // namespace graft
