#include "core/base/ids.h"

#include <cstdint>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/random_bytes.h"
#include "core/base/status_macros.h"

namespace graft {
namespace {

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

absl::StatusOr<int> ParseNumber(absl::string_view field, absl::string_view text) {
  int number = 0;
  if (!absl::SimpleAtoi(text, &number) || number < 1) {
    return InvalidField(field, absl::StrCat("version '", text, "' is not a number from 1"));
  }
  return number;
}

// "animals/versions/3", the collection's prefix taken off.
absl::StatusOr<VersionReference> ParseResourceName(absl::string_view field, absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  VersionReference reference{.name = std::string(parts[0])};
  if (parts.size() == 3 && parts[1] == "versions") {
    ASSIGN_OR_RETURN(reference.number, ParseNumber(field, parts[2]));
  } else if (parts.size() == 3 && parts[1] == "aliases") {
    reference.alias = std::string(parts[2]);
  } else if (parts.size() != 1) {
    return InvalidField(field, absl::StrCat("'", text, "' is not NAME, NAME/versions/N or NAME/aliases/ALIAS"));
  }
  return reference;
}

absl::StatusOr<VersionReference> ParseShorthand(absl::string_view field, absl::string_view text) {
  if (const size_t at = text.find('@'); at != absl::string_view::npos) {
    return VersionReference{
        .name = std::string(text.substr(0, at)), .number = {}, .alias = std::string(text.substr(at + 1))};
  }
  VersionReference reference{.name = std::string(text.substr(0, text.find(':')))};
  if (const size_t colon = text.find(':'); colon != absl::string_view::npos) {
    ASSIGN_OR_RETURN(reference.number, ParseNumber(field, text.substr(colon + 1)));
  }
  return reference;
}

}  // namespace

std::string NewId() {
  static constexpr char kAlphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
  uint64_t time = static_cast<uint64_t>(absl::ToUnixMillis(absl::Now()));
  const std::string random = RandomBytes(16);
  std::string id(26, '0');
  for (int i = 9; i >= 0; --i, time >>= 5) id[i] = kAlphabet[time & 31];
  for (int i = 0; i < 16; ++i) id[10 + i] = kAlphabet[random[i] & 31];
  return id;
}

absl::Status ValidateName(absl::string_view field, absl::string_view name) {
  bool ok = !name.empty() && name.size() <= 63 && IsAlphanumeric(name.front()) && IsAlphanumeric(name.back());
  for (char c : name) ok = ok && (IsAlphanumeric(c) || c == '-' || c == '_');
  if (ok) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("'", absl::CHexEscape(name.substr(0, 80)),
                                          "' is not a name: use 1 to 63 lower-case letters, digits, '-' and '_', "
                                          "starting and ending with a letter or digit"));
}

absl::StatusOr<VersionReference> ParseVersionReference(absl::string_view field, absl::string_view collection,
                                                       absl::string_view text) {
  absl::string_view rest = text;
  const bool is_resource_name = absl::ConsumePrefix(&rest, absl::StrCat(collection, "/"));
  ASSIGN_OR_RETURN(VersionReference reference,
                   is_resource_name ? ParseResourceName(field, rest) : ParseShorthand(field, rest));
  RETURN_IF_ERROR(ValidateName(field, reference.name));
  if (reference.alias) RETURN_IF_ERROR(ValidateName(field, *reference.alias));
  return reference;
}

std::string VersionName(absl::string_view collection, absl::string_view name, int number) {
  return absl::StrCat(collection, "/", name, "/versions/", number);
}

}  // namespace graft
