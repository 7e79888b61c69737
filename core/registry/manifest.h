// What a published version says about itself: manifest.json beside its head, and the same text in its row.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::registry {

// How photos become the network's input; the fields of proto PreprocessSpec.
struct ManifestPreprocess {
  int height = 224;
  int width = 224;
  std::string resize = "bilinear";
  std::string decode = "scaled";
  std::string normalization;  // "minus_one_to_one" or "imagenet"; lives inside the network
  bool operator==(const ManifestPreprocess&) const = default;
};

// Spec and result stay JSON here (jobs::ToJson writes them, jobs::...FromJson reads them): the registry knows no jobs.
struct Manifest {
  std::string model;
  std::string backbone;
  std::string backbone_sha256;
  std::string trainable = "head";    // what was trained: also "blocks:N" (the last N) and "all". Absent in old texts
  std::string base_backbone_sha256;  // of the weights that the backbone started from. Absent in old texts: unchanged
  std::string init_from;             // "models/animals/versions/3" that the job started from; empty: pretrained weights
  std::vector<std::string> labels;   // by class index, at least one
  ManifestPreprocess preprocess;
  std::string precision = "f32";  // or "bf16": of the features that the head was trained on. Absent in old texts
  double temperature = 1;         // logits are divided by it before the softmax; above 0. Absent in old texts
  std::string dataset_version;    // "datasets/animals5/versions/2"
  std::string dataset_digest;
  std::string split_hash;
  std::string test_split_hash;  // of its test photos alone: dataset::HashOfTestSplit. Empty in old texts
  std::string job;              // "jobs/{id}"
  std::string spec_json;        // a JSON object: the resolved TrainSpec
  std::string result_json;      // a JSON object: the Result
  std::map<std::string, std::string> library_versions;
  bool operator==(const Manifest&) const = default;
};

// Keys in a fixed order, indented for human readers; equal manifests give equal text. InvalidArgument if spec_json or
// result_json is not a JSON object, or a string is not UTF-8.
absl::StatusOr<std::string> ToJson(const Manifest& manifest);

// DataLoss naming the key that is missing or of the wrong type, or where the text stops being JSON.
absl::StatusOr<Manifest> ManifestFromJson(absl::string_view text);

}  // namespace graft::registry
