// What `-o json` prints.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "graft/v1/inference.pb.h"

namespace graft::commands {

// The message as one line of protobuf JSON: lowerCamelCase names, zeroes and empty lists included.
std::string ToJson(const google::protobuf::Message& message);

// `file` and `error`, or `file`, `modelVersion`, `predictions` and `times`.
std::string ToJson(const v1::FileClassification& classification);

}  // namespace graft::commands
