#include "server/access/access_directory.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/time/clock.h"
#include "core/base/status_macros.h"

namespace graft::access {
namespace {

constexpr absl::Duration kRefreshPeriod = absl::Milliseconds(500);
constexpr absl::Duration kMaxAge = absl::Seconds(5);

}  // namespace

AccessDirectory::AccessDirectory(store::Database* database) : database_(database), store_(database) {}

absl::StatusOr<std::unique_ptr<AccessDirectory>> AccessDirectory::Start(store::Database* database) {
  std::unique_ptr<AccessDirectory> directory(new AccessDirectory(database));
  RETURN_IF_ERROR(directory->Refresh());
  directory->refreshing_ = std::make_unique<PeriodicThread>("access", kRefreshPeriod, [self = directory.get()] {
    if (const absl::Status status = self->Refresh(); !status.ok()) {
      spdlog::warn("cannot read who may use the server: {}", status.ToString());
    }
  });
  return directory;
}

absl::Status AccessDirectory::Refresh() {
  const absl::Time start = absl::Now();
  ASSIGN_OR_RETURN(const int64_t version, database_->DataVersion());
  std::shared_ptr<Snapshot> snapshot;
  if (data_version_ != version) {
    ASSIGN_OR_RETURN(const std::vector<Grant> grants, store_.List());
    snapshot = std::make_shared<Snapshot>();
    for (const Grant& grant : grants) {
      if (!grant.valid(absl::Now())) continue;
      (*snapshot)[{grant.kind, grant.secret}] = {std::make_shared<const Principal>(grant.principal), grant.expire_time};
    }
    data_version_ = version;
  }
  absl::MutexLock lock(&mutex_);
  if (snapshot != nullptr) snapshot_ = std::move(snapshot);
  refresh_time_ = start;
  return absl::OkStatus();
}

std::shared_ptr<const AccessDirectory::Snapshot> AccessDirectory::Current() const {
  absl::MutexLock lock(&mutex_);
  if (absl::Now() - refresh_time_ > kMaxAge) return std::make_shared<const Snapshot>();
  return snapshot_;
}

// How long the search takes depends on a token's digest, from which nothing of the token can be told.
std::shared_ptr<const Principal> AccessDirectory::Find(Kind kind, const std::string& secret) const {
  const auto snapshot = Current();
  const auto found = snapshot->find({kind, secret});
  if (found == snapshot->end() || found->second.expire_time <= absl::Now()) return nullptr;
  return found->second.principal;
}

bool AccessDirectory::empty() const {
  return Current()->empty();
}

}  // namespace graft::access
