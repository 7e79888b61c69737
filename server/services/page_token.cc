#include "server/services/page_token.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"

namespace graft::services {

absl::StatusOr<int> PageSize(int requested) {
  if (requested < 0 || requested > kMaxPageSize) {
    return InvalidField("page_size", absl::StrCat("must be 1 to ", kMaxPageSize, ", or 0 for 100"));
  }
  return requested == 0 ? 100 : requested;
}

std::string EncodePageToken(absl::string_view list, absl::string_view last_key) {
  return absl::WebSafeBase64Escape(absl::StrCat(list, "\n", last_key));
}

absl::StatusOr<std::string> DecodePageToken(absl::string_view list, absl::string_view token) {
  if (token.empty()) return std::string();
  std::string text;
  absl::string_view key;
  if (absl::WebSafeBase64Unescape(token, &text)) {
    key = text;
    if (absl::ConsumePrefix(&key, absl::StrCat(list, "\n")) && !key.empty() && key.size() <= 256) {
      return std::string(key);
    }
  }
  return InvalidField("page_token", "is not a next_page_token of this list; leave it empty to start again");
}

}  // namespace graft::services
