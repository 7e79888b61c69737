#include "core/store/database.h"

#include <fcntl.h>
#include <soci/soci.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/errors.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "core/base/stopwatch.h"
#include "core/store/connection.h"
#include "core/store/migrations.h"
#include "core/store/transaction.h"

namespace graft::store {
namespace {

using Session = std::unique_ptr<soci::session>;
using Step = std::function<absl::Status(Transaction&)>;

constexpr int kReadConnections = 4;

// Made with mknod, which opens nothing: closing a descriptor of a database that this process has open elsewhere would
// drop SQLite's locks on it. SQLite gives its -wal and -shm files the same mode.
absl::Status CreatePrivateFile(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  if (!folder.empty()) RETURN_IF_ERROR(CreateFolders(folder));
  if (mknod(path.c_str(), S_IFREG | 0600, 0) == 0) return SyncFolder(folder.empty() ? "." : folder);
  if (errno != EEXIST) return absl::ErrnoToStatus(errno, absl::StrCat("create ", path));
  if (chmod(path.c_str(), 0600) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("set the mode of ", path));
  return absl::OkStatus();
}

absl::Status RunStep(soci::session& sql, absl::string_view doing, const Step& step) {
  return Guarded(sql, doing, [&] {
    Transaction transaction(sql);
    return step(transaction);
  });
}

// Idle read connections; a taker waits for one.
class ReadPool {
 public:
  explicit ReadPool(std::vector<Session> sessions) : idle_(std::move(sessions)) {}

  Session Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &ReadPool::HasIdle));
    Session session = std::move(idle_.back());
    idle_.pop_back();
    return session;
  }

  void Return(Session session) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    idle_.push_back(std::move(session));
  }

 private:
  bool HasIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !idle_.empty(); }

  absl::Mutex mutex_;
  std::vector<Session> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

class Database::Impl {
 public:
  Impl(Session writer, Session watcher, std::vector<Session> readers)
      : writer_(std::move(writer)), watcher_(std::move(watcher)), readers_(std::move(readers)) {}

  absl::Status Write(absl::string_view doing, const Step& step) ABSL_LOCKS_EXCLUDED(write_mutex_) {
    absl::MutexLock lock(&write_mutex_);
    if (absl::Status begun = BeginImmediate(*writer_); !begun.ok()) return WithContext(begun, doing);
    absl::Cleanup roll_back = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { RollBack(*writer_); };
    RETURN_IF_ERROR(RunStep(*writer_, doing, step));
    const Stopwatch stopwatch;
    // A COMMIT whose sync failed is an error like any other: nothing is acknowledged.
    if (absl::Status committed = Execute(*writer_, "COMMIT"); !committed.ok()) return WithContext(committed, doing);
    std::move(roll_back).Cancel();
    if (commit_observer_) commit_observer_(absl::Seconds(stopwatch.seconds()));
    return absl::OkStatus();
  }

  void ObserveCommits(std::function<void(absl::Duration)> observer) ABSL_LOCKS_EXCLUDED(write_mutex_) {
    absl::MutexLock lock(&write_mutex_);
    commit_observer_ = std::move(observer);
  }

  absl::Status Read(absl::string_view doing, const Step& step) {
    Session session = readers_.Take();
    absl::Cleanup give_back = [&] {
      RollBack(*session);
      readers_.Return(std::move(session));
    };
    if (absl::Status begun = Execute(*session, "BEGIN"); !begun.ok()) return WithContext(begun, doing);
    return RunStep(*session, doing, step);
  }

  absl::StatusOr<int64_t> DataVersion() ABSL_LOCKS_EXCLUDED(watch_mutex_) {
    absl::MutexLock lock(&watch_mutex_);
    soci::session& sql = *watcher_;
    return Guarded(sql, "read data version", [&sql] {
      long long version = 0;
      sql << "PRAGMA data_version", soci::into(version);
      return static_cast<int64_t>(version);
    });
  }

 private:
  absl::Mutex write_mutex_;
  const Session writer_ ABSL_PT_GUARDED_BY(write_mutex_);
  std::function<void(absl::Duration)> commit_observer_ ABSL_GUARDED_BY(write_mutex_);

  // data_version tells of commits by other connections only, so this one never writes.
  absl::Mutex watch_mutex_;
  const Session watcher_ ABSL_PT_GUARDED_BY(watch_mutex_);

  // Has its own synchronisation.
  ReadPool readers_;
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  RETURN_IF_ERROR(CreatePrivateFile(path));
  ASSIGN_OR_RETURN(Session writer, Connect(path, Access::kWrite));
  if (absl::Status migrated = Migrate(*writer, CompiledMigrations()); !migrated.ok()) {
    return WithContext(migrated, absl::StrCat("open ", path));
  }
  ASSIGN_OR_RETURN(Session watcher, Connect(path, Access::kRead));
  std::vector<Session> readers;
  for (int i = 0; i < kReadConnections; ++i) {
    ASSIGN_OR_RETURN(Session reader, Connect(path, Access::kRead));
    readers.push_back(std::move(reader));
  }
  return std::unique_ptr<Database>(
      new Database(std::make_unique<Impl>(std::move(writer), std::move(watcher), std::move(readers))));
}

absl::Status Database::Write(absl::string_view doing, const Step& step) {
  return impl_->Write(doing, step);
}

void Database::ObserveCommits(std::function<void(absl::Duration)> observer) {
  impl_->ObserveCommits(std::move(observer));
}

absl::Status Database::Read(absl::string_view doing, const Step& step) {
  return impl_->Read(doing, step);
}

absl::StatusOr<int64_t> Database::DataVersion() {
  return impl_->DataVersion();
}

}  // namespace graft::store
