#include "tests/bench/load/payload_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace graft::bench {

namespace fs = std::filesystem;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

std::vector<std::string> ReadPayloads(const std::vector<std::string>& paths) {
  std::vector<std::string> payloads;
  for (const std::string& path : paths) {
    std::vector<fs::path> files = {path};
    if (fs::is_directory(path)) {
      files.assign(fs::directory_iterator(path), fs::directory_iterator());
      std::sort(files.begin(), files.end());
    }
    for (const fs::path& file : files) payloads.push_back(ReadFile(file.string()));
  }
  return payloads;
}

}  // namespace graft::bench
