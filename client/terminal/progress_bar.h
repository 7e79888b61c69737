// One line that shows how far something is.
#pragma once

#include <cstdint>
#include <string>

namespace graft::terminal {

struct Progress {
  std::string title;   // "features"
  int64_t done = 0;    // clamped to 0..total
  int64_t total = 0;   // 0: not known yet, shown as an empty bar
  std::string detail;  // after the bar: "512/1297, 210 images/s, 4s left"
};

// "features [#########---------------------]  30% 512/1297, ..." in at most `width` columns: the detail is cut, then
// the bar shrinks.
std::string RenderProgressBar(const Progress& progress, int width);

// Whole percent done, 0 to 100; 100 only when all is done.
int PercentDone(const Progress& progress);

}  // namespace graft::terminal
