#include "server/metrics/metrics_endpoint.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"

namespace graft::metrics {
namespace {

// CivetWeb wants an address, not a name, and brackets around IPv6.
std::string CivetAddress(const std::string& host, int port) {
  if (host == "localhost") return absl::StrCat("127.0.0.1:", port);
  if (host.find(':') != std::string::npos) return absl::StrCat("[", host, "]:", port);
  return absl::StrCat(host, ":", port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(
    const std::string& host, int port, std::vector<std::shared_ptr<prometheus::Collectable>> sources) {
  const std::string address = CivetAddress(host, port);
  ASSIGN_OR_RETURN(auto exposer, StatusFromThrow(absl::StatusCode::kUnavailable,
                                                 absl::StrCat("--metrics-listen ", address, " cannot be bound"),
                                                 [&] { return std::make_unique<prometheus::Exposer>(address, 2); }));
  if (exposer->GetListeningPorts().empty()) {
    return absl::UnavailableError(absl::StrCat("--metrics-listen ", address, " cannot be bound"));
  }
  for (const auto& source : sources) exposer->RegisterCollectable(source);
  return std::unique_ptr<MetricsEndpoint>(new MetricsEndpoint(std::move(exposer), std::move(sources)));
}

}  // namespace graft::metrics
