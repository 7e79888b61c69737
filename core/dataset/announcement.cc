#include "core/dataset/announcement.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"

namespace graft::dataset {
namespace {

constexpr size_t kMaxPathBytes = 1024;
constexpr size_t kMaxLabelBytes = 255;

// Bytes of the UTF-8 sequence at the start of `text`, 0 if it is none: overlong forms, surrogates and values past
// U+10FFFF are none. Source: Unicode 15, table 3-7.
size_t Utf8SequenceBytes(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(i < text.size() ? text[i] : 0); };
  const auto continues = [&](size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if ((first & 0xF0) == 0xE0) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) > 0x9F;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool overlong = first == 0xF0 && byte(1) < 0x90;
    const bool too_large = first == 0xF4 && byte(1) > 0x8F;
    return continues(1) && continues(2) && continues(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t bytes = Utf8SequenceBytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

bool HasControlCharacter(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7F; });
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::Utf8SafeCHexEscape(text.substr(0, 120)), text.size() > 120 ? "..." : "", "'");
}

absl::Status CheckPath(absl::string_view path) {
  const auto fail = [&](absl::string_view reason) {
    return InvalidField("announce.files.path", absl::StrCat(Quoted(path), " ", reason));
  };
  if (path.empty()) return fail("is empty");
  if (path.size() > kMaxPathBytes) return fail(absl::StrCat("is longer than ", kMaxPathBytes, " bytes"));
  if (path.find('\0') != absl::string_view::npos) return fail("contains a NUL byte");
  if (!IsUtf8(path)) return fail("is not UTF-8: rename the file");
  if (path.front() == '/') return fail("is absolute: announce it relative to the data set's folder");
  for (absl::string_view part : absl::StrSplit(path, '/')) {
    if (part == "..") return fail("contains '..'");
  }
  return absl::OkStatus();
}

absl::Status CheckLabel(const AnnouncedFile& file) {
  const auto fail = [&](absl::string_view reason) {
    return InvalidField("announce.files.label",
                        absl::StrCat(Quoted(file.label), " of ", Quoted(file.path), " ", reason));
  };
  if (file.label.empty()) return fail("is empty: put the file in a folder named for its class");
  if (file.label.size() > kMaxLabelBytes) return fail(absl::StrCat("is longer than ", kMaxLabelBytes, " bytes"));
  if (!IsUtf8(file.label)) return fail("is not UTF-8: rename the folder");
  if (HasControlCharacter(file.label)) return fail("contains a control character");
  return absl::OkStatus();
}

absl::Status CheckGroup(const AnnouncedFile& file) {
  const auto fail = [&](absl::string_view reason) {
    return InvalidField("announce.files.group",
                        absl::StrCat(Quoted(file.group), " of ", Quoted(file.path), " ", reason));
  };
  if (file.group.size() > kMaxLabelBytes) return fail(absl::StrCat("is longer than ", kMaxLabelBytes, " bytes"));
  if (!IsUtf8(file.group)) return fail("is not UTF-8");
  if (HasControlCharacter(file.group)) return fail("contains a control character");
  return absl::OkStatus();
}

}  // namespace

absl::Status Announcement::Check(const AnnouncedFile& file) const {
  RETURN_IF_ERROR(CheckPath(file.path));
  if (paths_.contains(file.path)) {
    return InvalidField("announce.files.path", absl::StrCat(Quoted(file.path), " is announced twice"));
  }
  RETURN_IF_ERROR(CheckLabel(file));
  RETURN_IF_ERROR(CheckGroup(file));
  if (!IsSha256Hex(file.sha256)) {
    return InvalidField("announce.files.sha256", absl::StrCat(Quoted(file.sha256), " of ", Quoted(file.path),
                                                              " is not 64 lower-case hex digits"));
  }
  if (file.size_bytes < 1 || file.size_bytes > limits_.max_file_bytes) {
    return InvalidField("announce.files.size_bytes",
                        absl::StrCat(Quoted(file.path), " has ", file.size_bytes, " bytes: 1 to ",
                                     limits_.max_file_bytes, " are accepted"));
  }
  if (const int64_t known = SizeOf(file.sha256); known >= 0 && known != file.size_bytes) {
    return InvalidField("announce.files.size_bytes",
                        absl::StrCat(Quoted(file.path), " has ", file.size_bytes, " bytes, another file with the same ",
                                     "digest has ", known));
  }
  return absl::OkStatus();
}

absl::Status Announcement::Add(std::vector<AnnouncedFile> files) {
  for (AnnouncedFile& file : files) {
    RETURN_IF_ERROR(Check(file));
    if (static_cast<int>(files_.size()) >= limits_.max_files) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the upload has more files than the limit of ", limits_.max_files));
    }
    if (file.size_bytes > limits_.max_total_bytes - total_bytes_) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the upload has more bytes than the limit of ", limits_.max_total_bytes));
    }
    total_bytes_ += file.size_bytes;
    paths_.insert(file.path);
    sizes_.emplace(file.sha256, file.size_bytes);
    files_.push_back(std::move(file));
  }
  return absl::OkStatus();
}

absl::Status Announcement::Finish() {
  std::sort(files_.begin(), files_.end(),
            [](const AnnouncedFile& a, const AnnouncedFile& b) { return a.path < b.path; });
  std::map<std::string, int> images_per_label;
  for (const AnnouncedFile& file : files_) ++images_per_label[file.label];
  return CheckClasses(images_per_label, limits_, "announced");
}

std::vector<std::string> Announcement::Digests() const {
  std::vector<std::string> digests;
  absl::flat_hash_set<absl::string_view> seen;
  for (const AnnouncedFile& file : files_) {
    if (seen.insert(file.sha256).second) digests.push_back(file.sha256);
  }
  return digests;
}

int64_t Announcement::SizeOf(absl::string_view sha256) const {
  const auto found = sizes_.find(sha256);
  return found == sizes_.end() ? -1 : found->second;
}

absl::Status CheckClasses(const std::map<std::string, int>& images_per_label, const ImportLimits& limits,
                          absl::string_view what) {
  const int classes = static_cast<int>(images_per_label.size());
  if (classes < limits.min_classes) {
    return InvalidField("announce.files.label", absl::StrCat("the upload has ", classes, " classes, at least ",
                                                             limits.min_classes, " are needed: one folder per class"));
  }
  if (classes > limits.max_classes) {
    return InvalidField("announce.files.label",
                        absl::StrCat("the upload has ", classes, " classes, the limit is ", limits.max_classes));
  }
  for (const auto& [label, images] : images_per_label) {
    if (images >= limits.min_images_per_class) continue;
    return InvalidField("announce.files",
                        absl::StrCat("class ", Quoted(label), " has ", images, " ", what, " images, at least ",
                                     limits.min_images_per_class, " are needed: add photos or leave the class out"));
  }
  return absl::OkStatus();
}

}  // namespace graft::dataset
