#include "client/commands/names.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace graft::commands {

std::string ShortName(absl::string_view resource_name) {
  const std::vector<absl::string_view> parts = absl::StrSplit(resource_name, '/');
  if (parts.size() == 4 && parts[2] == "versions") return absl::StrCat(parts[1], ":", parts[3]);
  if (parts.size() == 2) return std::string(parts[1]);
  return std::string(resource_name);
}

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

std::string StateWord(v1::JobState state) {
  const std::string& name = v1::JobState_Name(state);
  return name.empty() ? absl::StrCat("state ", static_cast<int>(state))  // a newer server's
                      : absl::AsciiStrToLower(absl::StripPrefix(name, "JOB_STATE_"));
}

bool HasEnded(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED || state == v1::JOB_STATE_CANCELLED;
}

}  // namespace graft::commands
