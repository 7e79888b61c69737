#include <CLI/CLI.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/commands/archive_source.h"
#include "client/commands/command.h"
#include "client/commands/dataset_diff.h"
#include "client/commands/dataset_report.h"
#include "client/commands/names.h"
#include "client/terminal/format.h"
#include "client/terminal/progress_bar.h"
#include "client/terminal/table.h"
#include "core/archive/manifest.h"
#include "core/base/status_macros.h"

namespace graft::commands {
namespace {

using terminal::Align;
using terminal::FormatBytes;
using terminal::FormatCount;
using terminal::Printable;

constexpr char kPushFooter[] =
    R"(One folder per class: animals/cat/1.jpg, animals/dog/2.jpg. Folders train, validation and test above the classes
become the splits. With --manifest its rows are the data set instead: paths relative to PATH, label, and if you like
split and group; photos of one group stay on one side of a split. Only photos that the server lacks are sent; an
interrupted push goes on with the same command.

Examples:
  graft dataset push animals ./photos
  graft dataset push animals photos.zip --max-undecodable 0.1
  graft dataset push animals ./photos --manifest labels.csv)";

struct PushOptions {
  std::string name, path;
  std::optional<std::string> manifest;
  std::optional<double> max_undecodable;
};

void ShowUpload(const client::UploadProgress& progress, terminal::Console& console) {
  const bool sending = progress.bytes_sent < progress.bytes_missing;
  const terminal::Progress bar =
      sending ? terminal::Progress{"upload", progress.bytes_sent, progress.bytes_missing,
                                   absl::StrCat(FormatBytes(progress.bytes_sent), " of ",
                                                FormatBytes(progress.bytes_missing), ", ", progress.blobs_stored, "/",
                                                progress.blobs_missing, " photos stored")}
              : terminal::Progress{"check", progress.images_checked, progress.images_total,
                                   absl::StrCat(progress.images_checked, "/", progress.images_total, " photos")};
  console.Live(terminal::RenderProgressBar(bar, console.columns() - 1));
}

// The version is complete: that its report cannot be had now is no error.
void SayFindings(Session& session, const std::string& version) {
  v1::GetDatasetReportRequest request;
  request.set_name(version);
  const absl::StatusOr<v1::DatasetReport> report = session.client.GetDatasetReport(request);
  if (!report.ok() || !report->has_audit()) return;
  const std::string findings = RenderAuditSummary(report->audit());
  if (findings.empty()) return;
  session.console.Say(
      absl::StrCat("the audit found:\n", findings, "which files: graft dataset show ", ShortName(version)));
}

absl::StatusOr<archive::DatasetSource> OpenSource(const PushOptions& options) {
  if (!options.manifest) return archive::DatasetSource::Open(options.path);
  ASSIGN_OR_RETURN(const archive::Manifest manifest, archive::Manifest::Read(*options.manifest));
  return archive::DatasetSource::Open(options.path, {}, &manifest);
}

absl::StatusOr<ExitCode> Push(Session& session, const PushOptions& options) {
  session.console.Live(absl::StrCat("reading ", Printable(options.path)));
  ASSIGN_OR_RETURN(archive::DatasetSource opened, OpenSource(options));
  const int ignored_files = opened.ignored_files();
  const ArchiveSource source(std::move(opened));
  session.console.Say(absl::StrCat(source.files().size(), " photos in ", Printable(options.path), ", ", ignored_files,
                                   " other files left out"));
  v1::UploadDatasetRequest::Start start;
  start.set_dataset(options.name);
  if (options.max_undecodable) start.set_max_undecodable_fraction(*options.max_undecodable);
  client::UploadObserver observer;
  bool lost = false;
  observer.on_progress = [&](const client::UploadProgress& progress) {
    lost = false;
    ShowUpload(progress, session.console);
  };
  observer.on_reconnecting = [&](const absl::Status& status) {
    if (!lost)
      session.console.Error(absl::StrCat("lost the connection (", status.message(), "), continuing the upload"));
    lost = true;
  };
  ASSIGN_OR_RETURN(const auto complete, session.client.UploadDataset(start, source, observer));
  session.console.Say(complete.already_existed()
                          ? "nothing changed since this version"
                          : absl::StrCat(complete.blobs_received(), " photos sent, ",
                                         static_cast<int>(source.files().size()) - complete.blobs_received(),
                                         " were there already"));
  session.console.Answer(session.json ? ToJson(complete.version()) : RenderVersion(complete.version()));
  SayFindings(session, complete.version().name());
  return ExitCode::kSuccess;
}

void AddPush(CLI::App& dataset, Command& chosen) {
  CLI::App* push = dataset.add_subcommand("push", "Upload a folder or archive of photos as a new version");
  const auto options = std::make_shared<PushOptions>();
  push->add_option("NAME", options->name, "Name of the data set: a-z 0-9 - _")->required();
  push->add_option("PATH", options->path, "Folder, .zip, .tar or .tar.gz")->required()->check(CLI::ExistingPath);
  push->add_option("--manifest", options->manifest,
                   "CSV (path,label,split,group; the first line names the columns) or JSONL file that lists the photos")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  push->add_option("--max-undecodable", options->max_undecodable,
                   "Share of photos that may be broken before the push fails [0.05]; they are quarantined")
      ->type_name("SHARE");
  push->footer(kPushFooter);
  push->callback([&chosen, options] { chosen = [options](Session& session) { return Push(session, *options); }; });
}

std::string RenderList(const v1::ListDatasetsResponse& response) {
  terminal::Table table({{"DATASET"},
                         {"IMAGES", Align::kRight},
                         {"CLASSES", Align::kRight},
                         {"QUARANTINED", Align::kRight},
                         {"SIZE", Align::kRight},
                         {"CREATED"}});
  for (const v1::DatasetVersion& version : response.datasets()) {
    table.AddRow({ShortName(version.name()), FormatCount(version.image_count()), absl::StrCat(version.classes_size()),
                  FormatCount(version.quarantined_count()), FormatBytes(version.size_bytes()),
                  terminal::FormatTime(ToTime(version.create_time()))});
  }
  return table.Render();
}

void AddDatasetList(CLI::App& dataset, Command& chosen) {
  CLI::App* list = dataset.add_subcommand("list", "List the data sets with their latest versions");
  list->callback([&chosen] {
    chosen = [](Session& session) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const v1::ListDatasetsResponse response, session.client.ListDatasets());
      session.console.Answer(session.json ? ToJson(response) : RenderList(response));
      return ExitCode::kSuccess;
    };
  });
}

