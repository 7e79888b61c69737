// What `-o json` prints, and what `--spec` reads.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "graft/v1/inference.pb.h"

namespace graft::commands {

// The message as one line of protobuf JSON: lowerCamelCase names, zeroes and empty lists included.
std::string ToJson(const google::protobuf::Message& message);

// InvalidArgument with what is wrong: not JSON, or a field that the message does not have.
absl::Status FromJson(absl::string_view text, google::protobuf::Message& message);

// `file` and `error`, or `file`, `modelVersion`, `predictions` and `times`.
std::string ToJson(const v1::FileClassification& classification);

}  // namespace graft::commands
