// The log of server and worker: standard error, text on a terminal, one JSON object per line otherwise.
#pragma once

#include <string>

namespace graft::logging {

// Sets spdlog's default logger. Call once, before the first line. `program` is named in every line; `level`: debug,
// info, warn or error.
void SetUpLogging(const std::string& program, const std::string& level);

}  // namespace graft::logging
