#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/archive/file_tree.h"
#include "core/base/status_macros.h"

namespace graft::archive {
namespace {

constexpr size_t kReadBytes = 64 << 10;

using Reader = std::unique_ptr<::archive, decltype(&archive_read_free)>;

// libarchive turns names into the thread's character set, and drops what "C" cannot say.
class Utf8Locale {
 public:
  Utf8Locale() : utf8_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)), before_(uselocale(utf8_)) {}
  ~Utf8Locale() {
    uselocale(before_);
    if (utf8_ != locale_t{}) freelocale(utf8_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  const locale_t utf8_;
  const locale_t before_;
};

// The entry's name without "." parts; refused if it points out of the archive.
absl::StatusOr<std::string> CleanPath(absl::string_view name) {
  std::vector<absl::string_view> parts = absl::StrSplit(name, '/', absl::SkipEmpty());
  parts.erase(std::remove(parts.begin(), parts.end(), "."), parts.end());
  const bool escapes = std::find(parts.begin(), parts.end(), "..") != parts.end();
  if (absl::StartsWith(name, "/") || escapes || parts.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("entry '", name, "' does not stay inside the archive; pack it again with relative names"));
  }
  return absl::StrJoin(parts, "/");
}

class ArchiveTree : public FileTree {
 public:
  ArchiveTree(std::string path, const SourceLimits& limits) : path_(std::move(path)), limits_(limits) {}

  absl::Status ForEachFile(const Wants& wants, const Visit& visit) const override {
    RETURN_IF_ERROR(CheckSize());
    const Utf8Locale locale;
    ASSIGN_OR_RETURN(const Reader reader, OpenReader());
    LimitCounter counter(limits_, path_);
    for (;;) {
      archive_entry* entry = nullptr;
      const int result = archive_read_next_header(reader.get(), &entry);
      if (result == ARCHIVE_EOF) return absl::OkStatus();
      if (result < ARCHIVE_WARN) return Damaged(reader.get(), "");
      RETURN_IF_ERROR(ReadEntry(reader.get(), entry, counter, wants, visit));
    }
  }

 private:
  absl::Status CheckSize() const {
    std::error_code error;
    const auto bytes = static_cast<int64_t>(std::filesystem::file_size(path_, error));
    if (error || bytes <= limits_.max_archive_bytes) return absl::OkStatus();  // what cannot be read shows in a moment
    return absl::InvalidArgumentError(absl::StrCat(path_, ": ", bytes, " bytes; an archive may have at most ",
                                                   limits_.max_archive_bytes, ": split it into several data sets"));
  }

  absl::StatusOr<Reader> OpenReader() const {
    Reader reader(archive_read_new(), &archive_read_free);
    archive_read_support_filter_gzip(reader.get());
    archive_read_support_format_tar(reader.get());
    archive_read_support_format_zip(reader.get());
    if (archive_read_open_filename(reader.get(), path_.c_str(), kReadBytes) == ARCHIVE_OK) return reader;
    return Unreadable(reader.get());
  }

  absl::Status ReadEntry(::archive* reader, archive_entry* entry, LimitCounter& counter, const Wants& wants,
                         const Visit& visit) const {
    const bool is_link = archive_entry_hardlink(entry) != nullptr;
    if (archive_entry_filetype(entry) != AE_IFREG || is_link) return absl::OkStatus();
    const char* name = archive_entry_pathname_utf8(entry);
    if (name == nullptr) name = archive_entry_pathname(entry);
    if (name == nullptr) return absl::InvalidArgumentError(absl::StrCat(path_, ": an entry has no readable name"));
    absl::StatusOr<std::string> path = CleanPath(name);
    if (!path.ok()) return absl::InvalidArgumentError(absl::StrCat(path_, ": ", path.status().message()));
    if (archive_entry_is_encrypted(entry) != 0) {
      return absl::InvalidArgumentError(absl::StrCat(path_, ": ", *path, " is encrypted; pack it without a password"));
    }
    RETURN_IF_ERROR(counter.AddFile(*path));
    // What is passed over is inflated too in a tar.gz, so it counts.
    if (!wants(*path)) return counter.AddBytes(*path, std::max<int64_t>(0, archive_entry_size(entry)));
    RETURN_IF_ERROR(counter.CheckFileSize(*path, archive_entry_size(entry)));
    ASSIGN_OR_RETURN(std::string bytes, ReadData(reader, *path, counter));
    return visit(*path, std::move(bytes));
  }

  // Trusts no declared size: a zip's may lie.
  absl::StatusOr<std::string> ReadData(::archive* reader, const std::string& path, LimitCounter& counter) const {
    std::string bytes;
    std::array<char, kReadBytes> buffer;
    for (;;) {
      const la_ssize_t count = archive_read_data(reader, buffer.data(), buffer.size());
      if (count < 0) return Damaged(reader, path);
      if (count == 0) return bytes;
      bytes.append(buffer.data(), static_cast<size_t>(count));
      RETURN_IF_ERROR(counter.CheckFileSize(path, static_cast<int64_t>(bytes.size())));
      RETURN_IF_ERROR(counter.AddBytes(path, count));
      RETURN_IF_ERROR(CheckRatio(path, counter.total_bytes()));
    }
  }

  absl::Status CheckRatio(const std::string& path, int64_t inflated) const {
    if (inflated <= limits_.ratio_from_bytes) return absl::OkStatus();
    std::error_code error;
    const auto packed = static_cast<int64_t>(std::filesystem::file_size(path_, error));
    if (!error && inflated / limits_.max_ratio <= packed) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(path_, ": ", path, " inflates it to more than ", limits_.max_ratio,
                                                   " times its size, which photos never do"));
  }

  absl::Status Unreadable(::archive* reader) const {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": not a folder and not a zip, tar or tar.gz archive (", Text(reader), ")"));
  }

  absl::Status Damaged(::archive* reader, const std::string& path) const {
    const std::string text = Text(reader);
    if (path.empty() && archive_file_count(reader) == 0) return Unreadable(reader);
    if (absl::StrContains(absl::AsciiStrToLower(text), "passphrase") || absl::StrContains(text, "ncrypt")) {
      return absl::InvalidArgumentError(absl::StrCat(path_, ": is encrypted; pack it without a password"));
    }
    return absl::InvalidArgumentError(absl::StrCat(path_, ": damaged or truncated archive",
                                                   path.empty() ? "" : absl::StrCat(" at ", path), " (", text,
                                                   "); copy or pack it again"));
  }

  static std::string Text(::archive* reader) {
    const char* text = archive_error_string(reader);
    return text != nullptr ? text : "no further detail";
  }

  const std::string path_;
  const SourceLimits limits_;
};

}  // namespace

std::unique_ptr<FileTree> OpenArchive(const std::string& path, const SourceLimits& limits) {
  return std::make_unique<ArchiveTree>(path, limits);
}

}  // namespace graft::archive
