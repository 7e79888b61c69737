// A made-up photo folder that even randomly initialised backbones can tell apart.
#pragma once

#include <string>

namespace graft::testing {

// FOLDER/{blue,green,red}/NNN.jpg, `per_class` each: noisy pictures of one main colour, 64 to 128 pixels, seeded.
void MakePictureFolder(const std::string& folder, int per_class);

}  // namespace graft::testing
