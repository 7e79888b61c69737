// Random bytes that nobody can guess; random.h has those that can be had again.
#pragma once

#include <cstddef>
#include <string>

namespace graft {

// From the kernel's generator; at most 256, which it gives at once. Ends the program where it gives none.
std::string RandomBytes(size_t count);

}  // namespace graft
