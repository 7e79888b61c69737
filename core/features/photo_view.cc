#include "core/features/photo_view.h"

#include "absl/strings/str_cat.h"

namespace graft::features {

std::string KeyOf(const PhotoView& view) {
  if (view.plain()) return image::KeyOf(image::AugmentSpec{});
  return absl::StrCat(image::KeyOf(view.augment), ",seed=", view.seed, ",view=", view.number);
}

}  // namespace graft::features
