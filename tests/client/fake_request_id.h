#pragma once

namespace graft::testing {

inline constexpr char kRequestId[] = "fake-request";  // of every call to a fake service

}  // namespace graft::testing
