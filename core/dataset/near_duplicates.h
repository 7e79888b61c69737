// Which pictures of many show the same: as they are, resized, compressed anew, turned by 90 degrees, mirrored, brighter
// or slightly cropped. Never each with each.
//
// Every picture's hash is looked up in all eight turns among the hashes before it: candidates agree in one of four
// quarters of 16 bits but for at most one bit, which finds every pair that differs in at most 7 of 64 bits and most
// that differ in a few more (multi-index hashing; Norouzi et al., 2012, "Fast Search in Hamming Space with Multi-Index
// Hashing"). A candidate counts once its thumbnail agrees too. Pictures without contrast have the hash of noise and are
// not compared, and no picture is compared with more than max_comparisons others, so that a data set of one picture
// with small changes costs no more than another.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "core/image/fingerprint.h"

namespace graft::dataset {

// Where the lines are drawn, and what was measured there: tests/bench/audit_bench on animals5, monkeys5 and trashnet5
// (docs/audit.md).
struct NearDuplicateOptions {
  int max_hash_distance = 12;  // of 64 bits
  double min_correlation = 0.97;
  double max_chroma_difference = 8;
  double min_contrast = 5;
  int max_comparisons = 4096;
};

struct NearDuplicates {
  // By picture: the first one of those that it is connected with, itself if there is none. Connected are also two that
  // a third is like.
  std::vector<int> first_like;
  int without_contrast = 0;  // pictures that were not compared
  int cut_short = 0;         // pictures that reached max_comparisons: there may be more like them
};

// About 30 bytes a picture, besides the fingerprints. Pure function.
NearDuplicates FindNearDuplicates(absl::Span<const image::Fingerprint* const> pictures,
                                  const NearDuplicateOptions& options = {});

}  // namespace graft::dataset
