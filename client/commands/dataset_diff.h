// The difference between two data set versions as text.
#pragma once

#include <string>

#include "graft/v1/dataset.pb.h"

namespace graft::commands {

// The counts, and a line for each change that the answer holds; it says how many more there are.
std::string RenderDiff(const v1::DiffDatasetVersionsResponse& diff);

}  // namespace graft::commands
