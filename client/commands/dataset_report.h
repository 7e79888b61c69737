// A data set version's report as text.
#pragma once

#include <string>

#include "graft/v1/dataset.pb.h"

namespace graft::commands {

// "animals:1: 1,297 images, ..." and the classes.
std::string RenderVersion(const v1::DatasetVersion& version);

// "train", "validation", "test"; empty where none was given.
std::string GivenSplit(v1::Split split);

// The version, what its photos are like, what the audit found, quarantined files. Of each finding the first few; it
// says of how many.
std::string RenderReport(const v1::DatasetReport& report);

// One line for each kind of finding that there is; empty if there is none.
std::string RenderAuditSummary(const v1::DatasetReport::Audit& audit);

}  // namespace graft::commands
