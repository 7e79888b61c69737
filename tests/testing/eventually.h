// What another thread or process brings about.
#pragma once

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace graft::testing {

// Whether `condition` holds before `patience` has passed, asked again and again.
template <typename Condition>
bool Eventually(Condition condition, absl::Duration patience = absl::Seconds(30)) {
  for (const absl::Time end = absl::Now() + patience; absl::Now() < end; absl::SleepFor(absl::Milliseconds(10))) {
    if (condition()) return true;
  }
  return false;
}

}  // namespace graft::testing
