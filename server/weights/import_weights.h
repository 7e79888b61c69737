// What graft-weights does, without its flags.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/weights/weight_store.h"

namespace graft::server {

// Puts a Keras .h5 file's backbone into the weight store below `root` and makes it current. Errors: ReadKerasWeights',
// and those of writing.
absl::StatusOr<weights::StoredWeights> ImportWeights(const std::string& root, absl::string_view backbone,
                                                     const std::string& file);

// Puts random weights (He et al. 2015: normal, variance 2 / fan-in; identity batch norm) into the store, source
// "random:SEED". They demonstrate the workflow where there are no pretrained ones, and classify nothing well.
// The same seed gives the same bytes on every machine with the same C library.
absl::StatusOr<weights::StoredWeights> PutRandomWeights(const std::string& root, absl::string_view backbone,
                                                        uint64_t seed);

}  // namespace graft::server
