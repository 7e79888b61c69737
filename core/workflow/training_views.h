// The features that a head is trained on: of the plain photos and, below them, of augmented views of them.
#pragma once

#include <vector>

#include "absl/time/time.h"
#include "core/features/feature_cache.h"
#include "core/jobs/job.h"
#include "core/train/labelled_features.h"

namespace graft::workflow {

// Makes room for `views` of the images that there are, so that appending never holds them twice.
void ReserveViews(int views, train::LabelledFeatures& features);

// Adds a view of the same images: `matrix` has a row for each, in their order. Their labels are those of the first
// view.
void AppendView(const features::FeatureMatrix& matrix, train::LabelledFeatures& features);

// What is told of computing features of several views, as of one. One thread at a time.
class ViewsProgress {
 public:
  // Rows of the plain photos, and of all further views together.
  ViewsProgress(int plain_rows, int view_rows) : rows_(plain_rows + view_rows) {}

  // Where the view that is being computed has got to.
  jobs::FeatureProgress Event(const features::FeatureProgress& of_view) const;
  // A view is done.
  void Count(const features::FeatureMatrix& matrix);
  // All of them are.
  jobs::FeaturesReady Ready(absl::Duration time) const;

 private:
  const int rows_;
  int computed_ = 0, from_cache_ = 0;
  features::ComputeCost cost_;
};

}  // namespace graft::workflow
