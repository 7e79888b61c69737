// What a scrape of a source reads.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>

#include <string>
#include <vector>

namespace graft::testing {

inline std::string Text(const std::vector<prometheus::MetricFamily>& families) {
  return prometheus::TextSerializer().Serialize(families);
}

inline std::string Text(const prometheus::Collectable& source) {
  return Text(source.Collect());
}

}  // namespace graft::testing
