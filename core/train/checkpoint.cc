#include "core/train/checkpoint.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/digest.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/train/checkpoint_file.h"
#include "core/train/epoch_json.h"
#include "core/train/head_file.h"

namespace graft::train {
namespace {

using Json = nlohmann::json;

constexpr char kFormat[] = "graft-head-checkpoint-2";

template <typename T>
void UpdateWith(Sha256& digest, const std::vector<T>& values) {
  digest.Update(absl::StrCat(values.size(), "\n"));
  digest.Update(absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
}

void UpdateWith(Sha256& digest, const LabelledFeatures& features) {
  digest.Update(absl::StrCat(features.dimension, "\n"));
  if (features.views > 1) digest.Update(absl::StrCat(features.views, " views\n"));
  UpdateWith(digest, features.values);
  UpdateWith(digest, features.labels);
}

// All but the tensors.
std::string ProgressToJson(const TrainingState& state) {
  return Json{{"adam_step", state.adam_step}, {"best_epoch", state.best_epoch}, {"history", state.history}}.dump();
}

absl::Status ProgressFromJson(absl::string_view text, TrainingState& state) {
  return StatusFromThrow(absl::StatusCode::kDataLoss, "read checkpoint", [&] {
    const Json json = Json::parse(text);
    state.adam_step = json.at("adam_step");
    state.best_epoch = json.at("best_epoch");
    state.history = json.at("history").get<std::vector<EpochMetrics>>();
  });
}

absl::StatusOr<TrainingState> StateOf(const ReadCheckpoint& checkpoint, int dimension, int classes) {
  const auto& tensors = checkpoint.file.tensors();
  TrainingState state;
  RETURN_IF_ERROR(ProgressFromJson(checkpoint.progress, state));
  ASSIGN_OR_RETURN(state.head, TakeHead("head", dimension, classes, tensors));
  ASSIGN_OR_RETURN(state.best, TakeHead("best", dimension, classes, tensors));
  ASSIGN_OR_RETURN(state.adam_first, TakeHead("adam/first", dimension, classes, tensors));
  ASSIGN_OR_RETURN(state.adam_second, TakeHead("adam/second", dimension, classes, tensors));
  return state;
}

}  // namespace

std::string InputsDigest(const LabelledFeatures& train, const LabelledFeatures& validation,
                         const HeadOptions& options) {
  Json facts = {{"format", kFormat},
                {"classes", options.classes},
                {"epochs", options.epochs},
                {"patience", options.patience},
                {"batch_size", options.batch_size},
                {"learning_rate", options.learning_rate},
                {"seed", options.seed},
                {"device", options.device}};
  if (options.weight_decay > 0) facts["weight_decay"] = options.weight_decay;
  Sha256 digest;
  digest.Update(facts.dump());
  UpdateWith(digest, train);
  UpdateWith(digest, validation);
  if (options.start) {
    UpdateWith(digest, options.start->kernel);
    UpdateWith(digest, options.start->bias);
  }
  return digest.HexDigest();
}

absl::Status SaveCheckpoint(const std::string& path, const TrainingState& state, const std::string& inputs_digest) {
  std::map<std::string, weights::TensorView> tensors;
  AddHead("head", state.head, tensors);
  AddHead("best", state.best, tensors);
  AddHead("adam/first", state.adam_first, tensors);
  AddHead("adam/second", state.adam_second, tensors);
  return WriteCheckpoint(path, {kFormat, inputs_digest}, state.epoch(), ProgressToJson(state), tensors);
}

std::optional<TrainingState> LoadCheckpoint(const std::string& path, const std::string& inputs_digest, int dimension,
                                            int classes) {
  for (const ReadCheckpoint& checkpoint : ReadCheckpoints(path, {kFormat, inputs_digest})) {
    absl::StatusOr<TrainingState> state = StateOf(checkpoint, dimension, classes);
    if (state.ok()) return *std::move(state);
  }
  return std::nullopt;
}

}  // namespace graft::train
