// The caller's place in a distributed trace: W3C Trace Context, metadata `traceparent`.
// Source: https://www.w3.org/TR/trace-context-1/
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace graft::logging {

inline constexpr char kTraceparentHeader[] = "traceparent";

struct TraceContext {
  std::string traceparent;  // as it came: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
  std::string trace_id;     // 32 lower-case hex digits, not all 0
};

// None for what is no traceparent: such a one is ignored, as the standard asks.
std::optional<TraceContext> ParseTraceparent(absl::string_view text);

}  // namespace graft::logging
