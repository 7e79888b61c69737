#include "server/services/open_inference_statistics.h"

#include <algorithm>
#include <cstdint>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace graft::services {
namespace {

void Add(absl::Duration duration, ::inference::StatisticDuration& total) {
  total.set_count(total.count() + 1);
  total.set_ns(total.ns() + static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Nanoseconds(duration), 0)));
}

::inference::InferBatchStatistics& OfBatchSize(uint64_t size, ::inference::ModelStatistics& statistics) {
  for (auto& batch : *statistics.mutable_batch_stats()) {
    if (batch.batch_size() == size) return batch;
  }
  auto& batch = *statistics.add_batch_stats();
  batch.set_batch_size(size);
  return batch;
}

::inference::ModelStatistics Empty(const std::string& model, int number) {
  ::inference::ModelStatistics statistics;
  statistics.set_name(model);
  statistics.set_version(absl::StrCat(number));
  statistics.mutable_inference_stats();
  return statistics;
}

}  // namespace

bool OpenInferenceStatistics::CountPass(int64_t pass, std::vector<int64_t>& counted) {
  const auto place = std::lower_bound(counted.begin(), counted.end(), pass);
  const bool is_known = place != counted.end() && *place == pass;
  const bool is_too_old = place == counted.begin() && counted.size() >= kRememberedPasses;
  if (pass == 0 || is_known || is_too_old) return false;
  counted.insert(place, pass);
  if (counted.size() > kRememberedPasses) counted.erase(counted.begin());
  return true;
}

OpenInferenceStatistics::Entry& OpenInferenceStatistics::Touch(const std::string& model, int number) {
  const Key key(model, number);
  if (const auto found = index_.find(key); found != index_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
  } else {
    if (entries_.size() >= kMaxVersions) {
      index_.erase(entries_.back().key);
      entries_.pop_back();
    }
    entries_.push_front({key, Empty(model, number), {}});
    index_[key] = entries_.begin();
  }
  Entry& entry = entries_.front();
  entry.statistics.set_last_inference(static_cast<uint64_t>(absl::ToUnixMillis(absl::Now())));
  return entry;
}

void OpenInferenceStatistics::Succeeded(const std::string& model, int number, const std::vector<int64_t>& passes,
                                        const InferTimes& times) {
  absl::MutexLock lock(&mutex_);
  Entry& entry = Touch(model, number);
  ::inference::ModelStatistics& statistics = entry.statistics;
  statistics.set_inference_count(statistics.inference_count() + passes.size());
  const auto executions =
      std::count_if(passes.begin(), passes.end(), [&](int64_t pass) { return CountPass(pass, entry.passes); });
  statistics.set_execution_count(statistics.execution_count() + static_cast<uint64_t>(executions));
  ::inference::InferStatistics& all = *statistics.mutable_inference_stats();
  Add(times.total, *all.mutable_success());
  Add(times.queue, *all.mutable_queue());
  Add(times.input, *all.mutable_compute_input());
  Add(times.infer, *all.mutable_compute_infer());
  Add(times.output, *all.mutable_compute_output());
  ::inference::InferBatchStatistics& batch = OfBatchSize(passes.size(), statistics);
  Add(times.input, *batch.mutable_compute_input());
  Add(times.infer, *batch.mutable_compute_infer());
  Add(times.output, *batch.mutable_compute_output());
}

void OpenInferenceStatistics::Failed(const std::string& model, int number, absl::Duration total) {
  absl::MutexLock lock(&mutex_);
  Add(total, *Touch(model, number).statistics.mutable_inference_stats()->mutable_fail());
}

::inference::ModelStatistics OpenInferenceStatistics::Of(const std::string& model, int number) const {
  absl::MutexLock lock(&mutex_);
  const auto found = index_.find(Key(model, number));
  return found == index_.end() ? Empty(model, number) : found->second->statistics;
}

std::vector<::inference::ModelStatistics> OpenInferenceStatistics::OfAll(const std::string& model) const {
  std::map<Key, ::inference::ModelStatistics> sorted;
  {
    absl::MutexLock lock(&mutex_);
    for (const Entry& entry : entries_) {
      if (model.empty() || entry.key.first == model) sorted.emplace(entry.key, entry.statistics);
    }
  }
  std::vector<::inference::ModelStatistics> result;
  for (auto& [key, statistics] : sorted) result.push_back(std::move(statistics));
  return result;
}

}  // namespace graft::services
