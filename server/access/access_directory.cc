#include "server/access/access_directory.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/time/clock.h"
#include "core/base/digest.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"

namespace graft::access {
namespace {

constexpr absl::Duration kRefreshPeriod = absl::Milliseconds(500);
constexpr absl::Duration kMaxAge = absl::Seconds(5);

}  // namespace

AccessDirectory::AccessDirectory(store::Database* database) : database_(database), store_(database) {}

absl::StatusOr<std::unique_ptr<AccessDirectory>> AccessDirectory::Start(store::Database* database) {
  std::unique_ptr<AccessDirectory> directory(new AccessDirectory(database));
  RETURN_IF_ERROR(directory->Refresh());
  directory->thread_ = NamedThread("access", [self = directory.get()] { self->RefreshUntilStopped(); });
  return directory;
}

AccessDirectory::~AccessDirectory() {
  stop_.Notify();
  if (thread_.joinable()) thread_.join();
}

void AccessDirectory::RefreshUntilStopped() {
  while (!stop_.WaitForNotificationWithTimeout(kRefreshPeriod)) {
    if (const absl::Status status = Refresh(); !status.ok()) {
      spdlog::warn("cannot read who may use the server: {}", status.ToString());
    }
  }
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
      auto& entries = grant.kind == Kind::kToken ? snapshot->tokens : snapshot->certificates;
      entries[grant.secret] = {std::make_shared<const Principal>(grant.principal), grant.expire_time};
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

std::shared_ptr<const Principal> AccessDirectory::FindIn(const absl::flat_hash_map<std::string, Entry>& entries,
                                                         const std::string& secret) {
  const auto found = entries.find(secret);
  if (found == entries.end() || found->second.expire_time <= absl::Now()) return nullptr;
  return found->second.principal;
}

// How long the search takes depends on the token's digest, from which nothing of the token can be told.
std::shared_ptr<const Principal> AccessDirectory::FindToken(absl::string_view token) const {
  return FindIn(Current()->tokens, Sha256Hex(token));
}

std::shared_ptr<const Principal> AccessDirectory::FindCertificate(absl::string_view identity) const {
  return FindIn(Current()->certificates, std::string(identity));
}

bool AccessDirectory::Has(Kind kind, const std::string& secret) const {
  const auto snapshot = Current();
  return FindIn(kind == Kind::kToken ? snapshot->tokens : snapshot->certificates, secret) != nullptr;
}

bool AccessDirectory::empty() const {
  const auto snapshot = Current();
  return snapshot->tokens.empty() && snapshot->certificates.empty();
}

}  // namespace graft::access
