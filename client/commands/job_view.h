// A job's events on the console: a live bar where there is a terminal, plain lines elsewhere.
#pragma once

#include "client/terminal/console.h"
#include "graft/v1/training.pb.h"

namespace graft::commands {

// One thread at a time.
class JobView {
 public:
  explicit JobView(terminal::Console& console) : console_(console) {}

  void Show(const v1::JobEvent& event);

 private:
  void ShowState(const v1::JobEvent::StateChanged& change);
  void ShowFeatures(const v1::JobEvent::FeatureProgress& progress);
  void ShowEpoch(const v1::JobEvent::EpochDone& epoch);
  void ShowTrial(const v1::Trial& trial, int trials);

  terminal::Console& console_;
  int next_plain_percent_ = 10;  // the next feature line where there is no live one
};

}  // namespace graft::commands
