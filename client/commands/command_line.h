// The whole program `graft`, on streams that the caller gives.
#pragma once

#include <istream>
#include <ostream>
#include <string>
#include <vector>

#include "client/terminal/console.h"

namespace graft::commands {

struct ProgramStreams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  terminal::Console::Options console;
};

// Parses `arguments` (without the program's name), runs the command, prints, and returns the exit code.
int RunCommandLine(const std::vector<std::string>& arguments, const ProgramStreams& streams);

}  // namespace graft::commands
