#include <nlohmann/json.hpp>

#include "core/weights/safetensors.h"

namespace graft::weights {

std::string Serialize(const std::map<std::string, TensorView>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();  // sorted by key
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    header[name] = {{"dtype", std::string(NameOf(tensor.dtype))},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + tensor.data.size()}}};
    offset += tensor.data.size();
  }
  std::string json = header.dump();
  json.resize((json.size() + 7) / 8 * 8, ' ');

  std::string bytes;
  bytes.reserve(8 + json.size() + offset);
  for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(json.size() >> shift & 0xFF));
  bytes += json;
  for (const auto& [name, tensor] : tensors) bytes.append(tensor.data.data(), tensor.data.size());
  return bytes;
}

}  // namespace graft::weights
