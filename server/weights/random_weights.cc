#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/network/architecture.h"
#include "server/weights/import_weights.h"
#include "server/weights/weight_file.h"

namespace graft::server {
namespace {

// Standard normal numbers by Box and Muller: std::normal_distribution differs between C++ libraries.
class NormalNumbers {
 public:
  explicit NormalNumbers(uint64_t seed) : engine_(seed) {}
  double Next() {
    const double radius = std::sqrt(-2 * std::log(Uniform()));
    return radius * std::cos(2 * std::numbers::pi * Uniform());
  }

 private:
  // In (0, 1].
  double Uniform() { return (static_cast<double>(engine_() >> 11) + 1) / 9007199254740992.0; }

  std::mt19937_64 engine_;
};

std::vector<float> RandomTensor(const std::string& name, const network::Shape& shape, NormalNumbers& numbers) {
  int64_t count = 1;
  for (int64_t dimension : shape) count *= dimension;
  std::vector<float> values(static_cast<size_t>(count));
  if (absl::EndsWith(name, "kernel")) {
    const double deviation = std::sqrt(2.0 * static_cast<double>(shape[0]) / static_cast<double>(count));
    for (float& value : values) value = static_cast<float>(deviation * numbers.Next());
  } else if (absl::EndsWith(name, "/gamma") || absl::EndsWith(name, "/moving_variance")) {
    std::fill(values.begin(), values.end(), 1.0F);
  }
  return values;
}

}  // namespace

absl::StatusOr<weights::StoredWeights> PutRandomWeights(const std::string& root, absl::string_view backbone,
                                                        uint64_t seed) {
  ASSIGN_OR_RETURN(const network::Architecture architecture, network::FindArchitecture(backbone));
  const std::map<std::string, network::Shape> shapes = network::ExpectedTensors(architecture);
  NormalNumbers numbers(seed);
  std::map<std::string, std::vector<float>> values;
  for (const auto& [name, shape] : shapes) values[name] = RandomTensor(name, shape, numbers);
  return weights::PutWeights(root, backbone, ToWeightFile(backbone, shapes, values), absl::StrCat("random:", seed),
                             "none needed: random numbers");
}

}  // namespace graft::server
