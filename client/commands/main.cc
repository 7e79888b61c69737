#include <iostream>

#include "client/commands/command_line.h"

int main(int argc, char** argv) {
  return graft::commands::RunCommandLine(
      {argv + 1, argv + argc},
      {.in = std::cin, .out = std::cout, .err = std::cerr, .console = graft::terminal::Console::DetectOptions()});
}
