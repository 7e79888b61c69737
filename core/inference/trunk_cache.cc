#include "core/inference/trunk_cache.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/errors.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/base/stopwatch.h"
#include "core/weights/weight_store.h"

namespace graft::inference {
namespace {

// More loads than this wait only if more weights files than this are new at one moment.
constexpr int kMaxWaitingLoads = 64;

// The first pass allocates and chooses kernels; better now than in a request.
absl::Status WarmUp(engine::Engine& engine) {
  const auto size = static_cast<size_t>(engine.facts().input_size);
  const std::vector<uint8_t> black(size * size * 3);
  std::vector<float> features(static_cast<size_t>(engine.facts().feature_dimension));
  for (const engine::Cores cores : {engine::Cores::kOne, engine::Cores::kAll}) {
    RETURN_IF_ERROR(engine.Run(black, 1, absl::MakeSpan(features), cores));
  }
  return absl::OkStatus();
}

}  // namespace

TrunkCache::TrunkCache(TrunkCacheOptions options)
    : options_(std::move(options)), loader_(std::make_unique<ThreadPool>("trunk-loader", 1, kMaxWaitingLoads)) {}

TrunkCache::~TrunkCache() {
  loader_.reset();
}

TrunkCache::Trunk TrunkCache::GetOrWait(const TrunkName& name, Waiter waiter) {
  {
    absl::MutexLock lock(&mutex_);
    const auto [entry, is_new] = entries_.try_emplace(Key(name.sha256, name.precision));
    entry->second.last_use = ++uses_;
    if (entry->second.trunk != nullptr) return entry->second.trunk;
    entry->second.waiters.push_back(std::move(waiter));
    if (!is_new) return nullptr;
  }
  loader_->Run([this, name] { Load(name); });
  return nullptr;
}

int TrunkCache::loaded() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(
      std::count_if(entries_.begin(), entries_.end(), [](const auto& entry) { return entry.second.trunk != nullptr; }));
}

void TrunkCache::AddTo(ClassifierStats& stats) const {
  absl::MutexLock lock(&mutex_);
  stats.trunk_loads = counts_.trunk_loads;
  stats.trunk_load_failures = counts_.trunk_load_failures;
  stats.trunk_load_time = counts_.trunk_load_time;
  stats.trunks_removed = counts_.trunks_removed;
  for (const auto& [key, entry] : entries_) {
    if (entry.trunk == nullptr) continue;
    ++stats.trunks;
    stats.trunk_bytes += entry.trunk->bytes();
  }
}

void TrunkCache::Load(const TrunkName& name) {
  const Key key(name.sha256, name.precision);
  const Stopwatch stopwatch;
  const absl::StatusOr<Trunk> trunk = CreateTrunk(name);
  std::vector<Waiter> waiters;
  {
    absl::MutexLock lock(&mutex_);
    ++(trunk.ok() ? counts_.trunk_loads : counts_.trunk_load_failures);
    counts_.trunk_load_time += absl::Seconds(stopwatch.seconds());
    const auto entry = entries_.find(key);
    waiters.swap(entry->second.waiters);
    if (trunk.ok()) {
      entry->second.trunk = *trunk;
    } else {
      entries_.erase(entry);
    }
  }
  for (const Waiter& waiter : waiters) waiter(trunk);
  MakeRoom(key);
}

absl::StatusOr<TrunkCache::Trunk> TrunkCache::CreateTrunk(const TrunkName& name) const {
  absl::StatusOr<Trunk> trunk =
      StatusFromThrow(absl::StatusCode::kInternal, "create engine", [&]() -> absl::StatusOr<Trunk> {
        ASSIGN_OR_RETURN(const weights::StoredWeights stored, FindFile(name));
        engine::EngineTarget target = options_.target;
        target.precision = name.precision;
        ASSIGN_OR_RETURN(std::unique_ptr<engine::Engine> engine, options_.create_engine(stored, target));
        RETURN_IF_ERROR(WarmUp(*engine));
        return Trunk(std::move(engine));
      });
  if (trunk.ok()) return trunk;
  return WithContext(trunk.status(), absl::StrCat("load ", name.backbone, " on ", options_.target.device));
}

absl::StatusOr<weights::StoredWeights> TrunkCache::FindFile(const TrunkName& name) const {
  if (name.path.empty()) return weights::FindWeights(options_.weights_root, name.backbone, name.sha256);
  return weights::StoredWeights{.backbone = name.backbone, .sha256 = name.sha256, .path = name.path};
}

void TrunkCache::Remove(const TrunkName& name) {
  RemoveUnlessPinned(Key(name.sha256, name.precision));
}

void TrunkCache::MakeRoom(const Key& kept) {
  for (const Key& key : ByLastUse()) {
    if (!IsFull()) return;
    if (key != kept) RemoveUnlessPinned(key);
  }
}

void TrunkCache::RemoveUnlessPinned(const Key& key) {
  if (options_.is_pinned && options_.is_pinned(key.first)) return;
  Trunk leaving;  // freed after the lock
  absl::MutexLock lock(&mutex_);
  const auto entry = entries_.find(key);
  if (entry == entries_.end() || entry->second.trunk == nullptr) return;
  leaving.swap(entry->second.trunk);
  entries_.erase(entry);
  ++counts_.trunks_removed;
}

std::vector<TrunkCache::Key> TrunkCache::ByLastUse() const {
  std::vector<std::pair<int64_t, Key>> loaded;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [key, entry] : entries_) {
      if (entry.trunk != nullptr) loaded.emplace_back(entry.last_use, key);
    }
  }
  std::sort(loaded.begin(), loaded.end());
  std::vector<Key> keys;
  keys.reserve(loaded.size());
  for (auto& [last_use, key] : loaded) keys.push_back(std::move(key));
  return keys;
}

bool TrunkCache::IsFull() const {
  absl::MutexLock lock(&mutex_);
  int64_t bytes = 0;
  for (const auto& [key, entry] : entries_) bytes += entry.trunk == nullptr ? 0 : entry.trunk->bytes();
  return bytes > options_.max_bytes;
}

}  // namespace graft::inference
