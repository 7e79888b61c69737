// What the tests on a GPU share.
#pragma once

#include <gtest/gtest.h>

#include "absl/algorithm/container.h"
#include "core/engine/engine.h"

namespace graft::gpu {

constexpr char kDevice[] = "cuda:0";

inline bool HasGpu() {
  return absl::c_linear_search(engine::AvailableDevices(), kDevice);
}

}  // namespace graft::gpu

// In a fixture's SetUp: skips its tests, visibly, where there is no GPU.
#define REQUIRE_GPU() \
  if (!::graft::gpu::HasGpu()) GTEST_SKIP() << "needs a GPU that LibTorch's CUDA build can use (device cuda:0)"
