#include "core/jobs/job_state.h"

namespace graft::jobs {
namespace {

bool IsRunning(State state) {
  return state == State::kPreparing || state == State::kTraining || state == State::kEvaluating ||
         state == State::kPublishing;
}

bool IsNextStep(State from, State to) {
  const bool on_the_way = from == State::kQueued || IsRunning(from);
  return on_the_way && static_cast<int>(to) == static_cast<int>(from) + 1;
}

}  // namespace

absl::string_view NameOf(State state) {
  switch (state) {
    case State::kQueued:
      return "QUEUED";
    case State::kPreparing:
      return "PREPARING";
    case State::kTraining:
      return "TRAINING";
    case State::kEvaluating:
      return "EVALUATING";
    case State::kPublishing:
      return "PUBLISHING";
    case State::kSucceeded:
      return "SUCCEEDED";
    case State::kFailed:
      return "FAILED";
    case State::kCancelling:
      return "CANCELLING";
    case State::kCancelled:
      return "CANCELLED";
    case State::kPausing:
      return "PAUSING";
    case State::kPaused:
      return "PAUSED";
  }
  return "UNKNOWN";
}

bool IsTerminal(State state) {
  return state == State::kSucceeded || state == State::kFailed || state == State::kCancelled;
}

bool CanMove(State from, State to) {
  if (IsTerminal(from)) return false;
  switch (to) {
    case State::kFailed:
      return from != State::kPaused;
    case State::kCancelling:
      return from == State::kQueued || IsRunning(from) || from == State::kPausing;
    case State::kCancelled:
      return from == State::kQueued || from == State::kCancelling || from == State::kPaused;
    case State::kPausing:
      return from == State::kQueued || IsRunning(from);
    case State::kPaused:
      return from == State::kQueued || from == State::kPausing;
    case State::kQueued:
      return from == State::kPaused;
    case State::kPreparing:
      return from == State::kQueued || IsRunning(from);
    default:
      return IsNextStep(from, to);
  }
}

}  // namespace graft::jobs
