// A job for people: what was asked, how it went, what came out.
#pragma once

#include <string>

#include "client/terminal/console.h"
#include "graft/v1/training.pb.h"

namespace graft::commands {

// Test accuracy and loss, precision and recall per class, confusion matrix, phase times, and how to use the version.
std::string RenderResult(const v1::JobResult& result, const terminal::Console& console);

// "precision: bf16 (on 500 validation photos: accuracy f32 0.9700, accuracy bf16 0.9680, agreement 0.9980)"
std::string RenderPrecision(const v1::PrecisionReport& report);

// What a trial tried, "l2 0.1" or "lr 0.001, weight decay 0.0001", and what it took, "34 iterations" or "10 epochs".
std::string RenderSetting(const v1::Trial& trial);
std::string RenderEffort(const v1::Trial& trial);

// The job's spec, state, progress and times, and its error or result.
// Why it waits and when it starts and ends, as far as known, in one line: "2 jobs before it on cpu, starts in 3m 05s".
std::string RenderOutlook(const v1::Job& job);
std::string RenderJob(const v1::Job& job, const terminal::Console& console);

// "data: too few photos ..."
std::string RenderError(const v1::JobError& error);

// The spec on a line each, "  epochs: 10".
std::string RenderSpec(const v1::TrainSpec& spec);

}  // namespace graft::commands
