// What a picture is, in a few bytes: for finding the same picture again, also resized, compressed anew, turned by 90
// degrees, mirrored or slightly cropped, and for finding dark, bright and blurred ones.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "core/image/decode.h"

namespace graft::image {

// One of the eight ways to lay a square on itself: first transposed (4), then mirrored left to right (1) and top to
// bottom (2). 0 leaves it as it is.
using Turn = int;
inline constexpr Turn kTurns = 8;

// The picture stretched to a small square: mean luma of each of 16x16 fields, then mean Cb and mean Cr of each of 4x4.
inline constexpr int kThumbnailSide = 16;
inline constexpr int kChromaSide = 4;
inline constexpr int kThumbnailBytes = kThumbnailSide * kThumbnailSide + 2 * kChromaSide * kChromaSide;
using Thumbnail = std::array<uint8_t, kThumbnailBytes>;

struct Fingerprint {
  std::string pixel_sha256;  // of height, width and RGB pixels: the same for every lossless encoding of them
  // The signs of 64 low frequencies of the luma's cosine transform, stretched to 32x32. Like pHash (Zauner, 2010,
  // "Implementation and Benchmarking of Perceptual Image Hash Functions"), but with signs in place of "above the
  // median", because those follow a turned picture exactly (TurnedHash). Each 16 bits hold low and high frequencies.
  uint64_t hash = 0;
  Thumbnail thumbnail{};
  double brightness = 0;  // mean luma, 0 to 255
  // Variance of the Laplacian of the luma, of the picture reduced by a whole number to at most 512 pixels a side: low
  // for a blurred one. Source: Pech-Pacheco et al., 2000, "Diatom autofocusing in brightfield microscopy".
  double sharpness = 0;
};

// Costs a small part of the picture's decoding (tests/bench/audit_bench). ResourceExhausted without memory.
// Thread-safe.
absl::StatusOr<Fingerprint> FingerprintOf(const Image& image);

// The hash of the picture turned so.
uint64_t TurnedHash(uint64_t hash, Turn turn);

// How alike two pictures are once the second is turned so.
struct Likeness {
  double correlation = 0;        // of the lumas, -1 to 1: brightness and contrast do not count; 0 where one is flat
  double chroma_difference = 0;  // mean over the fields, 0 to 255
};
Likeness Compare(const Thumbnail& first, const Thumbnail& second, Turn turn);

// Standard deviation of the thumbnail's luma, 0 to 128. Below about 4 there is no picture to recognise, and the hash
// and the correlation are those of noise.
double Contrast(const Thumbnail& thumbnail);

}  // namespace graft::image
