// Resource names as people type them, and messages' times and states as people read them.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "graft/v1/training.pb.h"

namespace graft::commands {

// "models/animals/versions/3" -> "animals:3", "jobs/01abc" -> "01abc"; other text as it is.
std::string ShortName(absl::string_view resource_name);

absl::Time ToTime(const google::protobuf::Timestamp& timestamp);
absl::Duration ToDuration(const google::protobuf::Duration& duration);

// "succeeded", "training", ...
std::string StateWord(v1::JobState state);
bool HasEnded(v1::JobState state);

}  // namespace graft::commands
