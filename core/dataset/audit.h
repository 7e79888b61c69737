// What may be wrong with a data set: the same picture twice, under two labels or on two sides of a split, rare classes,
// and photos unlike the others in size, brightness or sharpness. Findings, not errors: people decide.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/dataset/dataset.h"
#include "core/dataset/image_facts.h"
#include "core/dataset/near_duplicates.h"

namespace graft::dataset {

// How much of a finding an audit holds; its counts are of all.
inline constexpr size_t kListedFindings = 50;  // of each kind
inline constexpr size_t kListedFiles = 10;     // of a cluster

struct AuditInput {
  const std::vector<Example>& examples;  // by path; at least one of every label
  const std::vector<std::string>& labels;
  const ImageFacts& facts;  // of every example
};

struct AuditResult {
  Audit audit;
  // By example: the number of its cluster, from 1, of at least two files that show the same picture, exactly or nearly;
  // 0 for none.
  std::vector<int> clusters;
};

// Time and memory grow about linearly with the examples: see tests/bench/audit_bench. Pure function.
AuditResult AuditExamples(const AuditInput& input, const NearDuplicateOptions& options = {});

// JSON of an audit, as stored with its version; parsing takes those of older programs. DataLoss for anything else.
std::string AuditToJson(const Audit& audit);
absl::StatusOr<Audit> AuditFromJson(const std::string& json);

}  // namespace graft::dataset
