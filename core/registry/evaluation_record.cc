#include "core/registry/evaluation_record.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/file.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"

namespace graft::registry {
namespace {

using Json = nlohmann::json;

// Raised when a reader would no longer understand the text.
constexpr int kRecordFormat = 1;

constexpr int64_t kMaxBytes = int64_t{64} << 20;  // 200,000 photos take 2 MiB

Json Encode(const std::vector<Suspect>& suspects) {
  Json array = Json::array();
  for (const Suspect& suspect : suspects) {
    array.push_back({{"path", suspect.path},
                     {"label", suspect.label},
                     {"predicted", suspect.predicted},
                     {"probability", suspect.probability},
                     {"label_probability", suspect.label_probability},
                     {"loss", suspect.loss}});
  }
  return array;
}

// The next two throw nlohmann's exceptions, whose messages name the key.
std::vector<Suspect> DecodeSuspects(const Json& array) {
  std::vector<Suspect> suspects;
  for (const Json& one : array) {
    suspects.push_back({.path = one.at("path").get<std::string>(),
                        .label = one.at("label").get<std::string>(),
                        .predicted = one.at("predicted").get<std::string>(),
                        .probability = one.at("probability").get<double>(),
                        .label_probability = one.at("label_probability").get<double>(),
                        .loss = one.at("loss").get<double>()});
  }
  return suspects;
}

absl::StatusOr<EvaluationRecord> RecordFromJsonOrThrow(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end());
  if (const int format = json.at("format").get<int>(); format != kRecordFormat) {
    return absl::DataLossError(absl::StrCat("format ", format, ", this program reads ", kRecordFormat));
  }
  EvaluationRecord record{.labels = json.at("labels").get<std::vector<int>>(),
                          .predictions = json.at("predictions").get<std::vector<int>>(),
                          .highest_loss = DecodeSuspects(json.at("highest_loss")),
                          .disagreements = DecodeSuspects(json.at("disagreements"))};
  if (record.labels.size() == record.predictions.size()) return record;
  return absl::DataLossError(
      absl::StrCat(record.labels.size(), " labels for ", record.predictions.size(), " predictions"));
}

}  // namespace

std::string ToJson(const EvaluationRecord& record) {
  const Json json{{"format", kRecordFormat},
                  {"labels", record.labels},
                  {"predictions", record.predictions},
                  {"highest_loss", Encode(record.highest_loss)},
                  {"disagreements", Encode(record.disagreements)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<EvaluationRecord> EvaluationRecordFromJson(absl::string_view text) {
  return StatusFromThrow(absl::StatusCode::kDataLoss, "read evaluation record",
                         [&] { return RecordFromJsonOrThrow(text); });
}

absl::StatusOr<EvaluationRecord> ReadEvaluationRecord(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxBytes));
  return EvaluationRecordFromJson(text);
}

}  // namespace graft::registry
