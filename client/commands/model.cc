#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/command.h"
#include "client/commands/job_report.h"
#include "client/commands/names.h"
#include "client/terminal/format.h"
#include "client/terminal/table.h"
#include "core/base/status_macros.h"

namespace graft::commands {
namespace {

using terminal::Align;
using terminal::FormatMetric;

std::string RenderList(const v1::ListModelsResponse& response) {
  terminal::Table table({{"MODEL"},
                         {"LATEST"},
                         {"VERSIONS", Align::kRight},
                         {"BACKBONE"},
                         {"TRAINED"},
                         {"SIZE", Align::kRight},
                         {"TEST ACCURACY", Align::kRight},
                         {"ALIASES"}});
  for (const v1::Model& model : response.models()) {
    const std::string aliases = absl::StrJoin(model.aliases(), ", ", [](std::string* out, const auto& alias) {
      absl::StrAppend(out, alias.first, "=", alias.second);
    });
    table.AddRow({ShortName(model.name()), ShortName(model.latest().name()), absl::StrCat(model.version_count()),
                  model.latest().backbone(), model.latest().trainable(),
                  terminal::FormatBytes(model.latest().size_bytes()),
                  FormatMetric(model.latest().metrics().test_accuracy()), aliases});
  }
  return table.Render();
}

// Of its files, and which of them is the backbone.
std::string RenderSize(const v1::ModelVersion& version) {
  const std::string size = terminal::FormatBytes(version.size_bytes());
  if (version.backbone_size_bytes() == 0) return absl::StrCat(size, ", beside the shared backbone");
  return absl::StrCat(size, ", with a backbone of its own of ", terminal::FormatBytes(version.backbone_size_bytes()));
}

std::string RenderBackbone(const v1::ModelVersion& version) {
  const bool unchanged = version.base_backbone_sha256() == version.backbone_sha256();
  return absl::StrCat(version.backbone_sha256(),
                      unchanged ? "" : absl::StrCat(", fine-tuned from ", version.base_backbone_sha256()));
}

std::string RenderVersion(const v1::ModelVersion& version, const terminal::Console& console) {
  std::string text = absl::StrCat(
      console.Bold(ShortName(version.name())), "\n  aliases: ", absl::StrJoin(version.aliases(), ", "),
      "\n  created: ", terminal::FormatTime(ToTime(version.create_time())),
      "\n  data set: ", ShortName(version.dataset_version()), "\n  job: ", ShortName(version.job()),
      "\n  size: ", RenderSize(version), "\n  trained: ", version.trainable(),
      version.init_from().empty() ? "" : absl::StrCat("\n  started from: ", ShortName(version.init_from())),
      "\n  head: ", version.weights_sha256(), "\n  backbone weights: ", RenderBackbone(version),
      "\n  served in: ", version.precision(), ", at temperature ", FormatMetric(version.temperature()),
      "\n  split: ", version.split_hash(), "\n  labels: ", terminal::Printable(absl::StrJoin(version.labels(), ", ")),
      "\n\nspec\n", RenderSpec(version.spec()), "\n");
  v1::JobResult metrics = version.metrics();
  metrics.set_model_version(version.name());
  return text + RenderResult(metrics, console);
}

std::string RenderSuspects(const std::string& title, const google::protobuf::RepeatedPtrField<v1::Suspect>& suspects) {
  terminal::Table table({{title},
                         {"LABEL"},
                         {"PROBABILITY", Align::kRight},
                         {"PREDICTED"},
                         {"PROBABILITY", Align::kRight},
                         {"LOSS", Align::kRight}});
  for (const v1::Suspect& suspect : suspects) {
    table.AddRow({suspect.path(), suspect.label(), FormatMetric(suspect.label_probability()), suspect.predicted(),
                  FormatMetric(suspect.probability()), FormatMetric(suspect.loss())});
  }
  return table.Render();
}

std::string RenderSuspects(const v1::ListSuspectsResponse& response) {
  const std::string text =
      absl::StrCat("training photos of ", ShortName(response.dataset_version()), " that ",
                   ShortName(response.model_version()), " does not believe; check their labels\n\n");
  if (response.disagreements().empty()) {
    return absl::StrCat(text, "its prediction is the label of all of them\n\n",
                        RenderSuspects("HIGHEST LOSS", response.highest_loss()));
  }
  return absl::StrCat(text, RenderSuspects("MOST CONFIDENT DISAGREEMENTS", response.disagreements()), "\n",
                      RenderSuspects("HIGHEST LOSS", response.highest_loss()));
}

absl::StatusOr<std::string> ShowSuspects(const std::string& name, Session& session) {
  v1::ListSuspectsRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(const v1::ListSuspectsResponse response, session.client.ListSuspects(request));
  return session.json ? ToJson(response) : RenderSuspects(response);
}

absl::StatusOr<std::string> ShowVersion(const std::string& name, Session& session) {
  v1::GetModelVersionRequest request;
  request.set_name(name);
  ASSIGN_OR_RETURN(const v1::ModelVersion version, session.client.GetModelVersion(request));
  return session.json ? ToJson(version) : RenderVersion(version, session.console);
}

void AddModelList(CLI::App& model, Command& chosen) {
  CLI::App* list = model.add_subcommand("list", "List the models with their latest versions");
  list->callback([&chosen] {
    chosen = [](Session& session) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const v1::ListModelsResponse response, session.client.ListModels());
      session.console.Answer(session.json ? ToJson(response) : RenderList(response));
      return ExitCode::kSuccess;
    };
  });
}

