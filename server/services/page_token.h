// Page sizes and opaque page tokens. A token says which list it belongs to and the last key of the page before.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace graft::services {

inline constexpr int kMaxPageSize = 1000;

// 0 means 100. InvalidField("page_size") outside 0 to kMaxPageSize.
absl::StatusOr<int> PageSize(int requested);

// `list` names the list and what selects its rows ("jobs", "models/animals/versions").
std::string EncodePageToken(absl::string_view list, absl::string_view last_key);

// The last key; "" for an empty token, which starts the list. InvalidField("page_token") for a token of another list,
// or one that no list gave.
absl::StatusOr<std::string> DecodePageToken(absl::string_view list, absl::string_view token);

// Lists are read with one row too many: whether there is a next page shows without another query.
template <typename Rows>
bool TrimToPage(Rows& rows, int page_size) {
  if (rows.size() <= static_cast<size_t>(page_size)) return false;
  rows.resize(static_cast<size_t>(page_size));
  return true;
}

}  // namespace graft::services
