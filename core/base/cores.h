// How many cores this process may use.
#pragma once

namespace graft {

// The smaller of the affinity mask and the cgroup's CPU quota (v1 or v2), rounded up, at least 1.
int AvailableCores();

}  // namespace graft
