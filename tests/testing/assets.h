// Weights, photos and golden outputs that live outside the repository (GRAFT_ASSETS, set by tests/run.sh).
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace graft::testing {

// The path of `name` under GRAFT_ASSETS, or "" when the folder is not there.
inline std::string AssetPath(const std::string& name) {
  const char* root = std::getenv("GRAFT_ASSETS");
  if (root == nullptr || *root == '\0') return "";
  const std::string path = std::string(root) + "/" + name;
  return std::filesystem::exists(path) ? path : "";
}

}  // namespace graft::testing

// Skips the test, visibly, where the asset is absent; otherwise `variable` is its path.
#define REQUIRE_ASSET(variable, name)                             \
  const std::string variable = ::graft::testing::AssetPath(name); \
  if (variable.empty()) GTEST_SKIP() << "needs " << (name) << " under GRAFT_ASSETS"
