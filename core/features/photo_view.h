// Which copy of a photo features are of.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "core/image/augment.h"

namespace graft::features {

// View 0 is the plain photo, of whatever augmentation; 1, 2, ... are augmented copies.
struct PhotoView {
  int number = 0;
  image::AugmentSpec augment;  // valid
  uint32_t seed = 0;           // of the run

  bool plain() const { return number == 0 || augment.off(); }
  // Of the photo with this digest: the view takes an epoch's place.
  uint64_t SeedOf(absl::string_view sha256) const { return image::AugmentSeed(seed, sha256, number); }
};

// A stable text of all that the view's pixels depend on besides the photo; "none" for the plain one.
std::string KeyOf(const PhotoView& view);

}  // namespace graft::features
