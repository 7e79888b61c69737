#include "core/dataset/audit.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <type_traits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "core/dataset/disjoint_sets.h"

namespace graft::dataset {
namespace {

// A class is rare with fewer than this share of the median class's images.
constexpr double kRareShare = 0.5;

// Iglewicz and Hoaglin, 1993, "How to Detect and Handle Outliers": |0.6745 (x - median) / MAD| above 3.5.
constexpr double kOutlierScore = 3.5 / 0.6745;

// Positions of examples that belong together, by path.
using Members = std::vector<size_t>;

class Auditor {
 public:
  Auditor(const AuditInput& input, const NearDuplicateOptions& options) : input_(input), options_(options) {}

  AuditResult Run() {
    const std::vector<Members> exact = SamePixels();
    const std::vector<Members> alike = SamePicture(exact);
    result_.audit.exact_duplicates = Describe(Those(exact, [](const Members& files) { return files.size() > 1; }));
    const auto differs = [](const Members& files, auto property) { return Distinct(files, property).size() > 1; };
    result_.audit.near_duplicates = Describe(Those(alike, [&](const Members& files) {
      return differs(files, [this](size_t file) { return absl::string_view(FactOf(file).fingerprint.pixel_sha256); });
    }));
    result_.audit.label_conflicts = Describe(Those(alike, [&](const Members& files) {
      return differs(files, [this](size_t file) { return input_.examples[file].label; });
    }));
    result_.audit.split_leaks = Describe(Those(alike, [this](const Members& files) { return GivenSplits(files) > 1; }));
    result_.audit.group_leaks =
        Describe(Those(GivenGroups(), [this](const Members& files) { return GivenSplits(files) > 1; }));
    NumberClusters(alike);
    AuditClasses();
    AuditOutliers();
    return std::move(result_);
  }

 private:
  const ImageFact& FactOf(size_t file) const { return input_.facts.at(input_.examples[file].sha256); }

  template <typename Property>
  static std::set<std::invoke_result_t<Property, size_t>> Distinct(const Members& files, Property property) {
    std::set<std::invoke_result_t<Property, size_t>> values;
    for (const size_t file : files) values.insert(property(file));
    return values;
  }

  size_t GivenSplits(const Members& files) const {
    auto splits = Distinct(files, [this](size_t file) { return input_.examples[file].given_split; });
    splits.erase(Split::kUnspecified);
    return splits.size();
  }

  template <typename Condition>
  static std::vector<Members> Those(const std::vector<Members>& all, Condition condition) {
    std::vector<Members> some;
    std::copy_if(all.begin(), all.end(), std::back_inserter(some), condition);
    return some;
  }

  // Every example is in one, alone or not; in the order of their first files.
  std::vector<Members> SamePixels() const {
    std::vector<Members> groups;
    absl::flat_hash_map<absl::string_view, size_t> group_of;
    for (size_t file = 0; file < input_.examples.size(); ++file) {
      const auto [found, is_new] = group_of.emplace(FactOf(file).fingerprint.pixel_sha256, groups.size());
      if (is_new) groups.emplace_back();
      groups[found->second].push_back(file);
    }
    return groups;
  }

  std::vector<Members> GivenGroups() const {
    std::map<absl::string_view, Members> groups;
    for (size_t file = 0; file < input_.examples.size(); ++file) {
      if (!input_.examples[file].group.empty()) groups[input_.examples[file].group].push_back(file);
    }
    std::vector<Members> members;
    for (auto& [group, files] : groups) members.push_back(std::move(files));
    return members;
  }

  std::vector<Members> SamePicture(const std::vector<Members>& same_pixels) {
    std::vector<const image::Fingerprint*> pictures;
    pictures.reserve(same_pixels.size());
    for (const Members& files : same_pixels) pictures.push_back(&FactOf(files.front()).fingerprint);
    const NearDuplicates near = FindNearDuplicates(pictures, options_);
    result_.audit.without_contrast = near.without_contrast;
    result_.audit.cut_short = near.cut_short;
    std::vector<Members> joined(same_pixels.size());
    for (size_t i = 0; i < same_pixels.size(); ++i) {
      Members& files = joined[static_cast<size_t>(near.first_like[i])];
      files.insert(files.end(), same_pixels[i].begin(), same_pixels[i].end());
    }
    for (Members& files : joined) std::sort(files.begin(), files.end());
    return Those(joined, [](const Members& files) { return !files.empty(); });
  }

  void NumberClusters(const std::vector<Members>& alike) {
    result_.clusters.assign(input_.examples.size(), 0);
    int number = 0;
    for (const Members& files : alike) {
      if (files.size() < 2) continue;
      ++number;
      for (const size_t file : files) result_.clusters[file] = number;
    }
  }

  AuditedFile Describe(size_t file) const {
    const Example& example = input_.examples[file];
    return {.path = example.path,
            .label = input_.labels[static_cast<size_t>(example.label)],
            .given_split = example.given_split};
  }

