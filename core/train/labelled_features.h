// Features of images whose classes are known: what heads are trained on. Plain C++.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace graft::train {

struct LabelledFeatures {
  int dimension = 0;
  std::vector<float> values;  // [rows, dimension]
  std::vector<int> labels;    // [rows], 0 .. classes-1
  // Rows are images; or, to train on, that many views of the images: all of the first view, then of the second, ...
  // TrainHead takes an epoch's rows by EpochRows, so that an epoch has each image once.
  int views = 1;
};

// InvalidArgument, naming the split, if it is empty, not [rows, dimension], not of whole views, or has a label outside
// 0 .. classes-1.
absl::Status CheckFeatures(absl::string_view split, const LabelledFeatures& features, int dimension, int classes);

}  // namespace graft::train
