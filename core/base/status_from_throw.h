// The exception boundary: the one place where what a library throws becomes a Status.
#pragma once

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace graft {
namespace internal {

// What StatusFromThrow returns for a step that returns T.
template <typename T>
struct StatusResult {
  using type = absl::StatusOr<T>;
};
template <typename T>
struct StatusResult<absl::StatusOr<T>> {
  using type = absl::StatusOr<T>;
};
template <>
struct StatusResult<absl::Status> {
  using type = absl::Status;
};
template <>
struct StatusResult<void> {
  using type = absl::Status;
};

// What `step` returns; OK for one that returns nothing.
template <typename Step>
auto RunStep(Step&& step) -> typename StatusResult<std::invoke_result_t<Step>>::type {
  if constexpr (std::is_void_v<std::invoke_result_t<Step>>) {
    std::forward<Step>(step)();
    return absl::OkStatus();
  } else {
    return std::forward<Step>(step)();
  }
}

}  // namespace internal

// Runs `step` and returns its result; `step` returns absl::Status, absl::StatusOr<T>, void or a plain T (wrapped).
// A throw becomes an error whose message starts with `doing`: bad_alloc ResourceExhausted, another std::exception
// `code` (the caller knows whose fault it is), anything else Internal.
template <typename Step>
auto StatusFromThrow(absl::StatusCode code, absl::string_view doing, Step&& step) ->
    typename internal::StatusResult<std::invoke_result_t<Step>>::type {
  try {
    return internal::RunStep(std::forward<Step>(step));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(doing, ": out of memory"));
  } catch (const std::exception& error) {
    return absl::Status(code, absl::StrCat(doing, ": ", error.what()));
  } catch (...) {
    return absl::InternalError(absl::StrCat(doing, ": unknown exception"));
  }
}

}  // namespace graft
