// What an evaluation saw photo by photo: evaluation.json beside a version's head. Versions older than it have none.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::registry {

// A training photo whose label may be wrong. Proto Suspect.
struct Suspect {
  std::string path;  // in the data set version
  std::string label, predicted;
  double probability = 0;        // of `predicted`, as Classify answers
  double label_probability = 0;  // of `label`
  double loss = 0;               // -log(label_probability)
  bool operator==(const Suspect&) const = default;
};

inline constexpr int kMostSuspects = 100;  // of each kind

struct EvaluationRecord {
  // Class indices, one of each for each test photo; photos ordered by path.
  std::vector<int> labels, predictions;
  std::vector<Suspect> highest_loss;   // highest first
  std::vector<Suspect> disagreements;  // where predicted is not the label; highest probability first
  bool operator==(const EvaluationRecord&) const = default;
};

// One line; equal records give equal text. Paths that are not UTF-8 are written readably.
std::string ToJson(const EvaluationRecord& record);
// DataLoss naming what is missing or of the wrong type.
absl::StatusOr<EvaluationRecord> EvaluationRecordFromJson(absl::string_view text);

// Reads the file at ModelVersion::evaluation_path. NotFound for a version that has none.
absl::StatusOr<EvaluationRecord> ReadEvaluationRecord(const std::string& path);

}  // namespace graft::registry
