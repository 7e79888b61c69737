#include "core/base/random_bytes.h"

#include <sys/random.h>

#include <cstdlib>

namespace graft {

std::string RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  if (getrandom(bytes.data(), count, 0) != static_cast<ssize_t>(count)) abort();
  return bytes;
}

}  // namespace graft
