// Data set versions: what is in one, and how it is split.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace graft::dataset {

enum class Split { kUnspecified = 0, kTrain = 1, kValidation = 2, kTest = 3 };

// One decodable photo.
struct Example {
  std::string path;    // unique in the version
  int label = 0;       // index into Version::labels
  std::string sha256;  // of the encoded bytes, in the blob store
  Split given_split = Split::kUnspecified;
  int width = 0;  // pixels, after EXIF orientation
  int height = 0;
};

struct QuarantinedFile {
  std::string path;
  std::string label;
  std::string reason;
};

struct Version {
  std::string dataset;
  int number = 0;
  absl::Time create_time;
  std::string digest;               // see proto DatasetVersion.digest
  std::vector<std::string> labels;  // sorted; the position is the class index
  std::vector<int> images_per_label;
  int image_count = 0;
  int quarantined_count = 0;
  int64_t size_bytes = 0;
};

struct Report {
  Version version;
  int min_width = 0, min_height = 0, median_width = 0, median_height = 0, max_width = 0, max_height = 0;
  std::map<std::string, int> formats;
  std::vector<QuarantinedFile> quarantined;
  std::map<Split, int> given_splits;  // empty when the upload gave none
};

// Indices into a version's examples (ordered by path), each index in exactly one list.
struct SplitIndices {
  std::vector<int> train, validation, test;
  std::string hash;  // SHA-256 over the assignment: equal hash, equal split
};

}  // namespace graft::dataset
