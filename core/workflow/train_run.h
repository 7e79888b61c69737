// The steps of a train job, from its resolved spec to a published version.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/workflow/attempt.h"
#include "core/workflow/candidate.h"
#include "core/workflow/evaluation.h"
#include "core/workflow/job_features.h"
#include "core/workflow/job_log.h"
#include "core/workflow/train_workflow.h"

namespace graft::workflow {

// One attempt at one job. One thread at a time.
class TrainRun {
 public:
  TrainRun(const Resources& resources, const jobs::Claim& claim, JobLog& log, const std::function<bool()>& stop,
           const std::function<bool()>& finish)
      : attempt_(resources, claim, log, stop, finish),
        resources_(resources),
        spec_(claim.job.spec),
        log_(log),
        features_(attempt_) {}

  // OK when the version is published and the job SUCCEEDED; what FailureOf explains, LeaseLost or Cancelled otherwise.
  absl::Status Run();

 private:
  absl::Status Enter(jobs::State state);
  absl::StatusOr<TrainInputs> ResolveInputs();
  absl::Status OpenDataset(TrainInputs& inputs);
  absl::Status FindNetwork(TrainInputs& inputs);
  absl::StatusOr<engine::Precision> FirstPrecision() const;
  // The head on cached features.
  absl::StatusOr<Candidate> Train(const TrainInputs& inputs, engine::Precision precision);
  absl::Status FindHead(const TrainInputs& inputs, Candidate& candidate);
  absl::StatusOr<train::TrainedHead> TrainHead(const TrainInputs& inputs, const Splits& splits);
  // What the first phase starts from, where it is on photos.
  absl::StatusOr<Candidate> Untrained(const TrainInputs& inputs);
  // Of a candidate after phases on photos: the precision to serve it in, and features in it.
  absl::Status PrepareEvaluation(const TrainInputs& inputs, Candidate& candidate);
  std::string StopReason(const Candidate& candidate) const;
  // Where bf16 is not the faster one, there is nothing to win with it.
  bool AutoTriesBf16() const;
  // Whether the precision to serve in is still to be measured.
  bool MustChoosePrecision() const;
  absl::StatusOr<engine::Precision> ChoosePrecision(const TrainInputs& inputs, const Candidate& candidate);
  absl::StatusOr<jobs::PrecisionReport> Measure(const TrainInputs& inputs, const Candidate& candidate);
  // What was measured to choose by, where it holds for the candidate.
  absl::StatusOr<jobs::PrecisionReport> PrecisionOf(const TrainInputs& inputs, const Candidate& candidate);
  absl::StatusOr<Evaluation> Evaluate(const TrainInputs& inputs, const Candidate& candidate);
  absl::Status Publish(const TrainInputs& inputs, const Candidate& candidate, Evaluation evaluation);
  absl::StatusOr<std::string> Manifest(const TrainInputs& inputs, engine::Precision precision,
                                       const jobs::Result& result) const;

  // Adds to the phase `name` the time since the phase before ended.
  void EndPhase(const std::string& name);
  // Of the phases that ended, with their "total".
  std::map<std::string, double> PhaseSeconds() const;

  const Attempt attempt_;
  const Resources& resources_;
  const jobs::TrainSpec& spec_;
  JobLog& log_;
  JobFeatures features_;
  std::string finished_early_;  // the reason, once training has ended before its time
  absl::Time phase_start_;
  std::map<std::string, double> phase_seconds_;
};

}  // namespace graft::workflow
