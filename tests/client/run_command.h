// Runs the command line as a user would, without a process.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "client/commands/command_line.h"

namespace graft::commands {

struct CommandResult {
  int exit_code = 0;
  std::string out, err;
};

inline CommandResult RunCommand(const std::vector<std::string>& arguments, const std::string& input = "",
                                const terminal::Console::Options& console = {}) {
  std::istringstream in(input);
  std::ostringstream out, err;
  CommandResult result;
  result.exit_code = RunCommandLine(arguments, {.in = in, .out = out, .err = err, .console = console});
  result.out = out.str();
  result.err = err.str();
  return result;
}

}  // namespace graft::commands
