#include "core/registry/manifest.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"

namespace graft::registry {
namespace {

using Json = nlohmann::json;

// Raised when a reader would no longer understand the text.
constexpr int kManifestFormat = 1;

absl::StatusOr<Json> ParseObject(absl::string_view key, absl::string_view text) {
  Json value = Json::parse(text.begin(), text.end(), /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return absl::InvalidArgumentError(absl::StrCat("manifest: ", key, " is not a JSON object"));
  return value;
}

Json PreprocessToJson(const ManifestPreprocess& preprocess) {
  return Json{{"height", preprocess.height},
              {"width", preprocess.width},
              {"resize", preprocess.resize},
              {"decode", preprocess.decode},
              {"normalization", preprocess.normalization}};
}

// The next two throw nlohmann's exceptions, whose messages name the key.
ManifestPreprocess PreprocessFromJson(const Json& json) {
  return {.height = json.at("height").get<int>(),
          .width = json.at("width").get<int>(),
          .resize = json.at("resize").get<std::string>(),
          .decode = json.at("decode").get<std::string>(),
          .normalization = json.at("normalization").get<std::string>()};
}

std::string ObjectText(const Json& json) {
  return Json(json.get<Json::object_t>()).dump();
}

absl::StatusOr<Manifest> ManifestFromJsonOrThrow(absl::string_view text) {
  const Json json = Json::parse(text.begin(), text.end());
  if (const int format = json.at("format").get<int>(); format != kManifestFormat) {
    return absl::DataLossError(
        absl::StrCat("read manifest: format ", format, ", this program reads ", kManifestFormat));
  }
  Manifest manifest{
      .model = json.at("model").get<std::string>(),
      .backbone = json.at("backbone").get<std::string>(),
      .backbone_sha256 = json.at("backbone_sha256").get<std::string>(),
      .trainable = json.value("trainable", "head"),
      .base_backbone_sha256 = json.value("base_backbone_sha256", json.at("backbone_sha256").get<std::string>()),
      .init_from = json.value("init_from", ""),
      .labels = json.at("labels").get<std::vector<std::string>>(),
      .preprocess = PreprocessFromJson(json.at("preprocess")),
      .precision = json.value("precision", "f32"),
      .temperature = json.value("temperature", 1.0),
      .dataset_version = json.at("dataset_version").get<std::string>(),
      .dataset_digest = json.at("dataset_digest").get<std::string>(),
      .split_hash = json.at("split_hash").get<std::string>(),
      .test_split_hash = json.value("test_split_hash", ""),
      .job = json.at("job").get<std::string>(),
      .spec_json = ObjectText(json.at("spec")),
      .result_json = ObjectText(json.at("result")),
      .library_versions = json.at("library_versions").get<std::map<std::string, std::string>>()};
  if (manifest.labels.empty()) return absl::DataLossError("read manifest: no labels");
  if (manifest.precision != "f32" && manifest.precision != "bf16") {
    return absl::DataLossError(absl::StrCat("read manifest: unknown precision \"", manifest.precision, "\""));
  }
  if (!std::isfinite(manifest.temperature) || manifest.temperature <= 0) {
    return absl::DataLossError(absl::StrCat("read manifest: temperature ", manifest.temperature, " is not above 0"));
  }
  return manifest;
}

}  // namespace

absl::StatusOr<std::string> ToJson(const Manifest& manifest) {
  ASSIGN_OR_RETURN(Json spec, ParseObject("spec", manifest.spec_json));
  ASSIGN_OR_RETURN(Json result, ParseObject("result", manifest.result_json));
  return StatusFromThrow(absl::StatusCode::kInvalidArgument, "write manifest", [&] {
    const Json json{{"format", kManifestFormat},
                    {"model", manifest.model},
                    {"backbone", manifest.backbone},
                    {"backbone_sha256", manifest.backbone_sha256},
                    {"trainable", manifest.trainable},
                    {"base_backbone_sha256", manifest.base_backbone_sha256},
                    {"init_from", manifest.init_from},
                    {"labels", manifest.labels},
                    {"preprocess", PreprocessToJson(manifest.preprocess)},
                    {"precision", manifest.precision},
                    {"temperature", manifest.temperature},
                    {"dataset_version", manifest.dataset_version},
                    {"dataset_digest", manifest.dataset_digest},
                    {"split_hash", manifest.split_hash},
                    {"test_split_hash", manifest.test_split_hash},
                    {"job", manifest.job},
                    {"spec", std::move(spec)},
                    {"result", std::move(result)},
                    {"library_versions", manifest.library_versions}};
    return json.dump(/*indent=*/2) + "\n";
  });
}

absl::StatusOr<Manifest> ManifestFromJson(absl::string_view text) {
  return StatusFromThrow(absl::StatusCode::kDataLoss, "read manifest", [&] { return ManifestFromJsonOrThrow(text); });
}

}  // namespace graft::registry
