// Geometry between a decoded photo and a network's input.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "core/image/decode.h"

namespace graft::image {

// Stretches to [height, width, 3], bilinear without antialias, half-pixel centres, rounded to uint8: what
// tf.image.resize(method="bilinear", antialias=False) gives, as keras.utils.image_dataset_from_directory uses it,
// within 0.51 grey levels. `out` has height * width * 3 bytes. Deterministic, thread-safe, single-threaded.
void ResizeBilinear(const Image& image, int height, int width, absl::Span<uint8_t> out);

}  // namespace graft::image
