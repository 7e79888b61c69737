// What CompareModelVersions says beside the versions themselves.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/registry/registry.h"
#include "graft/v1/model.pb.h"

namespace graft::services {

struct ComparedVersion {
  registry::ModelVersion stored;
  v1::ModelVersion proto;  // with the classes' metrics
};

// Whether both were tested on the same photos. Versions older than test_split_hash go by that of the whole split.
bool HaveSameTest(const v1::ModelVersion& first, const v1::ModelVersion& second);

// PreconditionFailed that names both and says what to do, unless HaveSameTest.
absl::Status CheckSameTest(const v1::ModelVersion& baseline, const v1::ModelVersion& version);

// Without latency.
absl::StatusOr<v1::VersionCost> CostOf(const ComparedVersion& version, const std::string& weights_root);

// What cannot be compared is left out. Reads the versions' evaluation records; DataLoss if one is damaged.
absl::StatusOr<v1::VersionComparison> CompareWith(const ComparedVersion& baseline, const ComparedVersion& version);

}  // namespace graft::services
