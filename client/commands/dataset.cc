#include <CLI/CLI.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/commands/archive_source.h"
#include "client/commands/command.h"
#include "client/commands/names.h"
#include "client/terminal/format.h"
#include "client/terminal/progress_bar.h"
#include "client/terminal/table.h"
#include "core/base/status_macros.h"

namespace graft::commands {
namespace {

using terminal::Align;
using terminal::FormatBytes;
using terminal::FormatCount;
using terminal::Printable;

constexpr char kPushFooter[] =
    R"(One folder per class: animals/cat/1.jpg, animals/dog/2.jpg. Folders train, validation and test above the classes
become the splits. Only photos that the server lacks are sent; an interrupted push goes on with the same command.

Examples:
  graft dataset push animals ./photos
  graft dataset push animals photos.zip --max-undecodable 0.1)";

struct PushOptions {
  std::string name, path;
  std::optional<double> max_undecodable;
};

std::string RenderVersion(const v1::DatasetVersion& version) {
  terminal::Table classes({{"CLASS"}, {"IMAGES", Align::kRight}});
  for (const auto& item : version.classes()) classes.AddRow({item.label(), absl::StrCat(item.images())});
  return absl::StrCat(ShortName(version.name()), ": ", FormatCount(version.image_count()), " images, ",
                      FormatBytes(version.size_bytes()), ", ", version.quarantined_count(), " quarantined\n",
                      classes.Render("  "));
}

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

absl::StatusOr<ExitCode> Push(Session& session, const PushOptions& options) {
  session.console.Live(absl::StrCat("reading ", Printable(options.path)));
  ASSIGN_OR_RETURN(archive::DatasetSource opened, archive::DatasetSource::Open(options.path));
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
  return ExitCode::kSuccess;
}

void AddPush(CLI::App& dataset, Command& chosen) {
  CLI::App* push = dataset.add_subcommand("push", "Upload a folder or archive of photos as a new version");
  const auto options = std::make_shared<PushOptions>();
  push->add_option("NAME", options->name, "Name of the data set: a-z 0-9 - _")->required();
  push->add_option("PATH", options->path, "Folder, .zip, .tar or .tar.gz")->required()->check(CLI::ExistingPath);
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

void AddList(CLI::App& dataset, Command& chosen) {
  CLI::App* list = dataset.add_subcommand("list", "List the data sets with their latest versions");
  list->callback([&chosen] {
    chosen = [](Session& session) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const v1::ListDatasetsResponse response, session.client.ListDatasets());
      session.console.Answer(session.json ? ToJson(response) : RenderList(response));
      return ExitCode::kSuccess;
    };
  });
}

std::string SplitWord(v1::Split split) {
  switch (split) {
    case v1::SPLIT_TRAIN:
      return "train";
    case v1::SPLIT_VALIDATION:
      return "validation";
    case v1::SPLIT_TEST:
      return "test";
    default:
      return "not given";
  }
}

std::string RenderReport(const v1::DatasetReport& report) {
  std::string text = RenderVersion(report.version());
  const auto& sizes = report.sizes();
  absl::StrAppend(&text, "  pixels: ", sizes.min_width(), "x", sizes.min_height(), " to ", sizes.max_width(), "x",
                  sizes.max_height(), ", median ", sizes.median_width(), "x", sizes.median_height(), "\n  formats:");
  for (const auto& [format, photos] : report.formats()) absl::StrAppend(&text, " ", format, " ", photos);
  absl::StrAppend(&text, "\n  digest: ", report.version().digest(), "\n");
  for (const auto& given : report.given_splits()) {
    absl::StrAppend(&text, "  split ", SplitWord(given.split()), ": ", given.images(), " images\n");
  }
  if (report.quarantined().empty()) return text;
  terminal::Table table({{"QUARANTINED"}, {"REASON"}});
  for (const auto& file : report.quarantined()) table.AddRow({file.path(), file.reason()});
  return absl::StrCat(text, "\n", table.Render("  "));
}

void AddShow(CLI::App& dataset, Command& chosen) {
  CLI::App* show = dataset.add_subcommand("show", "Show what the import found: classes, sizes, quarantined files");
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

}  // namespace

void AddDatasetCommands(CLI::App& app, Command& chosen) {
  CLI::App* dataset = app.add_subcommand("dataset", "Upload, list and show data sets");
  dataset->require_subcommand(1);
  AddPush(*dataset, chosen);
  AddList(*dataset, chosen);
  AddShow(*dataset, chosen);
}

}  // namespace graft::commands
