#include "core/archive/layout.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/types/span.h"
#include "core/base/status_macros.h"

namespace graft::archive {
namespace {

using Entries = absl::Span<Entry* const>;

// Formats the server decodes, and those it names in its report.
constexpr std::array<absl::string_view, 14> kPhotoExtensions = {".jpg",  ".jpeg", ".jpe",  ".jfif", ".png",
                                                                ".webp", ".bmp",  ".gif",  ".tif",  ".tiff",
                                                                ".heic", ".heif", ".avif", ".jp2"};
constexpr std::array<absl::string_view, 5> kSystemNames = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin",
                                                           "@eadir"};

constexpr absl::string_view kHint = "put the pictures of each class into a folder named for the class";

// The first part of `path` below `depth` folders, and whether it is a folder.
struct Part {
  absl::string_view name;
  bool is_folder;
};
Part PartAt(absl::string_view path, size_t prefix) {
  const absl::string_view rest = path.substr(prefix);
  const size_t slash = rest.find('/');
  return {rest.substr(0, slash), slash != absl::string_view::npos};
}

// One folder of the tree: the pictures right in it and, by name, those below its folders.
struct Folder {
  std::vector<Entry*> pictures;
  std::map<absl::string_view, std::vector<Entry*>> folders;
};

Folder FolderAt(Entries entries, size_t prefix) {
  Folder folder;
  for (Entry* entry : entries) {
    const Part part = PartAt(entry->path, prefix);
    if (part.is_folder) {
      folder.folders[part.name].push_back(entry);
    } else {
      folder.pictures.push_back(entry);
    }
  }
  return folder;
}

// Skips wrappers: folders that hold exactly one folder with folders in it, and no picture. `prefix` is the length of
// the path so far and grows.
Folder Unwrap(Entries entries, size_t& prefix) {
  Folder folder = FolderAt(entries, prefix);
  while (folder.pictures.empty() && folder.folders.size() == 1) {
    const absl::string_view name = folder.folders.begin()->first;
    const size_t deeper = prefix + name.size() + 1;
    Folder inner = FolderAt(entries, deeper);
    if (!inner.pictures.empty()) break;
    prefix = deeper;
    folder = std::move(inner);
  }
  return folder;
}

absl::Status NoLoosePictures(const std::string& source, const Folder& folder) {
  if (folder.pictures.empty()) return absl::OkStatus();
  const std::string& first = folder.pictures.front()->path;
  if (folder.folders.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": no class folders: ", first, " lies in none; ", kHint));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(source, ": ", first, " lies beside the class folders, in none of them; move it into one or away"));
}

absl::Status AssignClasses(const std::string& source, Entries entries, size_t prefix, Split split) {
  const Folder folder = Unwrap(entries, prefix);
  RETURN_IF_ERROR(NoLoosePictures(source, folder));
  for (const auto& [label, members] : folder.folders) {
    for (Entry* entry : members) {
      entry->label = std::string(label);
      entry->split = split;
    }
  }
  return absl::OkStatus();
}

struct SplitNames {
  std::vector<absl::string_view> splits;
  std::vector<absl::string_view> others;
};

SplitNames SplitNamesIn(const Folder& folder) {
  SplitNames names;
  for (const auto& [name, members] : folder.folders) {
    (SplitNamed(name).has_value() ? names.splits : names.others).push_back(name);
  }
  return names;
}

// A class may be called "train" (toys, say): split names are splits where they stand alone or where all have folders.
bool HoldsFolders(const std::vector<Entry*>& members, size_t prefix) {
  return std::any_of(members.begin(), members.end(),
                     [&](const Entry* entry) { return PartAt(entry->path, prefix).is_folder; });
}

absl::Status AssignSplits(const std::string& source, const Folder& folder, size_t prefix) {
  for (const auto& [name, members] : folder.folders) {
    RETURN_IF_ERROR(AssignClasses(source, members, prefix + name.size() + 1, *SplitNamed(name)));
  }
  return absl::OkStatus();
}

absl::Status AssignTree(const std::string& source, Entries entries) {
  // Wrappers above the splits are skipped by hand: Unwrap would step into a lone "train" too, which names a split.
  size_t prefix = 0;
  Folder folder = FolderAt(entries, prefix);
  while (folder.pictures.empty() && folder.folders.size() == 1) {
    const auto& [name, members] = *folder.folders.begin();
    const size_t deeper = prefix + name.size() + 1;
    if (SplitNamed(name).has_value() || !HoldsFolders(members, deeper)) break;
    Folder inner = FolderAt(entries, deeper);
    if (!inner.pictures.empty()) break;
    prefix = deeper;
    folder = std::move(inner);
  }
  const SplitNames names = SplitNamesIn(folder);
  const bool with_folders = std::all_of(folder.folders.begin(), folder.folders.end(), [&](const auto& item) {
    return HoldsFolders(item.second, prefix + item.first.size() + 1);
  });
  if (names.splits.empty() || !with_folders) return AssignClasses(source, entries, prefix, Split::kNone);
  RETURN_IF_ERROR(NoLoosePictures(source, folder));
  if (names.others.empty()) return AssignSplits(source, folder, prefix);
  return absl::InvalidArgumentError(absl::StrCat(source, ": folder '", names.others.front(), "' lies beside ",
                                                 absl::StrJoin(names.splits, ", "),
                                                 "; keep only train, validation and test there, or only classes"));
}

}  // namespace

std::optional<Split> SplitNamed(absl::string_view text) {
  const std::string name = absl::AsciiStrToLower(text);
  if (name == "train" || name == "training") return Split::kTrain;
  if (name == "validation" || name == "val" || name == "valid") return Split::kValidation;
  if (name == "test" || name == "testing") return Split::kTest;
  return std::nullopt;
}

bool IsVisiblePath(absl::string_view path) {
  const std::string lower = absl::AsciiStrToLower(path);
  for (absl::string_view part : absl::StrSplit(lower, '/')) {
    const bool system = std::find(kSystemNames.begin(), kSystemNames.end(), part) != kSystemNames.end();
    if (system || absl::StartsWith(part, ".")) return false;
  }
  return true;
}

bool IsPhotoPath(absl::string_view path) {
  const std::string lower = absl::AsciiStrToLower(path);
  return IsVisiblePath(path) &&
         std::any_of(kPhotoExtensions.begin(), kPhotoExtensions.end(),
                     [&](absl::string_view extension) { return absl::EndsWith(lower, extension); });
}

absl::Status AtLeastTwoClasses(const std::string& source, const std::vector<Entry>& entries) {
  std::set<absl::string_view> labels;
  for (const Entry& entry : entries) labels.insert(entry.label);
  if (labels.size() >= 2) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(source, ": only one class, '", *labels.begin(), "'; a classifier needs at least two: ", kHint));
}

absl::Status AssignLabels(const std::string& source, std::vector<Entry>& entries) {
  if (entries.empty()) return absl::InvalidArgumentError(absl::StrCat(source, ": no pictures in it; ", kHint));
  std::vector<Entry*> all;
  all.reserve(entries.size());
  for (Entry& entry : entries) all.push_back(&entry);
  RETURN_IF_ERROR(AssignTree(source, all));
  return AtLeastTwoClasses(source, entries);
}

}  // namespace graft::archive
