// JPEG through libjpeg-turbo directly: scan and memory limits, and warnings that mean lost pixels are errors.
#include <time.h>

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <utility>
#include <vector>

// jpeglib.h needs <cstdio> before it, jerror.h needs jpeglib.h.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/image/codec.h"
#include "core/image/orientation.h"

namespace graft::image {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr unsigned kWholeMarker = 0xFFFF;

// One decompression. libjpeg reports errors by longjmp, which must not pass a frame with destructors: only the
// functions named Try... call libjpeg, they hold nothing but plain values, and all buffers live with their callers.
struct Session {
  Session();
  ~Session() { jpeg_destroy_decompress(&jpeg); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  jpeg_decompress_struct jpeg = {};
  jpeg_error_mgr errors = {};
  jpeg_progress_mgr progress = {};
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX] = {};
  bool over_limit = false;  // `message` says which
  int max_scans = 0;
  double max_seconds = 0, start_seconds = 0;  // of the thread's processor
  unsigned progress_calls = 0;
};

Session& SessionOf(j_common_ptr jpeg) {
  return *static_cast<Session*>(jpeg->client_data);
}

[[noreturn]] void Fail(j_common_ptr jpeg) {
  Session& session = SessionOf(jpeg);
  jpeg->err->format_message(jpeg, session.message);
  std::longjmp(session.escape, 1);
}

// Warnings that leave every pixel as it was meant; browsers and Pillow show these pictures right too.
bool IsHarmless(const jpeg_error_mgr& errors) {
  switch (errors.msg_code) {
    case JWRN_JFIF_MAJOR:
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
    case JWRN_NOT_SEQUENTIAL:  // some cameras write nonsense there; it has no meaning in a baseline scan
      return true;
    case JWRN_EXTRANEOUS_DATA: {
      // Junk between segments is skipped whole. Before a restart marker it is coded data that was not understood.
      const int marker = errors.msg_parm.i[1];
      return marker < JPEG_RST0 || marker > JPEG_RST0 + 7;
    }
    default:
      return false;
  }
}

void OnMessage(j_common_ptr jpeg, int level) {
  if (level < 0 && !IsHarmless(*jpeg->err)) Fail(jpeg);
}

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// A progressive file may hold thousands of tiny scans, each as dear as a whole pass over the picture. Called for each
// row of blocks; the clock is a system call, which each row of pixels would feel.
void OnProgress(j_common_ptr jpeg) {
  constexpr unsigned kCallsPerLook = 64;
  Session& session = SessionOf(jpeg);
  if (session.jpeg.input_scan_number > session.max_scans) {
    std::snprintf(session.message, sizeof(session.message), "more than %d scans", session.max_scans);
  } else if (++session.progress_calls % kCallsPerLook == 0 &&
             ThreadSeconds() - session.start_seconds > session.max_seconds) {
    std::snprintf(session.message, sizeof(session.message), "more than %g s to decode", session.max_seconds);
  } else {
    return;
  }
  session.over_limit = true;
  std::longjmp(session.escape, 1);
}

Session::Session() {
  jpeg.err = jpeg_std_error(&errors);
  errors.error_exit = Fail;
  errors.emit_message = OnMessage;
  errors.output_message = [](j_common_ptr) {};
  progress.progress_monitor = OnProgress;
  jpeg.client_data = this;
}

bool TryReadHeader(Session& session, const unsigned char* data, unsigned long size) {
  if (setjmp(session.escape) != 0) return false;
  jpeg_create_decompress(&session.jpeg);
  jpeg_mem_src(&session.jpeg, data, size);
  jpeg_save_markers(&session.jpeg, kExifMarker, kWholeMarker);
  jpeg_read_header(&session.jpeg, TRUE);
  return true;
}

bool IsCmyk(const Session& session) {
  return session.jpeg.jpeg_color_space == JCS_CMYK || session.jpeg.jpeg_color_space == JCS_YCCK;
}

// Ink to light, as tf.io.decode_jpeg does. Adobe's files, which is nearly all, store the ink inverted.
void RgbFromCmyk(const uint8_t* cmyk, int width, bool inverted, uint8_t* rgb) {
  const int flip = inverted ? 0 : 255;
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int light = cmyk[3] ^ flip;
    for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(((cmyk[c] ^ flip) * light + 127) / 255);
  }
}

// Then the output's size is known. A progressive picture is read whole here, as coefficients.
bool TryStart(Session& session, unsigned reduction) {
  if (setjmp(session.escape) != 0) return false;
  jpeg_decompress_struct& jpeg = session.jpeg;
  jpeg.progress = &session.progress;
  jpeg.out_color_space = IsCmyk(session) ? JCS_CMYK : JCS_RGB;
  jpeg.dct_method = JDCT_ISLOW;
  jpeg.do_fancy_upsampling = TRUE;
  jpeg.scale_num = 1;
  jpeg.scale_denom = reduction;
  jpeg_start_decompress(&jpeg);
  return true;
}

