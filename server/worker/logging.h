// The worker's log: standard error, text on a terminal, one JSON object per line otherwise.
#pragma once

namespace graft::worker {

// Sets spdlog's default logger. Call once, before the first line.
void SetUpLogging();

}  // namespace graft::worker
