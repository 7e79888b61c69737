#include "core/features/space_key.h"

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"

namespace graft::features {

std::string TextOf(const SpaceKey& key) {
  return absl::StrCat("decode: ", key.preprocess.decode, "\n",               //
                      "preprocess: ", network::KeyOf(key.preprocess), "\n",  //
                      "weights_sha256: ", key.weights_sha256, "\n",          //
                      "cut: global_average_pool\n",                          //
                      "augmentation: ", KeyOf(key.view), "\n",               //
                      "engine: ", key.engine_id, "\n",                       //
                      "dimension: ", key.dimension, "\n");
}

std::string FolderNameOf(const SpaceKey& key) {
  return Sha256Hex(TextOf(key));
}

}  // namespace graft::features
