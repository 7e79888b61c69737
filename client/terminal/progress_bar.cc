#include "client/terminal/progress_bar.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "client/terminal/format.h"

namespace graft::terminal {
namespace {

constexpr int kBarColumns = 30;
constexpr int kSmallestBar = 5;

// The first `width` code points.
std::string Cut(const std::string& text, int width) {
  size_t end = 0;
  for (int columns = 0; end < text.size(); ++end) {
    const bool starts_code_point = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
    if (starts_code_point && ++columns > width) break;
  }
  return text.substr(0, end);
}

}  // namespace

int PercentDone(const Progress& progress) {
  if (progress.total <= 0) return 0;
  const int64_t done = std::clamp<int64_t>(progress.done, 0, progress.total);
  return static_cast<int>(100.0 * static_cast<double>(done) / static_cast<double>(progress.total));
}

std::string RenderProgressBar(const Progress& progress, int width) {
  const std::string title = Printable(progress.title);
  constexpr int kAround = 9;  // " [", "] ", "100%", " "
  const int bar =
      std::clamp(width - DisplayWidth(title) - kAround - DisplayWidth(progress.detail), kSmallestBar, kBarColumns);
  const int percent = PercentDone(progress);
  const int filled = bar * percent / 100;
  const std::string line =
      absl::StrFormat("%s [%s%s] %3d%% %s", title, std::string(static_cast<size_t>(filled), '#'),
                      std::string(static_cast<size_t>(bar - filled), '-'), percent, Printable(progress.detail));
  return Cut(line, width);
}

}  // namespace graft::terminal
