#include "server/logging/logging.h"

#include <signal.h>
#include <spdlog/formatter.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/thread_pool.h"

namespace graft::logging {
namespace {

// Lines are formatted on the thread that writes them, so a line finds what that thread is at.
thread_local std::vector<Fields> contexts;

// Of all contexts; an inner one's value stands for an outer one's of the same name.
Fields CurrentFields() {
  Fields merged;
  for (const Fields& fields : contexts) {
    for (const auto& field : fields) {
      const auto same = [&](const auto& other) { return other.first == field.first; };
      merged.erase(std::remove_if(merged.begin(), merged.end(), same), merged.end());
      merged.push_back(field);
    }
  }
  return merged;
}

// What is no UTF-8 (a path, say) must not stop a log line.
std::string Dump(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

class JsonFormatter : public spdlog::formatter {
 public:
  explicit JsonFormatter(std::string program) : program_(std::move(program)) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const spdlog::string_view_t level = spdlog::level::to_string_view(message.level);
    nlohmann::ordered_json line;
    line["time"] = absl::FormatTime(absl::RFC3339_full, absl::FromChrono(message.time), absl::UTCTimeZone());
    line["level"] = std::string(level.data(), level.size());
    line["program"] = program_;
    line["message"] = std::string(message.payload.data(), message.payload.size());
    for (const auto& [name, value] : CurrentFields()) line[name] = value;
    const std::string text = Dump(line) + "\n";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(program_); }

 private:
  const std::string program_;
};

// ` name=value` of each field; a value with anything but plain characters is quoted, so that a line stays one.
class FieldsFlag : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& /*message*/, const std::tm& /*time*/,
              spdlog::memory_buf_t& out) override {
    for (const auto& [name, value] : CurrentFields()) {
      const std::string text = absl::StrCat(" ", name, "=", IsPlain(value) ? value : Dump(value));
      out.append(text.data(), text.data() + text.size());
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<FieldsFlag>(); }

 private:
  static bool IsPlain(const std::string& value) {
    const auto plain = [](char c) { return c > ' ' && c != '"' && c != '\\' && c < 0x7f; };
    return !value.empty() && std::all_of(value.begin(), value.end(), plain);
  }
};

std::unique_ptr<spdlog::formatter> TextFormatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<FieldsFlag>('*').set_pattern("[%Y-%m-%d %H:%M:%S.%e] [%n] [%^%l%$] %v%*");
  return formatter;
}

void FollowSignals(spdlog::logger& logger, const sigset_t& signals, const std::string& level) {
  while (true) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) continue;
    const std::string now = number == SIGUSR1 ? "debug" : level;
    logger.set_level(spdlog::level::from_str(now));
    logger.log(logger.level(), "log level is {} now", now);
  }
}

}  // namespace

void SetUpLogging(const std::string& program, const std::string& level) {
  auto logger = spdlog::stderr_color_mt(program);
  logger->set_formatter(isatty(STDERR_FILENO) == 0 ? std::make_unique<JsonFormatter>(program) : TextFormatter());
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(logger);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigaddset(&signals, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // Has nothing to end: it waits as long as the process lives.
  NamedThread("log-level", [logger, signals, level] { FollowSignals(*logger, signals, level); }).detach();
}

Context::Context(Fields fields) {
  contexts.push_back(std::move(fields));
}

Context::~Context() {
  contexts.pop_back();
}

void Log(spdlog::level::level_enum level, const std::string& message, Fields fields) {
  if (!spdlog::should_log(level)) return;
  const Context context(std::move(fields));
  spdlog::default_logger_raw()->log(level, message);
}

}  // namespace graft::logging
