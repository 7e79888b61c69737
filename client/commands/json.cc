#include "client/commands/json.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>

namespace graft::commands {
namespace {

bool Print(const google::protobuf::Message& message, std::string* text) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  text->clear();
  return google::protobuf::util::MessageToJsonString(message, text, options).ok();
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  std::string text;
  Print(message, &text);
  return text;
}

absl::Status FromJson(absl::string_view text, google::protobuf::Message& message) {
  const auto status = google::protobuf::util::JsonStringToMessage(std::string(text), &message);
  if (status.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(std::string(status.message()));
}

std::string ToJson(const v1::FileClassification& classification) {
  std::string text;
  if (!Print(classification, &text)) {
    // A newer server may attach details whose type this program does not know.
    v1::FileClassification plain = classification;
    plain.mutable_error()->clear_details();
    Print(plain, &text);
  }
  auto json = nlohmann::ordered_json::parse(text);
  if (classification.has_error()) {
    json.erase("modelVersion");
    json.erase("predictions");
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace graft::commands
