#include "core/engine/devices.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/errors.h"
#include "core/engine/engine.h"
#include "core/engine/torch_engine.h"

namespace graft::engine {

absl::Status CheckDevice(const std::string& name) {
  if (name == kCpu) return absl::OkStatus();
  absl::string_view number = name;
  int index = -1;
  if (!absl::ConsumePrefix(&number, "cuda:") || !absl::SimpleAtoi(number, &index) || index < 0 || index > 127) {
    return InvalidField("device", absl::StrCat("'", name, "' is not a device; use cpu or cuda:N"));
  }
  if (index < CudaDevices()) return absl::OkStatus();
  return PreconditionFailed(name,
                            absl::StrCat("not on this machine, which has ", absl::StrJoin(AvailableDevices(), ", ")));
}

std::vector<std::string> AvailableDevices() {
  std::vector<std::string> devices = {kCpu};
  for (int i = 0; i < CudaDevices(); ++i) devices.push_back(absl::StrCat("cuda:", i));
  return devices;
}

}  // namespace graft::engine
