// What features depend on besides the image: the name of a space of the cache.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "core/features/photo_view.h"
#include "core/network/preprocess.h"

namespace graft::features {

// Everything that a feature is a function of, but the image.
struct SpaceKey {
  network::PreprocessSpec preprocess;
  std::string weights_sha256;  // of the backbone
  std::string engine_id;       // engine, version, device type, precision
  int dimension = 0;           // float32 values per image
  PhotoView view;
};

// One "name: value" line per part, in a fixed order; stored beside the features as key.txt.
std::string TextOf(const SpaceKey& key);

// The space's folder: SHA-256 of its text.
std::string FolderNameOf(const SpaceKey& key);

}  // namespace graft::features