// `cmyk_row` has output width * 4 bytes, `pixels` output height * width * 3.
bool TryDecode(Session& session, uint8_t* cmyk_row, uint8_t* pixels) {
  if (setjmp(session.escape) != 0) return false;
  jpeg_decompress_struct& jpeg = session.jpeg;
  while (jpeg.output_scanline < jpeg.output_height) {
    uint8_t* target = pixels + size_t{jpeg.output_scanline} * jpeg.output_width * 3;
    uint8_t* row = IsCmyk(session) ? cmyk_row : target;
    jpeg_read_scanlines(&jpeg, &row, 1);
    if (row == cmyk_row) {
      RgbFromCmyk(row, static_cast<int>(jpeg.output_width), jpeg.saw_Adobe_marker != FALSE, target);
    }
  }
  jpeg_finish_decompress(&jpeg);  // reads up to the end marker, so a missing one is noticed
  return true;
}

absl::Status Refusal(const Session& session) {
  if (session.over_limit) {
    return BadImage(absl::StrCat("JPEG of ", session.message, ": save it again as a baseline JPEG"));
  }
  return BadImage(absl::StrCat("damaged or truncated JPEG: ", session.message));
}

absl::Status ReadJpegHeader(absl::string_view bytes, Session& session) {
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  return TryReadHeader(session, data, bytes.size()) ? absl::OkStatus() : Refusal(session);
}

Size SizeOf(const Session& session) {
  return {.height = session.jpeg.image_height, .width = session.jpeg.image_width};
}

// From the first EXIF block; XMP shares its marker.
int OrientationIn(const Session& session) {
  for (jpeg_saved_marker_ptr marker = session.jpeg.marker_list; marker != nullptr; marker = marker->next) {
    const absl::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (absl::StartsWith(data, absl::string_view("Exif\0", 5))) return ExifOrientation(data);
  }
  return 1;
}

// The upright minimum as the file's rows and columns see it.
MinimumSize Stored(const MinimumSize& minimum, int orientation) {
  return SwapsSides(orientation) ? MinimumSize{.height = minimum.width, .width = minimum.height} : minimum;
}

// libjpeg-turbo's fast ones: its other eighths have no SIMD.
int ReductionOf(const Size& size, const MinimumSize& minimum) {
  for (const int reduction : {8, 4, 2}) {
    const int64_t halves = reduction > 2 ? 3 : 2;  // of the minimum
    const auto leaves = [&](int64_t side, int64_t least) {
      return (side + reduction - 1) / reduction * 2 >= least * halves;
    };
    if (leaves(size.height, minimum.height) && leaves(size.width, minimum.width)) return reduction;
  }
  return 1;
}

}  // namespace

absl::StatusOr<Size> JpegSize(absl::string_view bytes) {
  Session session;
  RETURN_IF_ERROR(ReadJpegHeader(bytes, session));
  return SizeOf(session);
}

absl::StatusOr<Decoded> DecodeJpeg(absl::string_view bytes, const DecodeLimits& limits, const MinimumSize& minimum) {
  Session session;
  RETURN_IF_ERROR(ReadJpegHeader(bytes, session));
  RETURN_IF_ERROR(CheckSize(SizeOf(session), limits));
  // A progressive picture's coefficients: 2 bytes for each of at most 4 components, and room for tables and rows.
  session.jpeg.mem->max_memory_to_use = limits.max_pixels * 8 + (16 << 20);
  session.max_scans = limits.max_jpeg_scans;
  session.max_seconds = absl::ToDoubleSeconds(limits.max_jpeg_time);
  session.start_seconds = ThreadSeconds();
  const int orientation = OrientationIn(session);
  const int reduction = ReductionOf(SizeOf(session), Stored(minimum, orientation));
  if (!TryStart(session, static_cast<unsigned>(reduction))) return Refusal(session);
  const size_t height = session.jpeg.output_height, width = session.jpeg.output_width;
  Decoded decoded{.image = {.height = static_cast<int>(height),
                            .width = static_cast<int>(width),
                            .pixels = std::vector<uint8_t>(height * width * 3)},
                  .orientation = orientation,
                  .reduction = reduction,
                  .full = SizeOf(session)};
  std::vector<uint8_t> cmyk_row(IsCmyk(session) ? width * 4 : 0);
  if (!TryDecode(session, cmyk_row.data(), decoded.image.pixels.data())) return Refusal(session);
  return decoded;
}

}  // namespace graft::image
