#include "server/services/open_inference_models.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/registry/manifest.h"

namespace graft::services {
namespace {

absl::StatusOr<OpenInferenceModel> Read(const registry::ModelVersion& version) {
  const absl::StatusOr<registry::Manifest> manifest = registry::ManifestFromJson(version.manifest);
  if (!manifest.ok()) {
    return WithContext(manifest.status(), VersionName("models", version.model, version.number) + ": manifest");
  }
  return OpenInferenceModel{.name = version.model,
                            .number = version.number,
                            .input_size = manifest->preprocess.height,
                            .classes = static_cast<int>(manifest->labels.size())};
}

absl::Status Unknown(const absl::Status& status) {
  // The text that Triton's clients look for.
  return absl::IsNotFound(status) ? WithContext(status, "Request for unknown model") : status;
}

}  // namespace

absl::StatusOr<VersionReference> ParseModel(absl::string_view fields, absl::string_view name,
                                            absl::string_view version) {
  ASSIGN_OR_RETURN(VersionReference reference, ParseVersionReference(absl::StrCat(fields, "name"), "models", name));
  if (version.empty()) return reference;
  const std::string field = absl::StrCat(fields, "version");
  if (reference.number || reference.alias) {
    return InvalidField(field, absl::StrCat("must be empty, since ", fields, "name names a version already"));
  }
  if (std::all_of(version.begin(), version.end(), absl::ascii_isdigit)) {
    int number = 0;
    if (!absl::SimpleAtoi(version, &number) || number < 1) {
      return InvalidField(field, absl::StrCat("'", version.substr(0, 20), "' is not a version number"));
    }
    reference.number = number;
  } else {
    RETURN_IF_ERROR(ValidateName(field, version));
    reference.alias = std::string(version);
  }
  return reference;
}

absl::StatusOr<OpenInferenceModel> OpenInferenceModels::Find(absl::string_view fields, absl::string_view name,
                                                             absl::string_view version) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseModel(fields, name, version));
  return Find(reference);
}

absl::StatusOr<OpenInferenceModel> OpenInferenceModels::Find(const VersionReference& reference) {
  absl::StatusOr<OpenInferenceModel> model =
      registry::ReadResolved(*registry_, reference, [&](int number) { return FindVersion(reference.name, number); });
  if (!model.ok()) return Unknown(model.status());
  return model;
}

absl::StatusOr<OpenInferenceModel> OpenInferenceModels::FindVersion(const std::string& name, int number) {
  const Key key(name, number);
  if (const std::optional<OpenInferenceModel> known = known_.Get(key)) return *known;
  ASSIGN_OR_RETURN(const registry::ModelVersion version,
                   registry_->Find({.name = name, .number = number, .alias = {}}));
  ASSIGN_OR_RETURN(OpenInferenceModel model, Read(version));
  known_.Put(key, model, static_cast<int64_t>(sizeof(key) + sizeof(model) + 2 * model.name.size()));
  return model;
}

}  // namespace graft::services
