// The log of server and worker: standard error, one line per event, text on a terminal, one JSON object otherwise.
//
// Every line has a time, a level, the program and a message; then the fields of the event and of what it happens in:
// `request_id`, `trace_id` and `method` of a call, `job` and `attempt` of a job.
#pragma once

#include <spdlog/common.h>

#include <string>
#include <utility>
#include <vector>

namespace graft::logging {

using Fields = std::vector<std::pair<std::string, std::string>>;

// Sets spdlog's default logger. Call once, before the first line and before other threads start. `program` is named in
// every line; `level`: debug, info, warn or error. From then on SIGUSR1 sets the level to debug, SIGUSR2 back to
// `level`.
void SetUpLogging(const std::string& program, const std::string& level);

// While it lives, every line that this thread writes has the fields. Ends on the thread it began on, innermost first.
class Context {
 public:
  explicit Context(Fields fields);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
};

// One event. Cheap when its level is off; callers with costly fields ask spdlog::should_log before.
void Log(spdlog::level::level_enum level, const std::string& message, Fields fields);

}  // namespace graft::logging
