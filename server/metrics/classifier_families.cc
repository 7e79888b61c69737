#include "server/metrics/classifier_families.h"

#include <limits>

namespace graft::metrics {
namespace {

using inference::ClassifierStats;

Sample Of(int64_t value) {
  return {static_cast<double>(value)};
}

Sample Of(int64_t value, const char* label, const char* label_value) {
  return {static_cast<double>(value), {{label, label_value}}};
}

// How many images rode in each forward pass.
prometheus::MetricFamily BatchSizes(const std::vector<int64_t>& passes) {
  prometheus::MetricFamily family;
  family.name = "graft_classify_batch_images";
  family.help = "Images of one forward pass.";
  family.type = prometheus::MetricType::Histogram;
  prometheus::ClientMetric::Histogram& histogram = family.metric.emplace_back().histogram;
  size_t size = 0;  // of the passes counted so far
  const auto count_up_to = [&](size_t bound) {
    for (; size < bound && size < passes.size(); ++size) {
      histogram.sample_count += static_cast<uint64_t>(passes[size]);
      histogram.sample_sum += static_cast<double>(passes[size]) * static_cast<double>(size + 1);
    }
  };
  for (const size_t bound : {1U, 2U, 4U, 8U, 16U, 32U}) {
    count_up_to(bound);
    histogram.bucket.push_back({histogram.sample_count, static_cast<double>(bound)});
  }
  count_up_to(passes.size());
  histogram.bucket.push_back({histogram.sample_count, std::numeric_limits<double>::infinity()});
  return family;
}

Families QueueFamilies(const ClassifierStats& stats, int64_t requests_refused) {
  return {Gauge("graft_classify_admitted_images", "Images admitted and not answered.", {Of(stats.images)}),
          Gauge("graft_classify_admitted_bytes", "Encoded bytes of the images admitted and not answered.",
                {Of(stats.image_bytes)}),
          Gauge("graft_classify_queue_images", "Images that wait, by what they wait for.",
                {Of(stats.waiting_decode, "waiting_for", "decode"), Of(stats.waiting_trunk, "waiting_for", "trunk"),
                 Of(stats.waiting_forward, "waiting_for", "forward")}),
          Counter("graft_shed_requests_total", "Requests refused, or left at their deadline, because others waited.",
                  {Of(stats.refused_images, "reason", "images"), Of(stats.refused_bytes, "reason", "bytes"),
                   Of(stats.refused_deadline, "reason", "deadline"), Of(stats.expired, "reason", "expired"),
                   Of(requests_refused, "reason", "request_pool")}),
          BatchSizes(stats.passes)};
}

Families MemoryFamilies(const ClassifierStats& stats) {
  return {Gauge("graft_trunks_loaded", "Backbones in memory.", {Of(stats.trunks)}),
          Gauge("graft_trunk_bytes", "About how much memory they hold.", {Of(stats.trunk_bytes)}),
          Counter("graft_trunk_loads_total", "Loads of a backbone that ended, by outcome.",
                  {Of(stats.trunk_loads, "outcome", "ok"), Of(stats.trunk_load_failures, "outcome", "error")}),
          Counter("graft_trunk_load_seconds_total", "Time that these loads took.",
                  {{absl::ToDoubleSeconds(stats.trunk_load_time)}}),
          Counter("graft_trunks_removed_total", "Backbones that have left memory.", {Of(stats.trunks_removed)}),
          Gauge("graft_heads_loaded", "Heads in memory, one for each version asked for.", {Of(stats.heads)}),
          Gauge("graft_head_bytes", "How much memory they hold.", {Of(stats.head_bytes)})};
}

}  // namespace

Families ClassifierFamilies(const ClassifierStats& stats, int64_t requests_refused) {
  Families families = QueueFamilies(stats, requests_refused);
  for (prometheus::MetricFamily& family : MemoryFamilies(stats)) families.push_back(std::move(family));
  return families;
}

}  // namespace graft::metrics