void AddDatasetShow(CLI::App& dataset, Command& chosen) {
  CLI::App* show = dataset.add_subcommand(
      "show", "Show what the import found: classes, sizes, duplicates and other findings, quarantined files");
  const auto name = std::make_shared<std::string>();
  show->add_option("NAME", *name, "animals (latest) or animals:2")->required();
  show->callback([&chosen, name] {
    chosen = [name](Session& session) -> absl::StatusOr<ExitCode> {
      v1::GetDatasetReportRequest request;
      request.set_name(*name);
      ASSIGN_OR_RETURN(const v1::DatasetReport report, session.client.GetDatasetReport(request));
      session.console.Answer(session.json ? ToJson(report) : RenderReport(report));
      return ExitCode::kSuccess;
    };
  });
}

void AddDiff(CLI::App& dataset, Command& chosen) {
  CLI::App* diff = dataset.add_subcommand("diff", "Show which files differ between two versions, and how");
  const auto names = std::make_shared<std::pair<std::string, std::string>>();
  const auto limit = std::make_shared<int>(50);
  diff->add_option("FROM", names->first, "animals:1")->required();
  diff->add_option("TO", names->second, "animals:2, or animals for the latest")->required();
  diff->add_option("--limit", *limit, "Show at most this many files [50]")->check(CLI::PositiveNumber)->type_name("N");
  diff->callback([&chosen, names, limit] {
    chosen = [names, limit](Session& session) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const v1::DiffDatasetVersionsResponse response,
                       session.client.DiffDatasetVersions(names->first, names->second, *limit));
      session.console.Answer(session.json ? ToJson(response) : RenderDiff(response));
      return ExitCode::kSuccess;
    };
  });
}

}  // namespace

void AddDatasetCommands(CLI::App& app, Command& chosen) {
  CLI::App* dataset = app.add_subcommand("dataset", "Upload, list, show and compare data sets");
  dataset->require_subcommand(1);
  AddPush(*dataset, chosen);
  AddDatasetList(*dataset, chosen);
  AddDatasetShow(*dataset, chosen);
  AddDiff(*dataset, chosen);
}

}  // namespace graft::commands
