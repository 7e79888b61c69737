// The exception boundary where LibTorch may throw.
#pragma once

#include <c10/util/Exception.h>

#include <cstring>
#include <type_traits>
#include <utility>

#include "core/base/status_from_throw.h"

namespace graft::network {

// As graft::StatusFromThrow, and: LibTorch's out-of-memory errors are ResourceExhausted, its backtraces are dropped.
template <typename Step>
auto StatusFromThrow(absl::StatusCode code, absl::string_view doing, Step&& step) ->
    typename graft::internal::StatusResult<std::invoke_result_t<Step>>::type {
  using Result = typename graft::internal::StatusResult<std::invoke_result_t<Step>>::type;
  return graft::StatusFromThrow(code, doing, [&]() -> Result {
    try {
      return graft::internal::RunStep(std::forward<Step>(step));
    } catch (const c10::OutOfMemoryError&) {
      return absl::ResourceExhaustedError(absl::StrCat(doing, ": the device is out of memory"));
    } catch (const c10::Error& error) {
      // The CPU allocator has no error type of its own.
      if (std::strstr(error.what_without_backtrace(), "DefaultCPUAllocator") != nullptr) {
        return absl::ResourceExhaustedError(absl::StrCat(doing, ": out of memory"));
      }
      return absl::Status(code, absl::StrCat(doing, ": ", error.what_without_backtrace()));
    }
  });
}

}  // namespace graft::network
