#include "client/commands/dataset_report.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/commands/names.h"
#include "client/terminal/format.h"
#include "client/terminal/table.h"

namespace graft::commands {
namespace {

using terminal::Align;
using terminal::FormatBytes;
using terminal::FormatCount;
using terminal::Printable;
using Report = v1::DatasetReport;

// Of each finding; the answer has up to 50.
constexpr int kShown = 10;

struct ClusterKind {
  const char* title;
  const Report::Clusters& clusters;
};

std::vector<ClusterKind> ClusterKinds(const Report::Audit& audit) {
  return {{"same picture, different labels", audit.label_conflicts()},
          {"same picture in different splits", audit.split_leaks()},
          {"group in different splits", audit.group_leaks()},
          {"same pixels", audit.exact_duplicates()},
          {"same or nearly the same picture", audit.near_duplicates()}};
}

struct OutlierKind {
  const char* title;
  const char* column;
  const Report::Outliers& outliers;
};

std::vector<OutlierKind> OutlierKinds(const Report::Audit& audit) {
  return {{"unusual size", "PIXELS", audit.size()},
          {"unusual brightness", "BRIGHTNESS", audit.brightness()},
          {"blurred", "SHARPNESS", audit.blur()}};
}

std::string Share(int shown, int all, const char* what) {
  return shown < all ? absl::StrCat(", ", shown, " of ", FormatCount(all), " ", what) : "";
}

std::string RenderClusters(const ClusterKind& kind) {
  const Report::Clusters& clusters = kind.clusters;
  if (clusters.cluster_count() == 0) return "";
  const int shown = std::min(kShown, clusters.first_size());
  terminal::Table table({{"GROUP", Align::kRight}, {"FILE"}, {"CLASS"}, {"GIVEN SPLIT"}});
  for (int i = 0; i < shown; ++i) {
    const Report::Cluster& cluster = clusters.first(i);
    for (const auto& file : cluster.files()) {
      table.AddRow({absl::StrCat(i + 1), file.path(), file.label(), GivenSplit(file.given_split())});
    }
    const int more = cluster.file_count() - cluster.files_size();
    if (more > 0) table.AddRow({absl::StrCat(i + 1), absl::StrCat("and ", FormatCount(more), " more")});
  }
  return absl::StrCat("\n  ", kind.title, Share(shown, clusters.cluster_count(), "groups"), ":\n",
                      table.Render("    "));
}

std::string RenderOutliers(const OutlierKind& kind) {
  const Report::Outliers& outliers = kind.outliers;
  if (outliers.file_count() == 0) return "";
  const int shown = std::min(kShown, outliers.first_size());
  terminal::Table table({{kind.column, Align::kRight}, {"SIZE", Align::kRight}, {"FILE"}, {"CLASS"}});
  for (int i = 0; i < shown; ++i) {
    const Report::Outlier& outlier = outliers.first(i);
    table.AddRow({absl::StrFormat("%.0f", outlier.value()), absl::StrCat(outlier.width(), "x", outlier.height()),
                  outlier.file().path(), outlier.file().label()});
  }
  const std::string usual = outliers.high() > 0
                                ? absl::StrFormat("usual is %.0f to %.0f", outliers.low(), outliers.high())
                                : absl::StrFormat("usual is %.0f and more", outliers.low());
  return absl::StrCat("\n  ", kind.title, ", ", usual, Share(shown, outliers.file_count(), "files"), ":\n",
                      table.Render("    "));
}

std::string RenderAudit(const Report& report) {
  if (!report.has_audit()) return "  audit: none, an older server imported it; push the same files again\n";
  const std::string summary = RenderAuditSummary(report.audit());
  if (summary.empty()) return "  audit: nothing found\n";
  std::string text = absl::StrCat("  audit:\n", summary);
  for (const ClusterKind& kind : ClusterKinds(report.audit())) absl::StrAppend(&text, RenderClusters(kind));
  for (const OutlierKind& kind : OutlierKinds(report.audit())) absl::StrAppend(&text, RenderOutliers(kind));
  return text;
}

std::string RenderQuarantined(const Report& report) {
  if (report.quarantined().empty()) return "";
  terminal::Table table({{"QUARANTINED"}, {"REASON"}});
  for (const auto& file : report.quarantined()) table.AddRow({file.path(), file.reason()});
  const int more = report.version().quarantined_count() - report.quarantined_size();
  if (more > 0) table.AddRow({absl::StrCat("and ", FormatCount(more), " more")});
  return absl::StrCat("\n", table.Render("  "));
}

}  // namespace

std::string GivenSplit(v1::Split split) {
  switch (split) {
    case v1::SPLIT_TRAIN:
      return "train";
    case v1::SPLIT_VALIDATION:
      return "validation";
    case v1::SPLIT_TEST:
      return "test";
    default:
      return "";
  }
}

std::string RenderVersion(const v1::DatasetVersion& version) {
  terminal::Table classes({{"CLASS"}, {"IMAGES", Align::kRight}});
  for (const auto& item : version.classes()) classes.AddRow({item.label(), absl::StrCat(item.images())});
  return absl::StrCat(ShortName(version.name()), ": ", FormatCount(version.image_count()), " images, ",
                      FormatBytes(version.size_bytes()), ", ", version.quarantined_count(), " quarantined\n",
                      classes.Render("  "));
}

std::string RenderAuditSummary(const Report::Audit& audit) {
  std::string text;
  for (const ClusterKind& kind : ClusterKinds(audit)) {
    if (kind.clusters.cluster_count() == 0) continue;
    absl::StrAppend(&text, "    ", kind.title, ": ", FormatCount(kind.clusters.file_count()), " files in ",
                    FormatCount(kind.clusters.cluster_count()), " groups\n");
  }
  if (!audit.rare_classes().empty()) {
    absl::StrAppend(
        &text, "    rare classes: ", Printable(absl::StrJoin(audit.rare_classes(), ", ")),
        absl::StrFormat("; the largest class has %.1f times the images of the smallest\n", audit.imbalance()));
  }
  for (const OutlierKind& kind : OutlierKinds(audit)) {
    if (kind.outliers.file_count() == 0) continue;
    absl::StrAppend(&text, "    ", kind.title, ": ", FormatCount(kind.outliers.file_count()), " files\n");
  }
  if (audit.without_contrast() > 0) {
    absl::StrAppend(&text, "    too plain to be compared: ", FormatCount(audit.without_contrast()), " pictures\n");
  }
  if (audit.cut_short() > 0) {
    absl::StrAppend(&text, "    too many alike to compare all: ", FormatCount(audit.cut_short()), " pictures\n");
  }
  return text;
}

std::string RenderReport(const Report& report) {
  std::string text = RenderVersion(report.version());
  const auto& sizes = report.sizes();
  absl::StrAppend(&text, "  pixels: ", sizes.min_width(), "x", sizes.min_height(), " to ", sizes.max_width(), "x",
                  sizes.max_height(), ", median ", sizes.median_width(), "x", sizes.median_height(), "\n  formats:");
  for (const auto& [format, photos] : report.formats()) absl::StrAppend(&text, " ", format, " ", photos);
  absl::StrAppend(&text, "\n  digest: ", report.version().digest(), "\n");
  for (const auto& given : report.given_splits()) {
    absl::StrAppend(&text, "  split ", GivenSplit(given.split()), ": ", given.images(), " images\n");
  }
  return absl::StrCat(text, RenderAudit(report), RenderQuarantined(report));
}

}  // namespace graft::commands
