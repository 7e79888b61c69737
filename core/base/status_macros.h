// RETURN_IF_ERROR and ASSIGN_OR_RETURN for absl::Status, until the pinned Abseil has its own.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define GRAFT_CONCAT_INNER(a, b) a##b
#define GRAFT_CONCAT(a, b) GRAFT_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression)                                                        \
  do {                                                                                     \
    if (absl::Status graft_status = (expression); !graft_status.ok()) return graft_status; \
  } while (false)

#define ASSIGN_OR_RETURN(target, expression) \
  GRAFT_ASSIGN_OR_RETURN(GRAFT_CONCAT(graft_statusor_, __LINE__), target, expression)

#define GRAFT_ASSIGN_OR_RETURN(statusor, target, expression) \
  auto statusor = (expression);                              \
  if (!statusor.ok()) return std::move(statusor).status();   \
  target = *std::move(statusor)
