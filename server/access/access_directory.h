// Who is who, in memory: the database's principals as they were at most a second ago.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "core/access/access_store.h"
#include "core/base/periodic_thread.h"

namespace graft::access {

// Thread-safe; lookups never wait for the database. A revoked token ends within a second, as does a new one's wait;
// while the database cannot be read, what was known stays for five seconds and then nobody is.
class AccessDirectory {
 public:
  static absl::StatusOr<std::unique_ptr<AccessDirectory>> Start(store::Database* database);

  // Who shows `secret`: the SHA-256 of a token, or a name in a certificate. Null when nobody valid does.
  std::shared_ptr<const Principal> Find(Kind kind, const std::string& secret) const;
  bool empty() const;

 private:
  struct Entry {
    std::shared_ptr<const Principal> principal;
    absl::Time expire_time;
  };
  using Snapshot = absl::flat_hash_map<std::pair<Kind, std::string>, Entry>;  // by kind and secret

  explicit AccessDirectory(store::Database* database);
  absl::Status Refresh();
  std::shared_ptr<const Snapshot> Current() const;

  store::Database* const database_;
  AccessStore store_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_ ABSL_GUARDED_BY(mutex_);
  absl::Time refresh_time_ ABSL_GUARDED_BY(mutex_);
  std::optional<int64_t> data_version_;  // the refreshing thread's
  std::unique_ptr<PeriodicThread> refreshing_;
};

}  // namespace graft::access
