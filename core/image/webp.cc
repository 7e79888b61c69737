// WebP. The RIFF structure is walked here and the picture's one chunk goes on to libwebp in a plain file of its own:
// OpenCV 4.6 refuses animations outright, and alpha, profiles and metadata are not needed.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/image/byte_reader.h"
#include "core/image/codec.h"
#include "core/image/opencv_decoder.h"
#include "core/image/orientation.h"

namespace graft::image {
namespace {

constexpr size_t kRiffHeader = 12;
constexpr size_t kChunkHeader = 8;
constexpr size_t kFrameHeader = 16;
constexpr uint32_t kAnimationFlag = 0x02;

struct RiffChunk {
  absl::string_view whole;  // with header and padding
  absl::string_view type;
  absl::string_view data;
};

absl::StatusOr<RiffChunk> RiffChunkAt(absl::string_view chunks, size_t offset) {
  const size_t length = Little32(chunks, offset + 4);
  const absl::string_view whole = Slice(chunks, offset, kChunkHeader + length + length % 2);
  if (whole.size() < kChunkHeader + length) return BadImage("truncated WebP: a chunk runs past the end of the file");
  return RiffChunk{whole, whole.substr(0, 4), whole.substr(kChunkHeader, length)};
}

bool IsPicture(const RiffChunk& chunk) {
  return chunk.type == "VP8 " || chunk.type == "VP8L";
}

// The chunks behind "RIFF size WEBP"; bytes after the RIFF's own end are nobody's business.
absl::StatusOr<absl::string_view> ChunksOf(absl::string_view bytes) {
  const size_t end = size_t{Little32(bytes, 4)} + 8;
  if (end > bytes.size()) return BadImage("truncated WebP: shorter than its header says");
  if (end < kRiffHeader) return BadImage("damaged WebP header");
  return bytes.substr(kRiffHeader, end - kRiffHeader);
}

// Size from a bitstream's own header: RFC 6386 section 9.1 and the WebP lossless specification, section 2.
absl::StatusOr<Size> PictureSize(const RiffChunk& picture) {
  const absl::string_view data = picture.data;
  if (picture.type == "VP8L") {
    if (ByteAt(data, 0) != 0x2f || data.size() < 5) return BadImage("damaged WebP: bad lossless header");
    const uint32_t packed = Little32(data, 1);
    return Size{.height = (packed >> 14 & 0x3fff) + 1, .width = (packed & 0x3fff) + 1};
  }
  if (data.size() < 10 || Little24(data, 3) != 0x2a019d) return BadImage("damaged WebP: bad lossy header");
  return Size{.height = Little16(data, 8) & 0x3fff, .width = Little16(data, 6) & 0x3fff};
}

struct Frame {
  Size canvas;
  Size size;
  int64_t top = 0;
  int64_t left = 0;
  RiffChunk picture;
};

absl::StatusOr<RiffChunk> FirstPicture(absl::string_view chunks) {
  for (size_t offset = 0; offset < chunks.size();) {
    ASSIGN_OR_RETURN(const RiffChunk chunk, RiffChunkAt(chunks, offset));
    if (IsPicture(chunk)) return chunk;
    offset += chunk.whole.size();
  }
  return BadImage("damaged WebP: no picture in it");
}

absl::StatusOr<Frame> FirstAnimationFrame(absl::string_view chunks, const Size& canvas) {
  for (size_t offset = 0; offset < chunks.size();) {
    ASSIGN_OR_RETURN(const RiffChunk chunk, RiffChunkAt(chunks, offset));
    offset += chunk.whole.size();
    if (chunk.type != "ANMF") continue;
    Frame frame{.canvas = canvas, .top = 2 * Little24(chunk.data, 3), .left = 2 * Little24(chunk.data, 0)};
    ASSIGN_OR_RETURN(frame.picture, FirstPicture(Slice(chunk.data, kFrameHeader)));
    ASSIGN_OR_RETURN(frame.size, PictureSize(frame.picture));
    if (frame.top + frame.size.height > canvas.height || frame.left + frame.size.width > canvas.width) {
      return BadImage("damaged WebP: its first frame lies outside its canvas");
    }
    return frame;
  }
  return BadImage("damaged WebP: an animation without frames");
}

absl::StatusOr<Size> CanvasSize(const RiffChunk& first) {
  if (first.type != "VP8X") return PictureSize(first);
  if (first.data.size() < 10) return BadImage("damaged WebP: short VP8X header");
  return Size{.height = Little24(first.data, 7) + 1, .width = Little24(first.data, 4) + 1};
}

absl::StatusOr<Frame> FirstFrame(absl::string_view chunks) {
  ASSIGN_OR_RETURN(const RiffChunk first, RiffChunkAt(chunks, 0));
  ASSIGN_OR_RETURN(const Size canvas, CanvasSize(first));
  if (first.type == "VP8X" && (ByteAt(first.data, 0) & kAnimationFlag) != 0) {
    return FirstAnimationFrame(chunks, canvas);
  }
  Frame frame{.canvas = canvas};
  ASSIGN_OR_RETURN(frame.picture, FirstPicture(chunks));
  ASSIGN_OR_RETURN(frame.size, PictureSize(frame.picture));
  if (frame.size.height != canvas.height || frame.size.width != canvas.width) {
    return BadImage("damaged WebP: header and picture differ in size");
  }
  return frame;
}

int OrientationIn(absl::string_view chunks) {
  for (size_t offset = 0; offset < chunks.size();) {
    const absl::StatusOr<RiffChunk> chunk = RiffChunkAt(chunks, offset);
    if (!chunk.ok()) return 1;
    if (chunk->type == "EXIF") return ExifOrientation(chunk->data);
    offset += chunk->whole.size();
  }
  return 1;
}

std::string PlainFile(const RiffChunk& picture) {
  const uint32_t size = static_cast<uint32_t>(4 + picture.whole.size());
  const char little[4] = {static_cast<char>(size), static_cast<char>(size >> 8), static_cast<char>(size >> 16),
                          static_cast<char>(size >> 24)};
  return absl::StrCat("RIFF", absl::string_view(little, 4), "WEBP", picture.whole);
}

// The frame on its canvas, which is transparent black where the frame does not reach.
Image OnCanvas(Image image, const Frame& frame) {
  if (frame.size.height == frame.canvas.height && frame.size.width == frame.canvas.width) return image;
  Image canvas{.height = static_cast<int>(frame.canvas.height),
               .width = static_cast<int>(frame.canvas.width),
               .pixels = std::vector<uint8_t>(static_cast<size_t>(frame.canvas.height * frame.canvas.width) * 3)};
  for (int64_t y = 0; y < frame.size.height; ++y) {
    std::copy_n(image.pixels.begin() + y * frame.size.width * 3, frame.size.width * 3,
                canvas.pixels.begin() + ((frame.top + y) * frame.canvas.width + frame.left) * 3);
  }
  return canvas;
}

}  // namespace

absl::StatusOr<Size> WebpSize(absl::string_view bytes) {
  ASSIGN_OR_RETURN(const absl::string_view chunks, ChunksOf(bytes));
  ASSIGN_OR_RETURN(const RiffChunk first, RiffChunkAt(chunks, 0));
  if (first.type != "VP8X" && !IsPicture(first)) return BadImage("damaged WebP: unknown first chunk");
  return CanvasSize(first);
}

absl::StatusOr<Decoded> DecodeWebp(absl::string_view bytes, const DecodeLimits& limits) {
  ASSIGN_OR_RETURN(const absl::string_view chunks, ChunksOf(bytes));
  ASSIGN_OR_RETURN(const Frame frame, FirstFrame(chunks));
  RETURN_IF_ERROR(CheckSize(frame.canvas, limits));
  ASSIGN_OR_RETURN(Image image, DecodeWithOpenCv(PlainFile(frame.picture), frame.size));
  return Decoded{OnCanvas(std::move(image), frame), OrientationIn(chunks)};
}

}  // namespace graft::image
