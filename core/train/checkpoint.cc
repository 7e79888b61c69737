#include "core/train/checkpoint.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/train/head_file.h"

namespace graft::train {
namespace {

using Json = nlohmann::json;

constexpr char kFormat[] = "graft-head-checkpoint-1";
constexpr int64_t kMaxBytes = int64_t{1} << 30;

template <typename T>
void UpdateWith(Sha256& digest, const std::vector<T>& values) {
  digest.Update(absl::StrCat(values.size(), "\n"));
  digest.Update(absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
}

void UpdateWith(Sha256& digest, const LabelledFeatures& features) {
  digest.Update(absl::StrCat(features.dimension, "\n"));
  UpdateWith(digest, features.values);
  UpdateWith(digest, features.labels);
}

Json ToJson(const EpochMetrics& metrics) {
  return {{"epoch", metrics.epoch},
          {"train_loss", metrics.train_loss},
          {"train_accuracy", metrics.train_accuracy},
          {"validation_loss", metrics.validation_loss},
          {"validation_accuracy", metrics.validation_accuracy},
          {"learning_rate", metrics.learning_rate},
          {"seconds", metrics.seconds},
          {"images_per_second", metrics.images_per_second},
          {"best", metrics.best}};
}

EpochMetrics MetricsFromJson(const Json& json) {
  return {.epoch = json.at("epoch"),
          .train_loss = json.at("train_loss"),
          .train_accuracy = json.at("train_accuracy"),
          .validation_loss = json.at("validation_loss"),
          .validation_accuracy = json.at("validation_accuracy"),
          .learning_rate = json.at("learning_rate"),
          .seconds = json.at("seconds"),
          .images_per_second = json.at("images_per_second"),
          .best = json.at("best")};
}

// All but the tensors.
std::string ProgressToJson(const TrainingState& state) {
  Json history = Json::array();
  for (const EpochMetrics& metrics : state.history) history.push_back(ToJson(metrics));
  return Json{{"adam_step", state.adam_step}, {"best_epoch", state.best_epoch}, {"history", history}}.dump();
}

absl::Status ProgressFromJson(absl::string_view text, TrainingState& state) {
  return StatusFromThrow(absl::StatusCode::kDataLoss, "read checkpoint", [&] {
    const Json json = Json::parse(text);
    state.adam_step = json.at("adam_step");
    state.best_epoch = json.at("best_epoch");
    for (const Json& metrics : json.at("history")) state.history.push_back(MetricsFromJson(metrics));
  });
}

// The file's metadata names a digest of the file as it is without that name: serialising is deterministic.
std::string DigestOf(const std::map<std::string, weights::TensorView>& tensors,
                     std::map<std::string, std::string> metadata) {
  metadata.erase("sha256");
  return Sha256Hex(weights::Serialize(tensors, metadata));
}

// "" where there is none.
std::string Find(const std::map<std::string, std::string>& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

absl::Status CheckMetadata(const weights::Safetensors& file, const std::string& inputs_digest) {
  if (Find(file.metadata(), "format") != kFormat) return absl::DataLossError("not a checkpoint");
  if (Find(file.metadata(), "sha256") != DigestOf(file.tensors(), file.metadata())) {
    return absl::DataLossError("checkpoint's digest does not match its content");
  }
  if (Find(file.metadata(), "inputs") != inputs_digest) {
    return absl::FailedPreconditionError("checkpoint is of another run");
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainingState> LoadFile(const std::string& path, const std::string& inputs_digest, int dimension,
                                       int classes) {
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, kMaxBytes));
  ASSIGN_OR_RETURN(const weights::Safetensors file, weights::Safetensors::Parse(std::move(bytes)));
  RETURN_IF_ERROR(CheckMetadata(file, inputs_digest));
  TrainingState state;
  RETURN_IF_ERROR(ProgressFromJson(Find(file.metadata(), "progress"), state));
  ASSIGN_OR_RETURN(state.head, TakeHead("head", dimension, classes, file.tensors()));
  ASSIGN_OR_RETURN(state.best, TakeHead("best", dimension, classes, file.tensors()));
  ASSIGN_OR_RETURN(state.adam_first, TakeHead("adam/first", dimension, classes, file.tensors()));
  ASSIGN_OR_RETURN(state.adam_second, TakeHead("adam/second", dimension, classes, file.tensors()));
  return state;
}

std::string FilePath(const std::string& path, int epoch) {
  return absl::StrCat(path, ".", epoch % 2);
}

}  // namespace

std::string InputsDigest(const LabelledFeatures& train, const LabelledFeatures& validation,
                         const HeadOptions& options) {
  const Json facts = {{"format", kFormat},
                      {"classes", options.classes},
                      {"epochs", options.epochs},
                      {"patience", options.patience},
                      {"batch_size", options.batch_size},
                      {"learning_rate", options.learning_rate},
                      {"seed", options.seed},
                      {"device", options.device}};
  Sha256 digest;
  digest.Update(facts.dump());
  UpdateWith(digest, train);
  UpdateWith(digest, validation);
  return digest.HexDigest();
}

absl::Status SaveCheckpoint(const std::string& path, const TrainingState& state, const std::string& inputs_digest) {
  std::map<std::string, weights::TensorView> tensors;
  AddHead("head", state.head, tensors);
  AddHead("best", state.best, tensors);
  AddHead("adam/first", state.adam_first, tensors);
  AddHead("adam/second", state.adam_second, tensors);
  std::map<std::string, std::string> metadata = {
      {"format", kFormat}, {"inputs", inputs_digest}, {"progress", ProgressToJson(state)}};
  metadata["sha256"] = DigestOf(tensors, metadata);
  return WriteFileDurably(FilePath(path, state.epoch()), weights::Serialize(tensors, metadata));
}

std::optional<TrainingState> LoadCheckpoint(const std::string& path, const std::string& inputs_digest, int dimension,
                                            int classes) {
  std::optional<TrainingState> latest;
  for (const int turn : {0, 1}) {
    absl::StatusOr<TrainingState> state = LoadFile(FilePath(path, turn), inputs_digest, dimension, classes);
    if (state.ok() && (!latest || state->epoch() > latest->epoch())) latest = *std::move(state);
  }
  return latest;
}

}  // namespace graft::train
