// Why jobs wait, and when they are likely to start and to end.
//
// All of it is measured: what a running job says of its own progress, and how long the last jobs that succeeded with
// the same backbone, preset and device took for a photo, for an epoch, and to evaluate and publish. Where one of these
// is needed and nothing was measured, there is no time.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/jobs/job.h"

namespace graft::jobs {

struct Outlook {
  std::string waiting_reason;            // "2 jobs before it on cpu"; empty while it runs
  std::optional<absl::Time> start, end;  // start: of a QUEUED job. end: with all its epochs, so at the latest
};

struct ForecastFacts {
  absl::Time now;
  std::vector<Job> unfinished;  // JobStore::Unfinished
  std::vector<Job> succeeded;   // JobStore::LastSucceeded
  // How many photos a data set version ("datasets/D/versions/N") has.
  std::function<std::optional<int>(const std::string& dataset)> images;
  std::function<bool(const std::string& device)> worker_runs;
};

// Of every unfinished job, by its id.
std::map<std::string, Outlook> Forecast(const ForecastFacts& facts);

}  // namespace graft::jobs
