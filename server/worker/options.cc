#include "server/worker/options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "core/base/cores.h"

namespace graft::worker {

absl::StatusOr<Options> ParseOptions(int argc, const char* const* argv) {
  Options options{.threads = AvailableCores()};
  CLI::App app("Runs Graft's fine-tune jobs on one device. Started by graft-server; ends when its standard input does.",
               "graft-worker");
  app.add_option("--data-dir", options.data.root, "The server's data folder")->required();
  app.add_option("--device", options.device, "cpu or cuda:N")->capture_default_str();
  app.add_option("--threads", options.threads, "Threads that decode photos and compute features")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--max-feature-cache-bytes", options.max_feature_cache_bytes, "Bound of the feature cache on disk")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("--metrics", options.metrics,
               "Expose Prometheus metrics on a free loopback port, which a file in the data folder's targets/ names");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    exit(app.exit(help));
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(error.what());
  }
  return options;
}

}  // namespace graft::worker
