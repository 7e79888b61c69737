#include "client/commands/classify_output.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "client/terminal/format.h"
#include "client/terminal/progress_bar.h"

namespace graft::commands {
namespace {

using terminal::FormatCount;
using terminal::Printable;

constexpr absl::Duration kProgressInterval = absl::Milliseconds(100);

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

}  // namespace

std::string RenderPredictions(const v1::FileClassification& answer) {
  std::string text = Printable(answer.file()) + ":";
  const char* separator = " ";
  for (const auto& prediction : answer.predictions()) {
    absl::StrAppend(&text, separator, Printable(prediction.label()), " ",
                    terminal::FormatPercent(prediction.probability()));
    separator = ", ";
  }
  return text;
}

std::string CsvHeader() {
  return "file,model_version,rank,label,probability,error\n";
}

std::string ToCsv(const v1::FileClassification& answer) {
  const std::string file = CsvField(answer.file());
  if (answer.has_error()) return absl::StrCat(file, ",,,,,", CsvField(answer.error().message()), "\n");
  std::string rows;
  for (int i = 0; i < answer.predictions_size(); ++i) {
    const v1::Prediction& prediction = answer.predictions(i);
    absl::StrAppend(&rows, file, ",", CsvField(answer.model_version()), ",", i + 1, ",", CsvField(prediction.label()),
                    ",", absl::StrFormat("%.9g", prediction.probability()), ",\n");
  }
  return rows;
}

ClassifyOutput::ClassifyOutput(Session& session, int64_t photos)
    : session_(session), photos_(photos), start_(absl::Now()), next_progress_(start_) {
  if (session_.csv) session_.console.Answer(CsvHeader());
  if (photos_ > 1) ShowProgress();
}

void ClassifyOutput::Answered(const v1::FileClassification& answer) {
  ++answered_;
  if (answer.has_error()) ++failed_;
  if (session_.json) {
    session_.console.Answer(ToJson(answer));
  } else if (session_.csv) {
    session_.console.Answer(ToCsv(answer));
  } else if (answer.has_error()) {
    session_.console.Error(absl::StrCat(Printable(answer.file()), ": ", Printable(answer.error().message())));
  } else {
    session_.console.Answer(RenderPredictions(answer));
  }
  if (photos_ > 1) ShowProgress();
}

void ClassifyOutput::Unanswered(const v1::FileClassification& answer) {
  if (session_.json) session_.console.Answer(ToJson(answer));
  if (session_.csv) session_.console.Answer(ToCsv(answer));
}

void ClassifyOutput::Finish() {
  session_.console.ClearLive();
  if (photos_ <= 1 || answered_ == 0) return;
  if (failed_ > 0) {
    session_.console.Error(absl::StrCat(FormatCount(failed_), " of ", FormatCount(photos_), " photos failed"));
  }
  const std::string all = answered_ == photos_ ? "" : absl::StrCat(" of ", FormatCount(photos_));
  session_.console.Say(absl::StrFormat("%s%s photos in %s, %.1f images/s", FormatCount(answered_), all,
                                       terminal::FormatDuration(absl::Now() - start_), PerSecond()));
}

double ClassifyOutput::PerSecond() const {
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start_);
  return seconds > 0 ? static_cast<double>(answered_) / seconds : 0;
}

// Printing an answer takes the bar away, so that on a terminal that shows both it is drawn again each time.
void ClassifyOutput::ShowProgress() {
  const absl::Time now = absl::Now();
  if (!session_.console.live() || now < next_progress_) return;
  next_progress_ = now + kProgressInterval;
  const double per_second = PerSecond();
  std::string detail =
      absl::StrFormat("%s/%s, %.1f images/s", FormatCount(answered_), FormatCount(photos_), per_second);
  if (per_second > 0) {
    const absl::Duration left = absl::Seconds(static_cast<double>(photos_ - answered_) / per_second);
    absl::StrAppend(&detail, ", ", terminal::FormatDuration(left), " left");
  }
  if (failed_ > 0) absl::StrAppend(&detail, ", ", failed_, " failed");
  session_.console.Live(
      terminal::RenderProgressBar({"classify", answered_, photos_, detail}, session_.console.columns() - 1));
}

}  // namespace graft::commands
