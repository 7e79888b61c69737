// Who is who, in memory: the database's principals as they were at most a second ago.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "core/access/access_store.h"

namespace graft::access {

// Thread-safe; lookups never wait for the database. A revoked token ends within a second, as does a new one's wait;
// while the database cannot be read, what was known stays for five seconds and then nobody is.
class AccessDirectory {
 public:
  static absl::StatusOr<std::unique_ptr<AccessDirectory>> Start(store::Database* database);
  ~AccessDirectory();

  // Null when there is no such valid token.
  std::shared_ptr<const Principal> FindToken(absl::string_view token) const;
  std::shared_ptr<const Principal> FindCertificate(absl::string_view identity) const;
  // Whether the token of this SHA-256, or the certificate of this identity, is valid still.
  bool Has(Kind kind, const std::string& secret) const;
  bool empty() const;

 private:
  struct Entry {
    std::shared_ptr<const Principal> principal;
    absl::Time expire_time;
  };
  struct Snapshot {
    absl::flat_hash_map<std::string, Entry> tokens, certificates;
  };

  explicit AccessDirectory(store::Database* database);
  absl::Status Refresh();
  void RefreshUntilStopped();
  std::shared_ptr<const Snapshot> Current() const;
  static std::shared_ptr<const Principal> FindIn(const absl::flat_hash_map<std::string, Entry>& entries,
                                                 const std::string& secret);

  store::Database* const database_;
  AccessStore store_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_ ABSL_GUARDED_BY(mutex_);
  absl::Time refresh_time_ ABSL_GUARDED_BY(mutex_);
  absl::Notification stop_;
  std::optional<int64_t> data_version_;  // the refreshing thread's
  std::thread thread_;
};

}  // namespace graft::access
