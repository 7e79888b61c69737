// The steps of a train job, from its resolved spec to a published version.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/network/backbone_catalog.h"
#include "core/network/preprocess.h"
#include "core/train/head_trainer.h"
#include "core/weights/weight_store.h"
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
  // What the spec names.
  struct Inputs {
    dataset::Version version;
    std::vector<dataset::Example> examples;
    dataset::SplitIndices split;
    network::BackboneFacts backbone;
    weights::StoredWeights weights;
    network::PreprocessSpec preprocess;
    engine::Precision precision;  // to train in first
    int classes() const { return static_cast<int>(version.labels.size()); }
  };
  struct Splits {
    train::LabelledFeatures train, validation, test;
  };
  // A head, and the features it was trained on.
  struct Candidate {
    engine::Precision precision;
    Splits splits;
    train::TrainedHead trained;
  };
  using Examples = std::vector<dataset::Example>;
  using OnFeatures = std::function<void(const features::FeatureProgress&)>;

  absl::Status Enter(jobs::State state);
  absl::StatusOr<Inputs> ResolveInputs();
  absl::Status OpenDataset(Inputs& inputs);
  absl::Status FindNetwork(Inputs& inputs);
  absl::StatusOr<engine::Precision> FirstPrecision() const;
  absl::StatusOr<features::FeatureMatrix> GetFeatures(const Inputs& inputs, engine::Precision precision,
                                                      const Examples& examples, const OnFeatures& report);
  absl::StatusOr<Splits> PrepareSplits(const Inputs& inputs, engine::Precision precision);
  absl::StatusOr<train::TrainedHead> TrainHead(const Inputs& inputs, const Splits& splits);
  absl::StatusOr<Candidate> Train(const Inputs& inputs, engine::Precision precision);
  // The time limit has struck.
  bool TimeIsUp() const;
  // What is to be done for the best epoch so far to be published instead of trained on; empty when nothing is.
  std::string ReasonToFinish() const;
  std::string StopReason(const train::TrainedHead& trained) const;
  absl::Status ReportEpoch(const train::EpochMetrics& metrics);
  // Whether the precision to serve in is still to be measured.
  bool MustChoosePrecision() const;
  absl::StatusOr<engine::Precision> ChoosePrecision(const Inputs& inputs, const Candidate& candidate);
  absl::StatusOr<jobs::PrecisionReport> MeasurePrecision(const Inputs& inputs, const Candidate& candidate);
  absl::StatusOr<std::vector<int>> TopClasses(const train::Head& head, const train::LabelledFeatures& features) const;
  absl::StatusOr<jobs::Result> Evaluate(const Inputs& inputs, const Candidate& candidate);
  absl::Status Publish(const Inputs& inputs, const Candidate& candidate, jobs::Result result);
  absl::StatusOr<std::string> Manifest(const Inputs& inputs, engine::Precision precision,
                                       const jobs::Result& result) const;

  // Whose matter an error of computing is.
  absl::Status BlameComputing(const absl::Status& status) const;
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
};

}  // namespace graft::workflow
