#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "client/commands/job_follow.h"
#include "client/commands/job_report.h"
#include "client/commands/job_view.h"
#include "client/commands/names.h"
#include "client/terminal/format.h"
#include "client/terminal/table.h"
#include "core/base/status_macros.h"

namespace graft::commands {
namespace {

using terminal::Align;

std::string RenderList(const v1::ListJobsResponse& response) {
  terminal::Table table(
      {{"JOB"}, {"STATE"}, {"DATASET"}, {"BACKBONE"}, {"MODEL"}, {"CREATED"}, {"TEST ACCURACY", Align::kRight}});
  for (const v1::Job& job : response.jobs()) {
    const v1::TrainSpec& spec = job.has_spec() ? job.spec() : job.requested_spec();
    table.AddRow({ShortName(job.name()), StateWord(job.state()), ShortName(spec.dataset()), spec.backbone(),
                  job.has_result() ? ShortName(job.result().model_version()) : spec.model(),
                  terminal::FormatTime(ToTime(job.create_time())),
                  job.has_result() ? terminal::FormatMetric(job.result().test_accuracy()) : ""});
  }
  return table.Render();
}

void AddList(CLI::App& job, Command& chosen) {
  CLI::App* list = job.add_subcommand("list", "List the jobs, newest first");
  list->callback([&chosen] {
    chosen = [](Session& session) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const v1::ListJobsResponse response, session.client.ListJobs());
      session.console.Answer(session.json ? ToJson(response) : RenderList(response));
      return ExitCode::kSuccess;
    };
  });
}

void AddShow(CLI::App& job, Command& chosen) {
  CLI::App* show = job.add_subcommand("show", "Show one job: spec, state, result");
  const auto name = std::make_shared<std::string>();
  show->add_option("ID", *name, "The job, as `graft train` and `graft job list` print it")->required();
  show->callback([&chosen, name] {
    chosen = [name](Session& session) -> absl::StatusOr<ExitCode> {
      v1::GetJobRequest request;
      request.set_name(*name);
      ASSIGN_OR_RETURN(const v1::Job job, session.client.GetJob(request));
      session.console.Answer(session.json ? ToJson(job) : RenderJob(job, session.console));
      return ExitCode::kSuccess;
    };
  });
}

absl::StatusOr<ExitCode> Watch(Session& session, const std::string& name, int after_sequence) {
  if (session.json) {
    return FollowJob(session, name, after_sequence,
                     [&](const v1::JobEvent& event) { session.console.Answer(ToJson(event)); });
  }
  JobView view(session.console);
  return FollowJob(session, name, after_sequence, [&](const v1::JobEvent& event) {
    view.Show(event);
    if (!event.has_state_changed()) return;
    const auto& change = event.state_changed();
    if (change.has_error()) session.console.Error(RenderError(change.error()));
    if (change.has_result()) session.console.Answer(RenderResult(change.result(), session.console));
  });
}

void AddWatch(CLI::App& job, Command& chosen) {
  CLI::App* watch = job.add_subcommand("watch", "Follow a job until it ends; its exit code is the job's");
  const auto name = std::make_shared<std::string>();
  const auto after_sequence = std::make_shared<int>(0);
  watch->add_option("ID", *name, "The job")->required();
  watch->add_option("--after-sequence", *after_sequence, "Skip the events up to this one; 0 shows all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  watch->footer("Ctrl-C stops watching, not the job. With -o json each event is one line.");
  watch->callback([&chosen, name, after_sequence] {
    chosen = [name, after_sequence](Session& session) { return Watch(session, *name, *after_sequence); };
  });
}

void AddCancel(CLI::App& job, Command& chosen) {
  CLI::App* cancel = job.add_subcommand("cancel", "Ask a job to stop; it does so within seconds");
  const auto name = std::make_shared<std::string>();
  cancel->add_option("ID", *name, "The job")->required();
  cancel->callback([&chosen, name] {
    chosen = [name](Session& session) -> absl::StatusOr<ExitCode> {
      v1::CancelJobRequest request;
      request.set_name(*name);
      ASSIGN_OR_RETURN(const v1::Job job, session.client.CancelJob(request));
      session.console.Answer(session.json ? ToJson(job) : absl::StrCat(job.name(), " ", StateWord(job.state())));
      return ExitCode::kSuccess;
    };
  });
}

}  // namespace

void AddJobCommands(CLI::App& app, Command& chosen) {
  CLI::App* job = app.add_subcommand("job", "List, show, watch and cancel jobs");
  job->require_subcommand(1);
  AddList(*job, chosen);
  AddShow(*job, chosen);
  AddWatch(*job, chosen);
  AddCancel(*job, chosen);
}

}  // namespace graft::commands