void AddModelShow(CLI::App& model, Command& chosen) {
  CLI::App* show = model.add_subcommand("show", "Show one version: where it comes from and how good it is");
  const auto name = std::make_shared<std::string>();
  show->add_option("MODEL", *name, "animals (latest), animals:3 or animals@production")->required();
  const auto suspects = std::make_shared<bool>(false);
  show->add_flag("--suspects", *suspects,
                 "Instead: the training photos of highest loss, and where it is surest that the label is wrong");
  show->footer("Example: graft model show animals:3 --suspects");
  show->callback([&chosen, name, suspects] {
    chosen = [name, suspects](Session& session) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const std::string text, *suspects ? ShowSuspects(*name, session) : ShowVersion(*name, session));
      session.console.Answer(text);
      return ExitCode::kSuccess;
    };
  });
}

void AddPromote(CLI::App& model, Command& chosen) {
  CLI::App* promote = model.add_subcommand("promote", "Point an alias at a version; classify follows at once");
  const auto request = std::make_shared<v1::SetAliasRequest>();
  promote->add_option("VERSION", *request->mutable_name(), "The version, e.g. animals:3")->required();
  promote->add_option("ALIAS", *request->mutable_alias(), "The alias, e.g. production")->required();
  promote->footer("Example: graft model promote animals:3 production");
  promote->callback([&chosen, request] {
    chosen = [request](Session& session) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const v1::ModelVersion version, session.client.SetAlias(*request));
      session.console.Answer(
          session.json ? ToJson(version)
                       : absl::StrCat(version.model(), "@", request->alias(), " is now ", ShortName(version.name())));
      return ExitCode::kSuccess;
    };
  });
}

std::string RenderHistory(const v1::ListAliasHistoryResponse& response) {
  terminal::Table table({{"TIME"}, {"ALIAS"}, {"FROM"}, {"TO"}, {"HOW"}});
  for (const v1::AliasMove& move : response.moves()) {
    table.AddRow({terminal::FormatTime(ToTime(move.time())), move.alias(),
                  move.previous().empty() ? "-" : ShortName(move.previous()),
                  absl::StrCat(ShortName(move.version()), move.version_deleted() ? " (deleted)" : ""),
                  move.rollback() ? "rollback" : "set"});
  }
  return table.Render();
}

void AddRollback(CLI::App& model, Command& chosen) {
  CLI::App* rollback = model.add_subcommand("rollback", "Point an alias back at the version it pointed to before");
  const auto request = std::make_shared<v1::RollbackAliasRequest>();
  rollback->add_option("MODEL", *request->mutable_model(), "The model, e.g. animals")->required();
  rollback->add_option("ALIAS", *request->mutable_alias(), "The alias, e.g. production")->required();
  rollback->footer(
      "Again: further back. Deleted versions are skipped; `graft model history` shows every move.\n"
      "Example: graft model rollback animals production");
  rollback->callback([&chosen, request] {
    chosen = [request](Session& session) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const v1::ModelVersion version, session.client.RollbackAlias(*request));
      session.console.Answer(session.json ? ToJson(version)
                                          : absl::StrCat(version.model(), "@", request->alias(), " is back at ",
                                                         ShortName(version.name())));
      return ExitCode::kSuccess;
    };
  });
}

void AddHistory(CLI::App& model, Command& chosen) {
  CLI::App* history = model.add_subcommand("history", "Show where a model's aliases have pointed, newest first");
  const auto name = std::make_shared<std::string>();
  const auto alias = std::make_shared<std::string>();
  history->add_option("MODEL", *name, "The model, e.g. animals")->required();
  history->add_option("--alias", *alias, "Of this alias alone");
  history->callback([&chosen, name, alias] {
    chosen = [name, alias](Session& session) -> absl::StatusOr<ExitCode> {
      ASSIGN_OR_RETURN(const v1::ListAliasHistoryResponse response, session.client.ListAliasHistory(*name, *alias));
      session.console.Answer(session.json ? ToJson(response) : RenderHistory(response));
      return ExitCode::kSuccess;
    };
  });
}

void AddDelete(CLI::App& model, Command& chosen) {
  CLI::App* remove = model.add_subcommand("delete", "Delete one version for good");
  const auto request = std::make_shared<v1::DeleteModelVersionRequest>();
  remove->add_option("VERSION", *request->mutable_name(), "The version, e.g. animals:3")->required();
  remove->footer(
      "A version that an alias points to is not deleted: move the alias first. Its number is never used again.\n"
      "Example: graft model delete animals:3");
  remove->callback([&chosen, request] {
    chosen = [request](Session& session) -> absl::StatusOr<ExitCode> {
      RETURN_IF_ERROR(session.client.DeleteModelVersion(*request));
      session.console.Answer(session.json ? ToJson(v1::DeleteModelVersionResponse())
                                          : absl::StrCat("deleted ", ShortName(request->name())));
      return ExitCode::kSuccess;
    };
  });
}

}  // namespace

void AddModelCommands(CLI::App& app, Command& chosen) {
  CLI::App* model = app.add_subcommand("model", "List, show and delete models, move their aliases");
  model->require_subcommand(1);
  AddModelList(*model, chosen);
  AddModelShow(*model, chosen);
  AddPromote(*model, chosen);
  AddRollback(*model, chosen);
  AddHistory(*model, chosen);
  AddDelete(*model, chosen);
}

}  // namespace graft::commands
