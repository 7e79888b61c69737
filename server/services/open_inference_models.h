// Which model version a request of the Open Inference Protocol means, and the sizes of its tensors.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/ids.h"
#include "core/base/lru_cache.h"
#include "core/registry/registry.h"

namespace graft::services {

struct OpenInferenceModel {
  std::string name;
  int number = 0;
  int input_size = 0;  // height and width
  int classes = 0;

  std::string version() const { return VersionName("models", name, number); }
};

// "animals", "animals:3" or "animals@production", with `version` (a number or an alias) only beside a plain name.
// `fields` start the names of the request's fields: "model_" stands for model_name and model_version.
absl::StatusOr<VersionReference> ParseModel(absl::string_view fields, absl::string_view name,
                                            absl::string_view version);

// Thread-safe. Versions are immutable, so what was read of one is kept.
class OpenInferenceModels {
 public:
  explicit OpenInferenceModels(registry::Registry* registry) : registry_(registry) {}

  // Reads the database. NotFound, "Request for unknown model: ...".
  absl::StatusOr<OpenInferenceModel> Find(const VersionReference& reference);
  // The same of ParseModel's reference, with its errors.
  absl::StatusOr<OpenInferenceModel> Find(absl::string_view fields, absl::string_view name, absl::string_view version);

 private:
  using Key = std::pair<std::string, int>;  // model, number

  absl::StatusOr<OpenInferenceModel> FindVersion(const std::string& name, int number);

  registry::Registry* const registry_;
  LruCache<Key, OpenInferenceModel> known_{1 << 20};
};

}  // namespace graft::services
