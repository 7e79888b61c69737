// The images that a measurement sends or decodes.
#pragma once

#include <string>
#include <vector>

namespace graft::bench {

// Throws std::runtime_error naming the file.
std::string ReadFile(const std::string& path);

// The bytes of the files, and of every file directly in the folders, by name. Throws as ReadFile.
std::vector<std::string> ReadPayloads(const std::vector<std::string>& paths);

}  // namespace graft::bench