  ClusterFindings Describe(std::vector<Members> clusters) const {
    ClusterFindings findings{.clusters = static_cast<int>(clusters.size())};
    for (const Members& files : clusters) findings.files += static_cast<int>(files.size());
    std::stable_sort(clusters.begin(), clusters.end(),
                     [](const Members& a, const Members& b) { return a.size() > b.size(); });
    if (clusters.size() > kListedFindings) clusters.resize(kListedFindings);
    for (const Members& files : clusters) {
      Cluster& cluster = findings.first.emplace_back(Cluster{.file_count = static_cast<int>(files.size())});
      for (const size_t file : Shown(files)) cluster.files.push_back(Describe(file));
    }
    return findings;
  }

  // The first few, and before them the first of every label and split: what differs must show.
  Members Shown(const Members& files) const {
    Members shown;
    std::set<std::pair<int, Split>> kinds;
    const auto show = [&](bool only_new_kinds) {
      for (const size_t file : files) {
        if (shown.size() == kListedFiles) return;
        if (only_new_kinds && !kinds.insert({input_.examples[file].label, input_.examples[file].given_split}).second) {
          continue;
        }
        if (std::find(shown.begin(), shown.end(), file) == shown.end()) shown.push_back(file);
      }
    };
    show(/*only_new_kinds=*/true);
    show(/*only_new_kinds=*/false);
    std::sort(shown.begin(), shown.end());
    return shown;
  }

  void AuditClasses() {
    std::vector<int> sizes(input_.labels.size(), 0);
    for (const Example& example : input_.examples) ++sizes[static_cast<size_t>(example.label)];
    std::vector<int> sorted = sizes;
    std::sort(sorted.begin(), sorted.end());
    result_.audit.imbalance = static_cast<double>(sorted.back()) / sorted.front();
    for (size_t label = 0; label < sizes.size(); ++label) {
      if (sizes[label] < kRareShare * sorted[sorted.size() / 2]) {
        result_.audit.rare_classes.push_back(input_.labels[label]);
      }
    }
  }

  // `least_deviation` is what the median absolute deviation counts as where the photos are more alike than that.
  struct Measure {
    std::function<double(const ImageFact&)> value;   // as reported
    std::function<double(double)> scaled, unscaled;  // to and from what is about normally distributed
    double least_deviation = 0;
    bool high_is_odd = true;
  };

  OutlierFindings Outliers(const Measure& measure) const {
    std::vector<double> values;
    values.reserve(input_.examples.size());
    for (size_t file = 0; file < input_.examples.size(); ++file) {
      values.push_back(measure.scaled(measure.value(FactOf(file))));
    }
    const double median = MedianOf(values);
    std::vector<double> deviations = values;
    for (double& value : deviations) value = std::abs(value - median);
    const double reach = kOutlierScore * std::max(MedianOf(deviations), measure.least_deviation);
    std::vector<size_t> odd;
    for (size_t file = 0; file < values.size(); ++file) {
      if (values[file] < median - reach || (measure.high_is_odd && values[file] > median + reach)) odd.push_back(file);
    }
    std::stable_sort(odd.begin(), odd.end(),
                     [&](size_t a, size_t b) { return std::abs(values[a] - median) > std::abs(values[b] - median); });
    OutlierFindings findings{.files = static_cast<int>(odd.size()),
                             .median = measure.unscaled(median),
                             .low = measure.unscaled(median - reach),
                             .high = measure.high_is_odd ? measure.unscaled(median + reach) : 0};
    if (odd.size() > kListedFindings) odd.resize(kListedFindings);
    for (const size_t file : odd) {
      findings.first.push_back({.file = Describe(file),
                                .value = measure.value(FactOf(file)),
                                .width = FactOf(file).width,
                                .height = FactOf(file).height});
    }
    return findings;
  }

  static double MedianOf(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }

  void AuditOutliers() {
    const auto same = [](double value) { return value; };
    const auto log = [](double value) { return std::log2(value + 1); };
    const auto exp = [](double value) { return std::exp2(value) - 1; };
    result_.audit.size_outliers =
        Outliers({.value = [](const ImageFact& fact) { return 1.0 * fact.width * fact.height; },
                  .scaled = log,
                  .unscaled = exp,
                  .least_deviation = 0.5});
    result_.audit.brightness_outliers =
        Outliers({.value = [](const ImageFact& fact) { return fact.fingerprint.brightness; },
                  .scaled = same,
                  .unscaled = same,
                  .least_deviation = 8});
    result_.audit.blur_outliers = Outliers({.value = [](const ImageFact& fact) { return fact.fingerprint.sharpness; },
                                            .scaled = log,
                                            .unscaled = exp,
                                            .least_deviation = 0.5,
                                            .high_is_odd = false});
  }

  const AuditInput input_;
  const NearDuplicateOptions options_;
  AuditResult result_;
};

}  // namespace

AuditResult AuditExamples(const AuditInput& input, const NearDuplicateOptions& options) {
  return Auditor(input, options).Run();
}

}  // namespace graft::dataset
