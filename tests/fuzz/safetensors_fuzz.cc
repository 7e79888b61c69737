// Whatever the bytes: no crash, and what is accepted survives a round trip.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/weights/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using graft::weights::Safetensors;
  const auto file = Safetensors::Parse(std::string(reinterpret_cast<const char*>(data), size));
  if (!file.ok()) return 0;
  const auto again = Safetensors::Parse(graft::weights::Serialize(file->tensors(), file->metadata()));
  if (!again.ok() || again->tensors().size() != file->tensors().size()) abort();
  for (const auto& [name, tensor] : file->tensors()) {
    const auto found = again->tensors().find(name);
    if (found == again->tensors().end() || found->second.data != tensor.data) abort();
  }
  return 0;
}
