// Which hosts are this machine.
#pragma once

#include "absl/strings/string_view.h"

namespace graft {

// localhost, 127.0.0.0/8 and ::1, without brackets or a port. Names are not looked up.
bool IsLoopbackHost(absl::string_view host);

}  // namespace graft
