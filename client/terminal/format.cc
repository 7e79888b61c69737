#include "client/terminal/format.h"

#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace graft::terminal {
namespace {

// Bytes of the UTF-8 sequence at the start of `text`; 0 if it is not one, or encodes a control character.
size_t PrintableSequenceLength(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool is_c1_control = first == 0xc2 && byte(1) < 0xa0;
  return is_c1_control ? 0 : length;
}

}  // namespace

std::string FormatDuration(absl::Duration duration) {
  const double seconds = absl::ToDoubleSeconds(duration);
  if (!std::isfinite(seconds) || seconds < 0) return "-";
  if (seconds < 0.9995) return absl::StrFormat("%.0fms", 1000 * seconds);
  if (seconds < 9.95) return absl::StrFormat("%.1fs", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return absl::StrCat(whole, "s");
  if (whole < 3600) return absl::StrFormat("%dm %02ds", whole / 60, whole % 60);
  return absl::StrFormat("%dh %02dm", whole / 3600, whole % 3600 / 60);
}

std::string FormatBytes(int64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  constexpr std::array<absl::string_view, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string FormatCount(int64_t count) {
  std::string digits = absl::StrCat(count);
  const int first = count < 0 ? 1 : 0;
  for (int i = static_cast<int>(digits.size()) - 3; i > first; i -= 3) digits.insert(static_cast<size_t>(i), ",");
  return digits;
}

std::string FormatPercent(double share) {
  return absl::StrFormat("%.1f%%", 100 * share);
}

std::string FormatMetric(double value) {
  return std::isfinite(value) ? absl::StrFormat("%.4f", value) : "-";
}

std::string FormatTime(absl::Time time) {
  if (time <= absl::UnixEpoch()) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", time, absl::LocalTimeZone());
}

std::string Printable(absl::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const size_t length = PrintableSequenceLength(text);
    if (length == 0) {
      result += '?';
      text.remove_prefix(1);
    } else {
      result.append(text.data(), length);
      text.remove_prefix(length);
    }
  }
  return result;
}

int DisplayWidth(absl::string_view text) {
  int width = 0;
  for (const char c : text) {
    const bool continues_code_point = (static_cast<unsigned char>(c) & 0xc0) == 0x80;
    if (!continues_code_point) ++width;
  }
  return width;
}

}  // namespace graft::terminal
