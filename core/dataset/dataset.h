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
  int cluster = 0;    // files with the same number, from 1, show the same picture (core/dataset/audit); 0 for none
  std::string group;  // as given: files of one group stay on one side of a split; empty for none
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

struct AuditedFile {
  std::string path;
  std::string label;
  Split given_split = Split::kUnspecified;
};

// Files that show the same picture.
struct Cluster {
  int file_count = 0;
  std::vector<AuditedFile> files;  // some of them, by path
};

struct ClusterFindings {
  int clusters = 0;
  int files = 0;               // in all of them
  std::vector<Cluster> first;  // some, largest first
};

struct Outlier {
  AuditedFile file;
  double value = 0;
  int width = 0, height = 0;
};

// Files with a value below `low` or above `high`.
struct OutlierFindings {
  int files = 0;
  double median = 0, low = 0, high = 0;  // high is 0 where only low values are odd
  std::vector<Outlier> first;            // some, furthest from the median first
};

// What core/dataset/audit found; see proto DatasetReport.Audit.
struct Audit {
  ClusterFindings exact_duplicates, near_duplicates, label_conflicts, split_leaks;
  ClusterFindings group_leaks;  // by given group, not by picture
  double imbalance = 1;         // images of the largest class for each of the smallest
  std::vector<std::string> rare_classes;
  OutlierFindings size_outliers, brightness_outliers, blur_outliers;
  int without_contrast = 0;  // pictures too plain to be compared
  int cut_short = 0;         // pictures that were compared with only some of those like them
};

struct Report {
  Version version;
  int min_width = 0, min_height = 0, median_width = 0, median_height = 0, max_width = 0, max_height = 0;
  std::map<std::string, int> formats;
  std::vector<QuarantinedFile> quarantined;  // the first 1,000
  std::map<Split, int> given_splits;         // empty when the upload gave none
  std::optional<Audit> audit;                // none for a version of an older program
};

// Indices into a version's examples (ordered by path), each index in exactly one list.
struct SplitIndices {
  std::vector<int> train, validation, test;
  std::string hash;  // SHA-256 over the assignment: equal hash, equal split
};

}  // namespace graft::dataset
