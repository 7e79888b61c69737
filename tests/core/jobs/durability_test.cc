// kill -9 at random moments: every job that was acknowledged is there, whole.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <random>

#include "tests/core/jobs/job_store_fixture.h"

namespace graft::jobs {
namespace {

// The submitter as a child whose standard output is read line by line.
class Submitter {
 public:
  explicit Submitter(const std::string& database) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    std::string program = JOB_SUBMITTER, argument = database;
    char* arguments[] = {program.data(), argument.data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
  }
  ~Submitter() { fclose(output_); }

  std::optional<std::string> NextId() {
    char line[64];
    if (fgets(line, sizeof line, output_) == nullptr) return std::nullopt;
    std::string id = line;
    // A line that the kill cut short was acknowledged to nobody.
    if (id.empty() || id.back() != '\n') return std::nullopt;
    id.pop_back();
    return id;
  }
  void Kill() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = 0;
  FILE* output_ = nullptr;
};

using DurabilityTest = JobStoreFixture;

TEST_F(DurabilityTest, AcknowledgedJobsSurviveTwentyKills) {
  std::mt19937 random(1);
  std::vector<std::string> acknowledged;
  for (int round = 0; round < 20; ++round) {
    Submitter submitter(path_);
    const int before_kill = std::uniform_int_distribution<int>(1, 12)(random);
    for (int i = 0; i < before_kill; ++i) {
      const std::optional<std::string> id = submitter.NextId();
      ASSERT_TRUE(id.has_value());
      acknowledged.push_back(*id);
    }
    // Somewhere inside the next submit.
    usleep(std::uniform_int_distribution<useconds_t>(0, 3000)(random));
    submitter.Kill();
    while (const std::optional<std::string> id = submitter.NextId()) acknowledged.push_back(*id);

    ASSERT_OK_AND_ASSIGN(const auto database, store::Database::Open(path_));
    JobStore jobs(database.get());
    for (const std::string& id : acknowledged) EXPECT_OK(jobs.Get(id));
  }
  for (const std::string& id : acknowledged) EXPECT_THAT(StatesOf(id), ::testing::ElementsAre(State::kQueued));
  ASSERT_OK_AND_ASSIGN(const std::vector<Job> all, jobs_->List("", 1'000'000));
  for (const Job& job : all) EXPECT_EQ(job.last_sequence, 1);
}

}  // namespace
}  // namespace graft::jobs
