#include "core/workflow/start_version.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "core/network/backbone_catalog.h"
#include "core/registry/manifest.h"
#include "core/train/head_file.h"
#include "core/weights/safetensors.h"

namespace graft::workflow {
namespace {

absl::StatusOr<StartVersion> Read(const registry::ModelVersion& version, const std::string& weights_root) {
  StartVersion start{.backbone = version.backbone, .own_backbone = !version.backbone_path.empty()};
  if (start.own_backbone) {
    start.weights = {.backbone = version.backbone, .sha256 = version.backbone_sha256, .path = version.backbone_path};
  } else {
    ASSIGN_OR_RETURN(start.weights, weights::FindWeights(weights_root, version.backbone, version.backbone_sha256));
  }
  ASSIGN_OR_RETURN(registry::Manifest manifest, registry::ManifestFromJson(version.manifest));
  start.labels = std::move(manifest.labels);
  ASSIGN_OR_RETURN(const weights::Safetensors file, weights::Safetensors::Load(version.head_path, version.head_sha256));
  ASSIGN_OR_RETURN(const network::BackboneFacts facts, network::FindBackbone(version.backbone));
  const auto classes = static_cast<int>(start.labels.size());
  ASSIGN_OR_RETURN(start.head, train::TakeHead("head", facts.feature_dimension, classes, file.tensors()));
  return start;
}

}  // namespace

absl::StatusOr<StartVersion> OpenStartVersion(registry::Registry& registry, const std::string& weights_root,
                                              const std::string& name) {
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("spec.init_from", "models", name));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, registry.Find(reference));
  absl::StatusOr<StartVersion> start = Read(version, weights_root);
  return start.ok() ? start : WithContext(start.status(), absl::StrCat("start from ", name));
}

train::Head HeadFor(const std::vector<std::string>& labels, const StartVersion& start, uint32_t seed) {
  const int dimension = start.head.dimension, classes = static_cast<int>(labels.size());
  train::Head head = train::InitialHead(seed, dimension, classes);
  for (size_t to = 0; to < labels.size(); ++to) {
    const auto found = std::find(start.labels.begin(), start.labels.end(), labels[to]);
    if (found == start.labels.end()) continue;
    const auto from = static_cast<size_t>(found - start.labels.begin());
    head.bias[to] = start.head.bias[from];
    for (size_t row = 0; row < static_cast<size_t>(dimension); ++row) {
      head.kernel[row * labels.size() + to] = start.head.kernel[row * start.labels.size() + from];
    }
  }
  return head;
}

std::vector<float> InOrderOf(const std::vector<std::string>& to, const std::vector<std::string>& from,
                             const std::vector<float>& probabilities) {
  const size_t classes = to.size();
  std::vector<float> ordered(probabilities.size());
  for (size_t column = 0; column < classes; ++column) {
    const auto source = static_cast<size_t>(std::find(from.begin(), from.end(), to[column]) - from.begin());
    for (size_t row = 0; row < probabilities.size(); row += classes) {
      ordered[row + column] = probabilities[row + source];
    }
  }
  return ordered;
}

}  // namespace graft::workflow
