// What a job trains beyond a head: presets as lists of phases, their checks and their defaults.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/jobs/job.h"
#include "core/jobs/train_spec.h"

namespace graft::jobs {

// TrainSpec.augment: those of image::NamedAugment, the default first.
inline constexpr char kNoAugment[] = "none";
std::vector<std::string> AugmentNames();

// How many of the backbone's blocks are trained, counted from the last: "head" none, "blocks:N" N, "all" kAllBlocks.
inline constexpr int kAllBlocks = 1'000'000;
// InvalidField(`field`).
absl::StatusOr<int> TrainedBlocks(absl::string_view field, absl::string_view trainable);

// Whether `requested` is a list of phases: its preset is one, or it brings phases of its own.
bool HasPhases(const TrainSpec& requested);

// Sets `spec.phases` and all that goes with them, every field of what a phase of its kind has. A first phase of the
// head alone is trained on cached features, as by preset article or fast. InvalidField("spec.phases[1].learning_rate")
// with the allowed range.
absl::Status ResolvePhases(const TrainSpec& requested, const SpecContext& context, TrainSpec& spec);

// For a preset without phases: InvalidField for what only phases have.
absl::Status CheckHasNoPhases(const TrainSpec& requested);

// Whether the head is L-BFGS's, which has no epochs: by the solver, or in a first phase of it. The spec is resolved.
bool SolvesHead(const TrainSpec& spec);

// Of all phases, or of the head alone. The spec is resolved.
int TotalEpochs(const TrainSpec& spec);

// Of a resolved spec and so many training photos. InvalidField("spec.batch_size") beyond kMaxSteps.
absl::Status CheckSteps(const TrainSpec& spec, int64_t photos);

}  // namespace graft::jobs
