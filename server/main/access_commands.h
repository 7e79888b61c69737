// graft-server token, certificate and audit: who may use a server, and who changed what. They work on the data folder,
// whether or not its server runs; one that runs knows within a second.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace graft {

// Whether the program's arguments are such a command.
bool IsAccessCommand(const std::vector<std::string>& arguments);

// The exit code: 0, 1 for what failed, 2 for wrong usage. `out` gets the answer alone: a new token's text is its line.
int RunAccessCommand(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

}  // namespace graft
