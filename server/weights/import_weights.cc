#include "server/weights/import_weights.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "server/weights/hdf5_file.h"
#include "server/weights/keras_file.h"

namespace graft::server {
namespace {

// Source: the licence of github.com/keras-team/keras-applications and of the weights it converts.
constexpr char kLicence[] = "Apache-2.0 (Keras Applications; as published, or as the file's own source says)";

}  // namespace

absl::StatusOr<weights::StoredWeights> ImportWeights(const std::string& root, absl::string_view backbone,
                                                     const std::string& file) {
  ASSIGN_OR_RETURN(const std::string safetensors, ReadKerasWeights(file, backbone));
  ASSIGN_OR_RETURN(const std::string original, ReadFile(file, kMaxHdf5Bytes));
  const std::string source =
      absl::StrCat(std::filesystem::path(file).filename().string(), " sha256:", Sha256Hex(original));
  return weights::PutWeights(root, backbone, safetensors, source, kLicence);
}

}  // namespace graft::server
