// What a server bounds, in one table: GetServerInfo shows it, docs/limits.md says what exceeding each leads to and
// which test goes to its edge.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "server/main/server.h"

namespace graft {

// By name; bytes, seconds and counts are in the names.
std::map<std::string, int64_t> Limits(const ServerSettings& settings);

}  // namespace graft
