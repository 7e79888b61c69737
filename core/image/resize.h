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

// A part of a picture, in shares of its sides: top, left >= 0, height, width > 0, none reaching past 1.
struct Region {
  double top = 0, left = 0, height = 1, width = 1;
};

// The region stretched in the same way. Pixels next to it are interpolated with at its edges: of the whole picture it
// gives ResizeBilinear's pixels.
void ResizeRegion(const Image& image, const Region& region, int height, int width, absl::Span<uint8_t> out);

// A picture that was reduced while it was decoded: each pixel is the mean of a square of the full picture's.
struct ReducedImage {
  Image image;
  // The full picture's sides in pixels of this one; its last row and column may stand for less than a whole square.
  double height = 0, width = 0;
};

// As near to ResizeBilinear of the full picture as the reduced one allows. That takes single points of the full
// picture; here the averaging of the reduction, and the second one of interpolating between averages, are undone by a
// sharpening of [-0.15, 1.3, -0.15] in both directions. 1/8 in place of 0.15 would cancel their second moments (1/12
// and 1/6 of a pixel squared); with 0.15 MobileNetV2's features come nearest to those of the full picture: on photos
// enlarged to 1,280 pixels they differ by 6 % from those, with plain bilinear by 16 %.
void ResizeReduced(const ReducedImage& reduced, int height, int width, absl::Span<uint8_t> out);

}  // namespace graft::image
