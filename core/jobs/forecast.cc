#include "core/jobs/forecast.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace graft::jobs {
namespace {

using Seconds = std::optional<double>;  // nothing: not known

constexpr int kMostMeasuredJobs = 5;  // the latest: machines and programs change

Seconds Sum(Seconds a, Seconds b) {
  return a && b ? Seconds(*a + *b) : std::nullopt;
}

Seconds Times(Seconds seconds, std::optional<double> count) {
  return seconds && count ? Seconds(*seconds * *count) : std::nullopt;
}

// Seconds and what they were spent on, over several jobs.
struct Measured {
  double seconds = 0, units = 0;
  int jobs = 0;

  void Add(double more_seconds, double more_units) {
    if (more_units <= 0 || jobs == kMostMeasuredJobs) return;
    seconds += more_seconds;
    units += more_units;
    ++jobs;
  }
  Seconds PerUnit() const { return units > 0 ? Seconds(seconds / units) : std::nullopt; }
};

struct Rates {
  Measured computing, reading;  // features, per photo or view of one
  Measured training;            // per photo and epoch; per photo, where Epochs() is not known
  Measured finishing;           // evaluating and publishing, per job
};

double PhaseOf(const Result& result, const std::string& name) {
  const auto found = result.phase_seconds.find(name);
  return found == result.phase_seconds.end() ? 0 : found->second;
}

bool BeginsWithHead(const TrainSpec& spec) {
  return spec.phases.empty() || spec.phases.front().trainable == "head";
}

// Of the phases on photos: next to theirs, those of the head before them take no time.
int PhotoEpochs(const TrainSpec& spec) {
  int epochs = 0;
  for (const Phase& phase : spec.phases) {
    if (phase.trainable != "head") epochs += phase.epochs.value_or(0);
  }
  return epochs;
}

// Those that training takes its time for, at most; not known for a solver, nor for a sweep, whose epochs have more and
// less candidates.
std::optional<int> Epochs(const TrainSpec& spec) {
  if (const int on_photos = PhotoEpochs(spec); on_photos > 0) return on_photos;
  if (!spec.phases.empty()) return spec.phases.front().epochs;
  return spec.sweep.empty() ? spec.epochs : std::nullopt;
}

bool TrainsTheSame(const std::vector<Phase>& a, const std::vector<Phase>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Phase& one, const Phase& other) { return one.trainable == other.trainable; });
}

bool IsAlike(const TrainSpec& a, const TrainSpec& b) {
  return a.backbone == b.backbone && a.preset == b.preset && a.device == b.device &&
         a.epochs.has_value() == b.epochs.has_value() && a.sweep.empty() == b.sweep.empty() &&
         TrainsTheSame(a.phases, b.phases);
}

// What the job has run of Epochs(): those on photos have no early stop but where it is asked for.
int EpochsRun(const TrainSpec& spec, const Result& result) {
  const int on_photos = PhotoEpochs(spec);
  return on_photos > 0 ? std::min(on_photos, result.epochs_run) : result.epochs_run;
}

// How many rows of features there are to a photo: train photos have their views.
double RowsPerPhoto(const TrainSpec& spec) {
  return 1 + spec.train_fraction.value_or(0) * (spec.views.value_or(1) - 1);
}

Rates RatesFor(const TrainSpec& spec, const ForecastFacts& facts) {
  Rates rates;
  for (const Job& job : facts.succeeded) {
    if (!job.result || !IsAlike(job.spec, spec)) continue;
    const Result& result = *job.result;
    const int rows = result.images_computed + result.images_from_cache;
    // Those that did both say little about either.
    if (result.images_from_cache == 0) rates.computing.Add(PhaseOf(result, "prepare"), rows);
    if (result.images_computed == 0) rates.reading.Add(PhaseOf(result, "prepare"), rows);
    // Without a phase of the head there are no features.
    const double photos = rows > 0 ? rows / RowsPerPhoto(job.spec) : facts.images(job.spec.dataset).value_or(0);
    rates.training.Add(PhaseOf(result, "train"), photos * (Epochs(spec) ? EpochsRun(job.spec, result) : 1));
    rates.finishing.Add(PhaseOf(result, "evaluate") + PhaseOf(result, "publish"), 1);
  }
  return rates;
}

bool HasFeatures(const TrainSpec& spec, const std::vector<Job>& succeeded) {
  return std::any_of(succeeded.begin(), succeeded.end(), [&](const Job& job) {
    const TrainSpec& other = job.spec;
    const bool has_views =
        !spec.views || (other.views == spec.views && other.augment == spec.augment && other.seed == spec.seed);
    return other.dataset == spec.dataset && other.backbone == spec.backbone && other.device == spec.device &&
           other.decode == spec.decode && other.precision == spec.precision && has_views;
  });
}

