// What is known about each image ever imported: it is decoded once, whatever the number of data sets it is in.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "core/image/decode.h"
#include "core/image/fingerprint.h"
#include "core/store/blob_store.h"
#include "core/store/database.h"

namespace graft::dataset {

struct ImageFact {
  int width = 0;  // pixels, after EXIF orientation; 0 if it cannot be decoded
  int height = 0;
  std::string format;              // "jpeg", ...
  std::string error;               // why it cannot be decoded; empty if it can
  image::Fingerprint fingerprint;  // of a decodable one
};
using ImageFacts = absl::flat_hash_map<std::string, ImageFact>;  // by digest

// Called from the caller's thread, about four times a second.
using CheckProgress = std::function<void(int checked, int total)>;

// The facts of these distinct images. Those not known yet, or by an older program that took no fingerprints, are
// decoded fully, on `threads` threads, and stored, even if the call fails later. An undecodable image is a fact, not an
// error; a blob that cannot be read, or no memory, is an error. `on_progress` may be empty.
absl::StatusOr<ImageFacts> CheckImages(const std::vector<std::string>& digests, const image::DecodeLimits& limits,
                                       int threads, store::BlobStore& blobs, store::Database& database,
                                       const CheckProgress& on_progress);

}  // namespace graft::dataset
