// What `graft classify` prints.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "client/commands/command.h"
#include "graft/v1/inference.pb.h"

namespace graft::commands {

// One photo's answer: "photos/1.jpg: cat 97.3%, dog 2.1%".
std::string RenderPredictions(const v1::FileClassification& answer);

// The columns of -o csv, and one photo's rows: one per prediction, or one with the error. RFC 4180 but for the line
// ends, which are newlines.
std::string CsvHeader();
std::string ToCsv(const v1::FileClassification& answer);

// Answers to stdout in the session's format; on a terminal a progress bar under them. One thread at a time.
class ClassifyOutput {
 public:
  ClassifyOutput(Session& session, int64_t photos);

  void Answered(const v1::FileClassification& answer);
  // The error concerns all photos: whoever reads lines gets it for each, people get it once, from the caller.
  void Unanswered(const v1::FileClassification& answer);
  // The last words, where there were several photos.
  void Finish();

  int64_t answered() const { return answered_; }
  int64_t failed() const { return failed_; }

 private:
  void ShowProgress();
  double PerSecond() const;

  Session& session_;
  const int64_t photos_;
  const absl::Time start_;
  absl::Time next_progress_;
  int64_t answered_ = 0;
  int64_t failed_ = 0;  // of them
};

}  // namespace graft::commands
