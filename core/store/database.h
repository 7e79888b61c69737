// The metadata database: SQLite (WAL, synchronous=FULL) through SOCI.
//
// A write is one transaction: BEGIN IMMEDIATE, the step, COMMIT; an error or a throw rolls back. After OK it survives
// kill -9 and power loss. Folders above `store` write their SQL against Transaction (core/store/transaction.h, which
// includes SOCI and is included by .cc files only); workflow combines steps of several stores in one Write.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace graft::store {

class Transaction;  // core/store/transaction.h

// Thread-safe. Several processes may have the same database open.
class Database {
 public:
  // Opens or creates `path` and applies the migrations it lacks (core/store/migrations, compiled in), each once and
  // whole. FailedPrecondition if the database was made by a newer program.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();

  // `doing` names the step in errors ("submit job").
  absl::Status Write(absl::string_view doing, const std::function<absl::Status(Transaction&)>& step);
  // From now on `observer` is told how long each COMMIT of Write took, its sync included; it is called within Write,
  // one call at a time, and must not come back to the database. Null ends that: afterwards it is not running.
  void ObserveCommits(std::function<void(absl::Duration)> observer);

  // One consistent snapshot.
  absl::Status Read(absl::string_view doing, const std::function<absl::Status(Transaction&)>& step);

  // Changes whenever another connection (of any process) or this object committed; cheap enough to poll at 50 ms.
  absl::StatusOr<int64_t> DataVersion();

 private:
  class Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace graft::store
