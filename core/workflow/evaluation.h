// What a trained head is worth: on the test split, and in each precision.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/features/feature_cache.h"
#include "core/jobs/job.h"
#include "core/registry/evaluation_record.h"
#include "core/workflow/candidate.h"

namespace graft::workflow {

Examples ExamplesAt(const Examples& examples, const std::vector<int>& indices);

// The rows of `matrix` at `indices`, with the labels of the examples there.
train::LabelledFeatures Select(const features::FeatureMatrix& matrix, const Examples& examples,
                               const std::vector<int>& indices);

// All rows, one for each of the examples.
train::LabelledFeatures SelectAll(const features::FeatureMatrix& matrix, const Examples& examples);

// The features of photos in a precision, in their order.
using FeaturesIn =
    std::function<absl::StatusOr<features::FeatureMatrix>(engine::Precision precision, const Examples& photos)>;

// The candidate's head on validation photos in f32 and, where asked, in bf16, which the device has.
absl::StatusOr<jobs::PrecisionReport> MeasurePrecision(const TrainInputs& inputs, const Candidate& candidate,
                                                       const std::string& device, bool with_bf16,
                                                       const FeaturesIn& features_in);

// What the candidate says about itself: its head on the test split, the temperature that its validation split asks for,
// its best epoch and its size;
// and what it says of single photos: of test photos, and of training photos whose labels may be wrong. Features,
// precision and publication are the caller's to add.
struct Evaluation {
  jobs::Result result;
  registry::EvaluationRecord record;
};
absl::StatusOr<Evaluation> EvaluateCandidate(const TrainInputs& inputs, const Candidate& candidate,
                                             const std::string& device);

}  // namespace graft::workflow
