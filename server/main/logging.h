// The server's log: standard error, text on a terminal, one JSON object per line otherwise.
#pragma once

#include <string>

namespace graft {

// Sets spdlog's default logger. Call once, before the first line. `level`: debug, info, warn or error.
void SetUpServerLogging(const std::string& level);

}  // namespace graft
