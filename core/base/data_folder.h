// Where everything lies below --data-dir.
#pragma once

#include <string>

namespace graft {

struct DataFolder {
  std::string root;
  std::string database() const { return root + "/graft.db"; }
  std::string blobs() const { return root + "/blobs"; }
  std::string weights() const { return root + "/weights"; }
  std::string features() const { return root + "/features"; }
  std::string models() const { return root + "/models"; }
  std::string jobs() const { return root + "/jobs"; }
  std::string scrape_targets() const { return root + "/targets"; }  // of Prometheus: where workers expose metrics
  std::string server_lock() const { return root + "/server.lock"; }
  // ':' of "cuda:0" stays: these are file names.
  std::string worker_lock(const std::string& device) const { return root + "/worker-" + device + ".lock"; }
};

}  // namespace graft
