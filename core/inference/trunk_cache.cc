#include "core/inference/trunk_cache.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/weights/weight_store.h"

namespace graft::inference {
namespace {

// More loads than this wait only if more weights files than this are new at one moment.
constexpr int kMaxWaitingLoads = 64;

}  // namespace

TrunkCache::TrunkCache(std::string weights_root, std::string device, int threads, EngineFactory create_engine)
    : weights_root_(std::move(weights_root)),
      device_(std::move(device)),
      threads_(threads),
      create_engine_(create_engine ? std::move(create_engine) : EngineFactory(engine::CreateEngine)),
      loader_(std::make_unique<ThreadPool>("trunk-loader", 1, kMaxWaitingLoads)) {}

TrunkCache::~TrunkCache() {
  loader_.reset();
}

TrunkCache::Trunk TrunkCache::GetOrWait(const std::string& backbone, const std::string& sha256, Waiter waiter) {
  {
    absl::MutexLock lock(&mutex_);
    const auto [entry, is_new] = entries_.try_emplace(sha256);
    if (entry->second.trunk != nullptr) return entry->second.trunk;
    entry->second.waiters.push_back(std::move(waiter));
    if (!is_new) return nullptr;
  }
  loader_->Run([this, backbone, sha256] { Load(backbone, sha256); });
  return nullptr;
}

int TrunkCache::loaded() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(
      std::count_if(entries_.begin(), entries_.end(), [](const auto& entry) { return entry.second.trunk != nullptr; }));
}

void TrunkCache::Load(const std::string& backbone, const std::string& sha256) {
  const absl::StatusOr<Trunk> trunk = CreateTrunk(backbone, sha256);
  std::vector<Waiter> waiters;
  {
    absl::MutexLock lock(&mutex_);
    const auto entry = entries_.find(sha256);
    waiters.swap(entry->second.waiters);
    if (trunk.ok()) {
      entry->second.trunk = *trunk;
    } else {
      entries_.erase(entry);
    }
  }
  for (const Waiter& waiter : waiters) waiter(trunk);
}

absl::StatusOr<TrunkCache::Trunk> TrunkCache::CreateTrunk(const std::string& backbone,
                                                          const std::string& sha256) const {
  absl::StatusOr<Trunk> trunk =
      StatusFromThrow(absl::StatusCode::kInternal, "create engine", [&]() -> absl::StatusOr<Trunk> {
        ASSIGN_OR_RETURN(const weights::StoredWeights stored, weights::FindWeights(weights_root_, backbone, sha256));
        ASSIGN_OR_RETURN(std::unique_ptr<engine::Engine> engine,
                         create_engine_(stored, {.device = device_, .threads = threads_}));
        return Trunk(std::move(engine));
      });
  if (trunk.ok()) return trunk;
  return WithContext(trunk.status(), absl::StrCat("load ", backbone, " on ", device_));
}

}  // namespace graft::inference
