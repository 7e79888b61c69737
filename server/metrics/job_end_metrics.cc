#include "server/metrics/job_end_metrics.h"

#include <string>
#include <variant>

namespace graft::metrics {
namespace {

using jobs::FailureType;
using jobs::State;

constexpr FailureType kFailureTypes[] = {FailureType::kData,   FailureType::kConfig,   FailureType::kOutOfMemory,
                                         FailureType::kDevice, FailureType::kInternal, FailureType::kWorker};

const char* NameOf(FailureType type) {
  switch (type) {
    case FailureType::kData:
      return "data";
    case FailureType::kConfig:
      return "config";
    case FailureType::kOutOfMemory:
      return "out_of_memory";
    case FailureType::kDevice:
      return "device";
    case FailureType::kInternal:
      return "internal";
    case FailureType::kWorker:
      return "worker";
  }
  return "internal";
}

}  // namespace

// Every series is there from the start: what appears with its first count has no increase to see.
JobEndMetrics::JobEndMetrics(prometheus::Registry& registry, jobs::ChangeFeed* feed)
    : ended_(prometheus::BuildCounter()
                 .Name("graft_jobs_ended_total")
                 .Help("Jobs that ended since the server's start, by state.")
                 .Register(registry)),
      failures_(prometheus::BuildCounter()
                    .Name("graft_job_failures_total")
                    .Help("Of them those that failed, by whose fault it was.")
                    .Register(registry)) {
  for (const State state : {State::kSucceeded, State::kFailed, State::kCancelled}) {
    ended_.Add({{"state", std::string(jobs::NameOf(state))}});
  }
  for (const FailureType type : kFailureTypes) failures_.Add({{"type", NameOf(type)}});
  events_ = feed->Subscribe([this](const jobs::FeedItem& item) {
    if (const auto* change = std::get_if<jobs::StateChanged>(&item.event.body)) Count(*change);
  });
}

void JobEndMetrics::Count(const jobs::StateChanged& change) {
  if (!jobs::IsTerminal(change.state)) return;
  ended_.Add({{"state", std::string(jobs::NameOf(change.state))}}).Increment();
  if (change.failure) failures_.Add({{"type", NameOf(change.failure->type)}}).Increment();
}

}  // namespace graft::metrics
