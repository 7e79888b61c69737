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
  terminal::Table table({{"JOB"},
                         {"STATE"},
                         {"DATASET"},
                         {"BACKBONE"},
                         {"MODEL"},
                         {"CREATED"},
                         {"TEST ACCURACY", Align::kRight},
                         {"OUTLOOK"}});
  for (const v1::Job& job : response.jobs()) {
    const v1::TrainSpec& spec = job.has_spec() ? job.spec() : job.requested_spec();
    table.AddRow({ShortName(job.name()), StateWord(job.state()), ShortName(spec.dataset()), spec.backbone(),
                  job.has_result() ? ShortName(job.result().model_version()) : spec.model(),
                  terminal::FormatTime(ToTime(job.create_time())),
                  job.has_result() ? terminal::FormatMetric(job.result().test_accuracy()) : "", RenderOutlook(job)});
  }
  return table.Render();
}

void AddJobList(CLI::App& job, Command& chosen) {
  CLI::App* list = job.add_subcommand("list", "List the jobs, newest first");
  list->callback([&chosen] {
    chosen = [](Session& session) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const v1::ListJobsResponse response, session.client.ListJobs());
      session.console.Answer(session.json ? ToJson(response) : RenderList(response));
      return ExitCode::kSuccess;
    };
  });
}

void AddJobShow(CLI::App& job, Command& chosen) {
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

absl::StatusOr<ExitCode> ShowState(Session& session, const absl::StatusOr<v1::Job>& job) {
  RETURN_IF_ERROR(job.status());
  session.console.Answer(session.json ? ToJson(*job) : absl::StrCat(job->name(), " ", StateWord(job->state())));
  return ExitCode::kSuccess;
}

// A command that asks something of a job by its name alone, and prints the state that the job is then in.
template <typename Request>
void AddRequest(CLI::App& job, Command& chosen, const std::string& word, const std::string& help,
                absl::StatusOr<v1::Job> (client::GraftClient::*method)(const Request&)) {
  CLI::App* command = job.add_subcommand(word, help);
  const auto name = std::make_shared<std::string>();
  command->add_option("ID", *name, "The job")->required();
  command->callback([&chosen, name, method] {
    chosen = [name, method](Session& session) -> absl::StatusOr<ExitCode> {
      Request request;
      request.set_name(*name);
      return ShowState(session, (session.client.*method)(request));
    };
  });
}

void AddCancel(CLI::App& job, Command& chosen) {
  CLI::App* cancel = job.add_subcommand("cancel", "Ask a job to stop; it does so within seconds");
  const auto name = std::make_shared<std::string>();
  const auto keep_best = std::make_shared<bool>(false);
  cancel->add_option("ID", *name, "The job")->required();
  cancel->add_flag("--keep-best", *keep_best, "Publish the best epoch or trial so far; there must be one");
  cancel->callback([&chosen, name, keep_best] {
    chosen = [name, keep_best](Session& session) -> absl::StatusOr<ExitCode> {
      v1::CancelJobRequest request;
      request.set_name(*name);
      request.set_keep_best(*keep_best);
      return ShowState(session, session.client.CancelJob(request));
    };
  });
}

}  // namespace

void AddJobCommands(CLI::App& app, Command& chosen) {
  CLI::App* job = app.add_subcommand("job", "List, show, watch, pause, resume and cancel jobs");
  job->require_subcommand(1);
  AddJobList(*job, chosen);
  AddJobShow(*job, chosen);
  AddWatch(*job, chosen);
  AddCancel(*job, chosen);
  AddRequest(*job, chosen, "pause", "Ask a job to pause; within seconds its device is free for the next job",
             &client::GraftClient::PauseJob);
  AddRequest(*job, chosen, "resume", "Queue a paused job again; it goes on where it stopped",
             &client::GraftClient::ResumeJob);
}

}  // namespace graft::commands
