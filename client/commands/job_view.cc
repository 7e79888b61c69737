#include "client/commands/job_view.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands/job_report.h"
#include "client/commands/names.h"
#include "client/terminal/format.h"
#include "client/terminal/progress_bar.h"

namespace graft::commands {

using terminal::FormatMetric;

void JobView::Show(const v1::JobEvent& event) {
  switch (event.event_case()) {
    case v1::JobEvent::kStateChanged:
      ShowState(event.state_changed());
      break;
    case v1::JobEvent::kFeatureProgress:
      ShowFeatures(event.feature_progress());
      break;
    case v1::JobEvent::kFeaturesReady:
      console_.Say(absl::StrCat("features: ", event.features_ready().images_computed(), " computed, ",
                                event.features_ready().images_from_cache(), " from cache, ",
                                terminal::FormatDuration(absl::Seconds(event.features_ready().seconds()))));
      break;
    case v1::JobEvent::kEpochDone:
      ShowEpoch(event.epoch_done());
      break;
    case v1::JobEvent::kMessage:
      console_.Say(terminal::Printable(event.message().text()));
      break;
    case v1::JobEvent::kPrecisionChosen:
      console_.Say(RenderPrecision(event.precision_chosen().report()));
      break;
    case v1::JobEvent::kMemoryReduced:
      console_.Say(absl::StrCat(terminal::Printable(event.memory_reduced().reason()), "; goes on with 1/",
                                event.memory_reduced().divisor(), " at a time"));
      break;
    case v1::JobEvent::kTrialDone:
      ShowTrial(event.trial_done().trial(), event.trial_done().trials());
      break;
    case v1::JobEvent::EVENT_NOT_SET:
      break;  // a newer server's event
  }
}

void JobView::ShowState(const v1::JobEvent::StateChanged& change) {
  std::string line = StateWord(change.state());
  if (!change.reason().empty()) absl::StrAppend(&line, ": ", terminal::Printable(change.reason()));
  next_plain_percent_ = 10;
  if (HasEnded(change.state())) {
    console_.Say(change.state() == v1::JOB_STATE_SUCCEEDED ? console_.Green(line) : console_.Red(line));
    return;
  }
  console_.Say(line);
}

void JobView::ShowFeatures(const v1::JobEvent::FeatureProgress& progress) {
  const std::string detail = absl::StrFormat("%d/%d, %.0f images/s, %s left", progress.images_done(),
                                             progress.images_total(), progress.images_per_second(),
                                             terminal::FormatDuration(ToDuration(progress.estimated_time_left())));
  const terminal::Progress bar{"features", progress.images_done(), progress.images_total(), detail};
  if (console_.live()) {
    console_.Live(terminal::RenderProgressBar(bar, console_.columns() - 1));
    return;
  }
  const int percent = terminal::PercentDone(bar);
  if (percent < next_plain_percent_) return;
  next_plain_percent_ = percent - percent % 10 + 10;
  console_.Say(absl::StrCat("features ", detail));
}

void JobView::ShowEpoch(const v1::JobEvent::EpochDone& epoch) {
  console_.Say(absl::StrFormat(
      "epoch %d/%d%s  loss %s  acc %s  val_loss %s  val_acc %s  lr %g  %s  %.0f images/s%s%s", epoch.epoch(),
      epoch.epochs(), epoch.phase().empty() ? "" : absl::StrCat(" ", terminal::Printable(epoch.phase())),
      FormatMetric(epoch.train_loss()), FormatMetric(epoch.train_accuracy()), FormatMetric(epoch.validation_loss()),
      FormatMetric(epoch.validation_accuracy()), epoch.learning_rate(), absl::StrFormat("%.2fs", epoch.seconds()),
      epoch.images_per_second(),
      epoch.epoch() < epoch.epochs()
          ? absl::StrCat("  ", terminal::FormatDuration(ToDuration(epoch.estimated_time_left())), " left")
          : "",
      epoch.best() ? "  best" : ""));
}

void JobView::ShowTrial(const v1::Trial& trial, int trials) {
  console_.Say(absl::StrFormat("trial %d of %d  %s  loss %s  acc %s  val_loss %s  val_acc %s  %s  %.2fs%s",
                               trial.number(), trials, RenderSetting(trial), FormatMetric(trial.train_loss()),
                               FormatMetric(trial.train_accuracy()), FormatMetric(trial.validation_loss()),
                               FormatMetric(trial.validation_accuracy()), RenderEffort(trial), trial.seconds(),
                               trial.best() ? "  best" : ""));
}

}  // namespace graft::commands
