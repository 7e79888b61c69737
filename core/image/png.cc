// PNG. The structure is walked here and only what pixels need (IHDR, PLTE, IDAT, IEND) goes on to libpng: compressed
// text and colour profiles, the classic bombs, are never inflated, and a file without its end is refused before OpenCV
// could make something of it.
#include <string>

#include "absl/strings/match.h"
#include "core/base/status_macros.h"
#include "core/image/byte_reader.h"
#include "core/image/codec.h"
#include "core/image/opencv_decoder.h"
#include "core/image/orientation.h"

namespace graft::image {
namespace {

constexpr size_t kSignatureBytes = 8;
constexpr size_t kChunkFrame = 12;  // length, type and CRC around the data

struct Chunk {
  absl::string_view whole;
  absl::string_view type;
  absl::string_view data;
};

absl::StatusOr<Chunk> ChunkAt(absl::string_view bytes, size_t offset) {
  const size_t length = Big32(bytes, offset);
  const absl::string_view whole = Slice(bytes, offset, length + kChunkFrame);
  if (whole.size() != length + kChunkFrame)
    return BadImage("damaged or truncated PNG: it ends before its end chunk (IEND)");
  return Chunk{whole, whole.substr(4, 4), whole.substr(8, length)};
}

struct Essence {
  std::string png;
  int orientation = 1;
};

absl::StatusOr<Essence> EssenceOf(absl::string_view bytes) {
  Essence essence{.png = std::string(bytes.substr(0, kSignatureBytes))};
  for (size_t offset = kSignatureBytes;;) {
    ASSIGN_OR_RETURN(const Chunk chunk, ChunkAt(bytes, offset));
    offset += chunk.whole.size();
    if (chunk.type == "eXIf") essence.orientation = ExifOrientation(chunk.data);
    if (chunk.type == "IHDR" || chunk.type == "PLTE" || chunk.type == "IDAT" || chunk.type == "IEND") {
      essence.png.append(chunk.whole.data(), chunk.whole.size());
    } else if ((ByteAt(chunk.type, 0) & 0x20) == 0) {
      return BadImage("PNG with an unknown critical chunk: damaged, or not a plain PNG");
    }
    if (chunk.type == "IEND") return essence;
  }
}

}  // namespace

absl::StatusOr<Size> PngSize(absl::string_view bytes) {
  ASSIGN_OR_RETURN(const Chunk header, ChunkAt(bytes, kSignatureBytes));
  if (header.type != "IHDR" || header.data.size() != 13) return BadImage("damaged PNG: no header chunk (IHDR)");
  return Size{.height = Big32(header.data, 4), .width = Big32(header.data, 0)};
}

absl::StatusOr<Decoded> DecodePng(absl::string_view bytes, const DecodeLimits& limits) {
  ASSIGN_OR_RETURN(const Size size, PngSize(bytes));
  RETURN_IF_ERROR(CheckSize(size, limits));
  ASSIGN_OR_RETURN(const Essence essence, EssenceOf(bytes));
  ASSIGN_OR_RETURN(Image image, DecodeWithOpenCv(essence.png, size));
  return Decoded{std::move(image), essence.orientation};
}

}  // namespace graft::image
