#include <nlohmann/json.hpp>

#include "core/base/status_from_throw.h"
#include "core/dataset/audit.h"

// Each struct lists its fields once, for both directions; a field that is not there keeps its default.
namespace graft::dataset {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(AuditedFile, path, label, given_split)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Cluster, file_count, files)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(ClusterFindings, clusters, files, first)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Outlier, file, value, width, height)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(OutlierFindings, files, median, low, high, first)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Audit, exact_duplicates, near_duplicates, label_conflicts, split_leaks,
                                                group_leaks, imbalance, rare_classes, size_outliers,
                                                brightness_outliers, blur_outliers, without_contrast, cut_short)

std::string AuditToJson(const Audit& audit) {
  return nlohmann::json(audit).dump();
}

absl::StatusOr<Audit> AuditFromJson(const std::string& json) {
  return StatusFromThrow(absl::StatusCode::kDataLoss, "read stored audit",
                         [&] { return nlohmann::json::parse(json).get<Audit>(); });
}

}  // namespace graft::dataset
