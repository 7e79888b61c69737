// Which rows of cached features an epoch trains on, and in which order.
#pragma once

#include <cstdint>
#include <vector>

namespace graft::train {

// `views` copies of `images` images lie one below the other: row v * images + i is image i's view v. An epoch has each
// image once, in EpochOrder, in one of its views. The next epoch has the next view of each image, so that `views`
// epochs have them all; images begin with different ones, so that every epoch has all kinds. A function of (seed,
// epoch), from 1.
std::vector<int64_t> EpochRows(uint32_t seed, int epoch, int images, int views);

}  // namespace graft::train