// One job's time on its device.
class Estimate {
 public:
  Estimate(const Job& job, const ForecastFacts& facts)
      : job_(job),
        rates_(RatesFor(job.spec, facts)),
        since_progress_(absl::ToDoubleSeconds(facts.now - job.progress.time)),
        has_features_(job.progress.epoch > 0 || HasFeatures(job.spec, facts.succeeded)) {
    if (const auto images = facts.images(job.spec.dataset)) images_ = *images;
  }

  Seconds Left() const {
    switch (job_.state) {
      case State::kQueued:
        return UpToItsLimit(Sum(Sum(PreparingAll(), EpochsLeft()), Finishing()));
      case State::kPreparing:
        return UpToItsLimit(Sum(Sum(PreparingLeft(), EpochsLeft()), Finishing()));
      case State::kTraining:
        return UpToItsLimit(Sum(TrainingLeft(), Finishing()));
      case State::kEvaluating:
      case State::kPublishing:
        return Finishing();
      default:  // about to leave its device, or not on it
        return 0;
    }
  }

 private:
  Seconds Finishing() const { return rates_.finishing.PerUnit(); }
  Seconds PreparingAll() const {
    if (!BeginsWithHead(job_.spec)) return 0;
    const Seconds per_row = has_features_ ? rates_.reading.PerUnit() : rates_.computing.PerUnit();
    return Times(Times(per_row, images_), RowsPerPhoto(job_.spec));
  }
  Seconds EpochsLeft() const { return Times(Times(rates_.training.PerUnit(), images_), EpochCountLeft()); }
  int EpochCountLeft() const {
    const std::optional<int> epochs = Epochs(job_.spec);
    if (!epochs) return 1;
    if (job_.progress.epoch == 0) return *epochs;
    // The numbers of all phases together; a head that stopped early leaves some out.
    return std::min(*epochs, job_.progress.epochs - job_.progress.epoch);
  }
  bool TrainsHeadBeforePhotos() const {
    return BeginsWithHead(job_.spec) && PhotoEpochs(job_.spec) > 0 &&
           job_.progress.epochs - job_.progress.epoch >= PhotoEpochs(job_.spec);
  }
  // What the job itself measures goes before what others did.
  Seconds PreparingLeft() const { return job_.progress.seconds_left > 0 ? OwnWord() : PreparingAll(); }
  Seconds TrainingLeft() const {
    if (job_.progress.seconds_left <= 0) return EpochsLeft();
    return TrainsHeadBeforePhotos() ? Sum(OwnWord(), EpochsLeft()) : OwnWord();
  }
  Seconds OwnWord() const { return std::max(0.0, job_.progress.seconds_left - since_progress_); }

  Seconds UpToItsLimit(Seconds left) const {
    if (!left || !job_.spec.max_seconds) return left;
    return std::min(*left, std::max(0.0, *job_.spec.max_seconds - absl::ToDoubleSeconds(job_.worked)));
  }

  const Job& job_;
  const Rates rates_;
  const double since_progress_;
  const bool has_features_;
  std::optional<double> images_;
};

std::string JobsBefore(int count, const std::string& device) {
  if (count == 0) return absl::StrCat("next on ", device);
  return absl::StrCat(count, count == 1 ? " job" : " jobs", " before it on ", device);
}

// What one device has before it, as its jobs are gone through in the order of the queue.
struct Line {
  int jobs = 0;
  Seconds seconds = 0;
};

}  // namespace

std::map<std::string, Outlook> Forecast(const ForecastFacts& facts) {
  std::map<std::string, Outlook> outlooks;
  std::map<std::string, Line> lines;
  for (const Job& job : facts.unfinished) {
    Outlook& outlook = outlooks[job.id];
    if (job.state == State::kPaused) {
      outlook.waiting_reason = "paused";
      continue;
    }
    const std::string& device = job.spec.device;
    Line& line = lines[device];
    const bool has_worker = facts.worker_runs(device);
    const bool queued = job.state == State::kQueued;
    if (!has_worker) {
      outlook.waiting_reason = absl::StrCat("no worker for ", device, " is alive");
    } else if (queued) {
      outlook.waiting_reason = JobsBefore(line.jobs, device);
    }
    const auto time_after = [&](Seconds seconds) {
      const bool known = has_worker && seconds.has_value();
      return known ? std::optional<absl::Time>(facts.now + absl::Seconds(*seconds)) : std::nullopt;
    };
    if (queued) outlook.start = time_after(line.seconds);
    ++line.jobs;
    line.seconds = Sum(line.seconds, Estimate(job, facts).Left());
    if (job.state != State::kCancelling && job.state != State::kPausing) outlook.end = time_after(line.seconds);
  }
  return outlooks;
}

}  // namespace graft::jobs
