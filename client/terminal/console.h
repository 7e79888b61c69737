// What a command writes: answers to stdout, everything else around them.
//
//   Answer   what was asked for; always stdout
//   Say      progress and messages for people: stdout beside a table, stderr beside JSON, so that scripts read answers
//   Error    "graft: ..." on stderr
//   Live     one line on stderr, rewritten in place while something runs; nothing where stderr is not a terminal
#pragma once

#include <ostream>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace graft::terminal {

// Thread-safe.
class Console {
 public:
  struct Options {
    bool live = false;   // stderr is a terminal that understands escape sequences
    bool color = false;  // and NO_COLOR is not set (https://no-color.org)
    int columns = 80;
    bool messages_to_err = false;  // stdout carries JSON alone
  };
  // What the process was started with: terminals, TERM, NO_COLOR, window size.
  static Options DetectOptions();

  // The streams outlive the console.
  Console(std::ostream& out, std::ostream& err, Options options) : out_(out), err_(err), options_(options) {}
  // Leaves no live line behind.
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void SendMessagesToErr() ABSL_LOCKS_EXCLUDED(mutex_);

  // Text as it is; ends in a newline, one is added where it is missing. Flushed: a reader sees each line at once.
  void Answer(absl::string_view text) ABSL_LOCKS_EXCLUDED(mutex_);
  void Say(absl::string_view text) ABSL_LOCKS_EXCLUDED(mutex_);
  void Error(absl::string_view text) ABSL_LOCKS_EXCLUDED(mutex_);
  void Live(absl::string_view line) ABSL_LOCKS_EXCLUDED(mutex_);
  void ClearLive() ABSL_LOCKS_EXCLUDED(mutex_);

  bool live() const { return options_.live; }
  int columns() const { return options_.columns; }
  // The text in bold, green or red where colours are wanted.
  std::string Bold(absl::string_view text) const { return Colored(text, "1"); }
  std::string Green(absl::string_view text) const { return Colored(text, "32"); }
  std::string Red(absl::string_view text) const { return Colored(text, "31"); }

 private:
  void Write(std::ostream& stream, absl::string_view text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EraseLive() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Colored(absl::string_view text, absl::string_view code) const;

  std::ostream& out_;
  std::ostream& err_;
  const Options options_;
  absl::Mutex mutex_;
  bool all_to_err_ ABSL_GUARDED_BY(mutex_) = options_.messages_to_err;
  bool live_line_shown_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace graft::terminal
