// Numbers, times and names as people read them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace graft::terminal {

// "840ms", "4.2s", "42s", "3m 05s", "2h 10m"
std::string FormatDuration(absl::Duration duration);

// "512 B", "1.5 KiB", "12.0 MiB"
std::string FormatBytes(int64_t bytes);

// "2,263,108"
std::string FormatCount(int64_t count);

// "97.3%" of a share between 0 and 1.
std::string FormatPercent(double share);

// Four decimals; "-" for a number that is not finite.
std::string FormatMetric(double value);

// Local time, "2026-11-23 16:09:12"; "-" for the beginning of time, which is what an unset timestamp reads as.
std::string FormatTime(absl::Time time);

// The text with control characters (a file or class name may hold escape sequences) and invalid UTF-8 replaced by '?'.
std::string Printable(absl::string_view text);

// Columns that UTF-8 text takes on a terminal; one per code point, which is right for all but wide scripts.
int DisplayWidth(absl::string_view text);

}  // namespace graft::terminal
