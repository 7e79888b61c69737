// The HTTP endpoint that Prometheus scrapes: GET /metrics.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace graft::metrics {

// Thread-safe. Stopping takes two seconds, in which CivetWeb's threads look up.
class MetricsEndpoint {
 public:
  // Listens on "host:port"; port 0 takes a free one. Unavailable if the address cannot be bound. Serves `sources` as
  // long as it lives.
  static absl::StatusOr<std::unique_ptr<MetricsEndpoint>> Start(
      const std::string& host, int port, std::vector<std::shared_ptr<prometheus::Collectable>> sources);

  int port() const { return exposer_->GetListeningPorts().front(); }

 private:
  MetricsEndpoint(std::unique_ptr<prometheus::Exposer> exposer,
                  std::vector<std::shared_ptr<prometheus::Collectable>> sources)
      : sources_(std::move(sources)), exposer_(std::move(exposer)) {}

  const std::vector<std::shared_ptr<prometheus::Collectable>> sources_;
  const std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace graft::metrics
