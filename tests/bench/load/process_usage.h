// What a process has used so far.
#pragma once

#include <sys/types.h>

namespace graft::bench {

// User and system time of all threads, ended ones included. 0 for a process that is gone.
double CpuSeconds(pid_t pid);

}  // namespace graft::bench
