// job-submitter DATABASE: submits jobs for ever and prints the id of each that was acknowledged.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "core/jobs/job_store.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto database = graft::store::Database::Open(argv[1]);
  if (!database.ok()) {
    std::fprintf(stderr, "%s\n", std::string(database.status().message()).c_str());
    return 1;
  }
  graft::jobs::JobStore jobs(database->get(), {.max_queued = 1'000'000});
  while (true) {
    graft::jobs::TrainSpec spec;
    spec.device = "cpu";
    const absl::StatusOr<graft::jobs::Job> job = jobs.Submit(spec, spec, "");
    if (!job.ok()) return 1;
    const std::string line = job->id + "\n";
    if (write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 0;
  }
}
