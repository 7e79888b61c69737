#include "server/services/model_comparison.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/evaluate/significance.h"
#include "core/network/architecture.h"
#include "core/network/backbone_catalog.h"
#include "core/registry/evaluation_record.h"
#include "core/weights/weight_store.h"

namespace graft::services {
namespace {

constexpr size_t kShownDigits = 12;  // of a hash

std::string TestOf(const v1::ModelVersion& version) {
  return absl::StrCat(version.dataset_version(), " (split ", version.split_hash().substr(0, kShownDigits), ")");
}

// Of the weights that versions share; 0 where they are not there any more.
absl::StatusOr<int64_t> SharedBackboneBytes(const registry::ModelVersion& version, const std::string& weights_root) {
  const auto weights = weights::FindWeights(weights_root, version.backbone, version.backbone_sha256);
  if (absl::IsNotFound(weights.status())) return 0;
  RETURN_IF_ERROR(weights.status());
  std::error_code error;
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(weights->path, error));
  if (error) return absl::InternalError(absl::StrCat("size of ", weights->path, ": ", error.message()));
  return bytes;
}

void AddClassDifferences(const v1::ModelVersion& baseline, const v1::ModelVersion& version,
                         v1::VersionComparison& comparison) {
  std::map<std::string, const v1::ClassMetrics*> before;
  for (const auto& metrics : baseline.metrics().classes()) before[metrics.label()] = &metrics;
  for (const auto& metrics : version.metrics().classes()) {
    const auto found = before.find(metrics.label());
    if (found == before.end()) continue;
    auto& difference = *comparison.add_classes();
    difference.set_label(metrics.label());
    difference.set_precision(metrics.precision() - found->second->precision());
    difference.set_recall(metrics.recall() - found->second->recall());
    if (metrics.has_f1() && found->second->has_f1()) difference.set_f1(metrics.f1() - found->second->f1());
  }
}

std::vector<bool> RightOf(const registry::EvaluationRecord& record) {
  std::vector<bool> right;
  for (size_t i = 0; i < record.labels.size(); ++i) right.push_back(record.labels[i] == record.predictions[i]);
  return right;
}

// Empty `missing` where there is a test.
absl::Status AddMcNemar(const ComparedVersion& baseline, const ComparedVersion& version,
                        v1::VersionComparison& comparison) {
  std::vector<bool> right[2];
  const ComparedVersion* versions[2] = {&version, &baseline};
  for (int i = 0; i < 2; ++i) {
    const auto record = registry::ReadEvaluationRecord(versions[i]->stored.evaluation_path);
    const std::string& name = versions[i]->proto.name();
    if (absl::IsNotFound(record.status())) {
      comparison.set_mcnemar_missing(absl::StrCat(name, " was published before predictions were kept: train it again"));
      return absl::OkStatus();
    }
    if (!record.ok()) return WithContext(record.status(), name);
    right[i] = RightOf(*record);
  }
  if (right[0].size() != right[1].size()) {
    return absl::DataLossError(absl::StrCat(version.proto.name(), " and ", baseline.proto.name(),
                                            ": predictions of one test split, but ", right[0].size(), " and ",
                                            right[1].size(), " of them"));
  }
  const evaluate::McNemarResult result = evaluate::McNemar(right[0], right[1]);
  auto& out = *comparison.mutable_mcnemar();
  out.set_only_version_right(result.only_first_right);
  out.set_only_baseline_right(result.only_second_right);
  out.set_exact(result.exact);
  out.set_statistic(result.statistic);
  out.set_p_value(result.p_value);
  return absl::OkStatus();
}

}  // namespace

bool HaveSameTest(const v1::ModelVersion& first, const v1::ModelVersion& second) {
  if (!first.test_split_hash().empty() && !second.test_split_hash().empty()) {
    return first.test_split_hash() == second.test_split_hash();
  }
  return first.split_hash() == second.split_hash();
}

absl::Status CheckSameTest(const v1::ModelVersion& baseline, const v1::ModelVersion& version) {
  if (HaveSameTest(baseline, version)) return absl::OkStatus();
  return PreconditionFailed(
      version.name(),
      absl::StrCat("was tested on other photos than ", baseline.name(), ": on those of ", TestOf(version), ", not of ",
                   TestOf(baseline),
                   "; train both on one data set version with the same fractions and seed, or compare what does not "
                   "depend on the photos with any_test_split (graft compare --any-split)"));
}

absl::StatusOr<v1::VersionCost> CostOf(const ComparedVersion& version, const std::string& weights_root) {
  v1::VersionCost cost;
  ASSIGN_OR_RETURN(const int64_t shared, SharedBackboneBytes(version.stored, weights_root));
  cost.set_size_bytes(version.stored.size_bytes + shared);
  ASSIGN_OR_RETURN(const network::BackboneFacts facts, network::FindBackbone(version.stored.backbone));
  ASSIGN_OR_RETURN(const network::Architecture architecture, network::FindArchitecture(version.stored.backbone));
  const int64_t head = int64_t{facts.feature_dimension} * version.proto.labels_size();
  cost.set_multiply_accumulates(network::MultiplyAccumulates(architecture) + head);
  return cost;
}

absl::StatusOr<v1::VersionComparison> CompareWith(const ComparedVersion& baseline, const ComparedVersion& version) {
  v1::VersionComparison comparison;
  comparison.set_version(version.proto.name());
  comparison.set_baseline(baseline.proto.name());
  comparison.set_same_test_split(HaveSameTest(baseline.proto, version.proto));
  if (!comparison.same_test_split()) {
    comparison.set_mcnemar_missing("they were tested on different photos");
    return comparison;
  }
  AddClassDifferences(baseline.proto, version.proto, comparison);
  RETURN_IF_ERROR(AddMcNemar(baseline, version, comparison));
  return comparison;
}

}  // namespace graft::services
