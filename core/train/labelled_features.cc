#include "core/train/labelled_features.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace graft::train {

absl::Status CheckFeatures(absl::string_view split, const LabelledFeatures& features, int dimension, int classes) {
  if (features.labels.empty()) return absl::InvalidArgumentError(absl::StrCat("the ", split, " split is empty"));
  if (features.dimension != dimension || features.values.size() != features.labels.size() * dimension) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ", split, " split's features are not [", features.labels.size(), ", ", dimension, "]"));
  }
  if (features.views < 1 || features.labels.size() % static_cast<size_t>(features.views) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("the ", split, " split's ", features.labels.size(), " rows are not ",
                                                   features.views, " views of each image"));
  }
  const auto [lowest, highest] = std::minmax_element(features.labels.begin(), features.labels.end());
  if (*lowest >= 0 && *highest < classes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the ", split, " split has a label outside 0 .. ", classes - 1));
}

}  // namespace graft::train
