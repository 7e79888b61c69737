#include "server/logging/trace_context.h"

#include <algorithm>

namespace graft::logging {
namespace {

constexpr size_t kVersion = 2, kTraceId = 32, kParentId = 16, kFlags = 2;  // hex digits
constexpr size_t kLength = kVersion + 1 + kTraceId + 1 + kParentId + 1 + kFlags;
constexpr size_t kLongest = 128;  // of a later version, which may say more behind what is known

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsZero(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '0'; });
}

bool IsPrintable(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(absl::string_view text) {
  if (text.size() < kLength || text.size() > kLongest || !IsPrintable(text)) return std::nullopt;
  const absl::string_view version = text.substr(0, kVersion);
  const absl::string_view trace_id = text.substr(kVersion + 1, kTraceId);
  const absl::string_view parent_id = text.substr(kVersion + 1 + kTraceId + 1, kParentId);
  const absl::string_view flags = text.substr(kLength - kFlags, kFlags);
  const bool dashes =
      text[kVersion] == '-' && text[kVersion + 1 + kTraceId] == '-' && text[kLength - kFlags - 1] == '-';
  const bool hex = IsHex(version) && IsHex(trace_id) && IsHex(parent_id) && IsHex(flags);
  if (!dashes || !hex || IsZero(trace_id) || IsZero(parent_id) || version == "ff") return std::nullopt;
  const bool longer = text.size() > kLength;
  if (longer && (version == "00" || text[kLength] != '-')) return std::nullopt;
  return TraceContext{.traceparent = std::string(text), .trace_id = std::string(trace_id)};
}

}  // namespace graft::logging
