#include "core/jobs/job_state.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace graft::jobs {
namespace {

constexpr State kAll[] = {State::kQueued,     State::kPreparing, State::kTraining, State::kEvaluating,
                          State::kPublishing, State::kSucceeded, State::kFailed,   State::kCancelling,
                          State::kCancelled,  State::kPausing,   State::kPaused};

TEST(JobStateTest, EveryPairIsLegalExactlyIfListed) {
  using enum State;
  const std::set<std::pair<State, State>> legal = {
      {kQueued, kPreparing},     {kQueued, kFailed},         {kQueued, kCancelling},  {kQueued, kCancelled},
      {kPreparing, kPreparing},  {kPreparing, kTraining},    {kPreparing, kFailed},   {kPreparing, kCancelling},
      {kTraining, kPreparing},   {kTraining, kEvaluating},   {kTraining, kFailed},    {kTraining, kCancelling},
      {kEvaluating, kPreparing}, {kEvaluating, kPublishing}, {kEvaluating, kFailed},  {kEvaluating, kCancelling},
      {kPublishing, kPreparing}, {kPublishing, kSucceeded},  {kPublishing, kFailed},  {kPublishing, kCancelling},
      {kCancelling, kCancelled}, {kCancelling, kFailed},     {kQueued, kPausing},     {kQueued, kPaused},
      {kPreparing, kPausing},    {kTraining, kPausing},      {kEvaluating, kPausing}, {kPublishing, kPausing},
      {kPausing, kPaused},       {kPausing, kCancelling},    {kPausing, kFailed},     {kPaused, kQueued},
      {kPaused, kCancelled},
  };
  for (State from : kAll) {
    for (State to : kAll) {
      EXPECT_EQ(CanMove(from, to), legal.contains({from, to})) << NameOf(from) << " -> " << NameOf(to);
    }
  }
}

TEST(JobStateTest, ThreeStatesAreTerminalAndNamesDiffer) {
  std::set<absl::string_view> names, terminal;
  for (State state : kAll) {
    names.insert(NameOf(state));
    if (IsTerminal(state)) terminal.insert(NameOf(state));
  }
  EXPECT_EQ(names.size(), std::size(kAll));
  EXPECT_EQ(terminal, (std::set<absl::string_view>{"SUCCEEDED", "FAILED", "CANCELLED"}));
}

}  // namespace
}  // namespace graft::jobs
