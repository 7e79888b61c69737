// The simplest encoded photo: a BMP of one colour with a little texture.
#pragma once

#include <cstdint>
#include <string>

namespace graft::testing {

struct Colour {
  uint8_t red, green, blue;
};

// 24-bit, uncompressed, `side` a multiple of 4. `texture` differs the bytes of pictures of one colour.
inline std::string MakeBmp(int side, Colour colour, uint32_t texture) {
  const auto append = [](std::string& bytes, uint32_t value, int count) {
    for (int i = 0; i < count; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  };
  const uint32_t pixel_bytes = static_cast<uint32_t>(side * side * 3);
  std::string bytes = "BM";
  append(bytes, 54 + pixel_bytes, 4);
  append(bytes, 0, 4);
  append(bytes, 54, 4);  // where the pixels start
  append(bytes, 40, 4);  // BITMAPINFOHEADER
  append(bytes, static_cast<uint32_t>(side), 4);
  append(bytes, static_cast<uint32_t>(side), 4);
  append(bytes, 1, 2);   // planes
  append(bytes, 24, 2);  // bits per pixel
  append(bytes, 0, 4);   // uncompressed
  append(bytes, pixel_bytes, 4);
  append(bytes, 2835, 4);
  append(bytes, 2835, 4);
  append(bytes, 0, 4);
  append(bytes, 0, 4);
  uint32_t state = texture * 2654435761u + 1;
  for (int pixel = 0; pixel < side * side; ++pixel) {
    state = state * 1664525u + 1013904223u;
    const auto noise = static_cast<uint8_t>(state >> 28);  // 0 .. 15
    bytes.push_back(static_cast<char>(colour.blue + noise));
    bytes.push_back(static_cast<char>(colour.green + noise));
    bytes.push_back(static_cast<char>(colour.red + noise));
  }
  return bytes;
}

}  // namespace graft::testing
