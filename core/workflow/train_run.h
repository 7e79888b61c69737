// The steps of a train job, from its resolved spec to a published version.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/workflow/candidate.h"
#include "core/workflow/evaluation.h"
#include "core/workflow/job_log.h"
#include "core/workflow/train_workflow.h"

namespace graft::workflow {

// One attempt at one job. One thread at a time.
class TrainRun {
 public:
  TrainRun(const Resources& resources, const jobs::Claim& claim, JobLog& log, const std::function<bool()>& stop,
           const std::function<bool()>& finish)
      : resources_(resources),
        spec_(claim.job.spec),
        lease_(claim.lease),
        worked_before_(claim.job.worked),
        log_(log),
        stop_(stop),
        finish_(finish) {}

  // OK when the version is published and the job SUCCEEDED; what FailureOf explains, LeaseLost or Cancelled otherwise.
  absl::Status Run();

 private:
  using OnFeatures = std::function<void(const features::FeatureProgress&)>;

  absl::Status Enter(jobs::State state);
  absl::StatusOr<TrainInputs> ResolveInputs();
  absl::Status OpenDataset(TrainInputs& inputs);
  absl::Status FindNetwork(TrainInputs& inputs);
  absl::StatusOr<engine::Precision> FirstPrecision() const;
  absl::StatusOr<features::FeatureMatrix> GetFeatures(const TrainInputs& inputs, engine::Precision precision,
                                                      const Examples& examples, const features::PhotoView& view,
                                                      const OnFeatures& report);
  absl::StatusOr<Splits> PrepareSplits(const TrainInputs& inputs, engine::Precision precision);
  // What the first phase starts from, where it is on photos.
  absl::StatusOr<Candidate> Untrained(const TrainInputs& inputs);
  // Goes on from the candidate with the phases on photos; then `inputs` has the weights they made, and the candidate's
  // head is of those. Where training is finished early before a first epoch of theirs, both stay as they are.
  absl::Status FineTune(TrainInputs& inputs, Candidate& candidate);
  absl::StatusOr<std::vector<float>> AskTeacher(const TrainInputs& inputs);
  absl::Status TakeBackbone(const std::string& safetensors, TrainInputs& inputs);
  // Of a candidate with weights of its own: the precision to serve it in, and features in it.
  absl::Status PrepareEvaluation(const TrainInputs& inputs, Candidate& candidate);
  absl::StatusOr<train::LabelledFeatures> FeaturesAt(const TrainInputs& inputs, engine::Precision precision,
                                                     const std::vector<int>& indices);
  absl::Status FindHead(const TrainInputs& inputs, Candidate& candidate);
  absl::StatusOr<train::TrainedHead> TrainHead(const TrainInputs& inputs, const Splits& splits);
  absl::StatusOr<Candidate> Train(const TrainInputs& inputs, engine::Precision precision);
  // The time limit has struck.
  bool TimeIsUp() const;
  // What is to be done for the best epoch so far to be published instead of trained on; empty when nothing is.
  std::string ReasonToFinish() const;
  std::string StopReason(const Candidate& candidate) const;
  // `epochs`: of the job, at most; `left`: of them, those that take as long as this one.
  absl::Status ReportEpoch(const train::EpochMetrics& metrics, const std::string& phase, int epochs, int left);
  std::string Folder() const;  // the job's, which is deleted when it has ended
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

  const Resources& resources_;
  const jobs::TrainSpec& spec_;
  const jobs::Lease lease_;
  const absl::Duration worked_before_;  // by earlier attempts
  const absl::Time start_ = absl::Now();
  JobLog& log_;
  const std::function<bool()>& stop_;
  const std::function<bool()>& finish_;
  std::string finished_early_;  // the reason, once training has ended before its time
  absl::Time phase_start_;
  std::map<std::string, double> phase_seconds_;
  // Of the job's own weights: in its folder, so that they neither push others out nor stay for ever.
  std::optional<features::FeatureCache> own_features_;
};

}  // namespace graft::workflow
