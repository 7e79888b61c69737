#include "client/terminal/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace graft::terminal {
namespace {

bool IsCapableTerminal(int descriptor) {
  const char* term = std::getenv("TERM");
  return isatty(descriptor) == 1 && term != nullptr && absl::string_view(term) != "dumb";
}

int WindowColumns(int descriptor) {
  constexpr int kUsualColumns = 80;
  winsize size{};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsualColumns;
}

}  // namespace

Console::Options Console::DetectOptions() {
  const char* no_color = std::getenv("NO_COLOR");
  Options options;
  options.live = IsCapableTerminal(STDERR_FILENO);
  options.color = IsCapableTerminal(STDOUT_FILENO) && (no_color == nullptr || *no_color == '\0');
  options.columns = WindowColumns(STDERR_FILENO);
  return options;
}

Console::~Console() {
  ClearLive();
}

void Console::SendMessagesToErr() {
  absl::MutexLock lock(&mutex_);
  all_to_err_ = true;
}

void Console::Answer(absl::string_view text) {
  absl::MutexLock lock(&mutex_);
  Write(out_, text);
}

void Console::Say(absl::string_view text) {
  absl::MutexLock lock(&mutex_);
  Write(all_to_err_ ? err_ : out_, text);
}

void Console::Error(absl::string_view text) {
  absl::MutexLock lock(&mutex_);
  Write(err_, absl::StrCat("graft: ", text));
}

void Console::Live(absl::string_view line) {
  if (!options_.live) return;
  absl::MutexLock lock(&mutex_);
  err_ << "\r\x1b[K" << line << std::flush;
  live_line_shown_ = true;
}

void Console::ClearLive() {
  absl::MutexLock lock(&mutex_);
  EraseLive();
}

void Console::Write(std::ostream& stream, absl::string_view text) {
  EraseLive();
  stream << text;
  if (!absl::EndsWith(text, "\n")) stream << '\n';
  stream << std::flush;
}

void Console::EraseLive() {
  if (!live_line_shown_) return;
  err_ << "\r\x1b[K" << std::flush;
  live_line_shown_ = false;
}

std::string Console::Colored(absl::string_view text, absl::string_view code) const {
  return options_.color ? absl::StrCat("\x1b[", code, "m", text, "\x1b[0m") : std::string(text);
}

}  // namespace graft::terminal
