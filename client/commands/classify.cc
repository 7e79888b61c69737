#include <CLI/CLI.hpp>
#include <deque>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "client/commands/names.h"
#include "client/commands/photo_files.h"
#include "client/terminal/format.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"
#include "proto/status_codec.h"

namespace graft::commands {
namespace {

constexpr char kFooter[] = R"(With -o json one object per photo: file, modelVersion, predictions; or file and error.
Exit code 1 if any photo failed; the others are classified all the same.

Examples:
  graft classify animals photo.jpg
  graft classify animals@production ./photos --top-k 1
  curl -s https://example.org/cat.jpg | graft classify animals:3 -)";

constexpr int kCallsInFlight = 8;  // enough to fill the server's batches, few enough to stay polite

struct ClassifyOptions {
  std::string model;
  std::vector<std::string> paths;
  int top_k = 0;  // 0: the server's default
};

// What became of one photo. A call's error and a file's are told apart: NotFound from the server is the model.
struct Outcome {
  v1::FileClassification answer;
  absl::Status call;
  bool failed() const { return answer.has_error(); }
};

// The error is not about the photo: no other one would fare better.
bool ConcernsAllPhotos(const absl::Status& call) {
  return absl::IsNotFound(call) || absl::IsUnavailable(call) || absl::IsUnauthenticated(call) ||
         absl::IsPermissionDenied(call);
}

Outcome Failed(Outcome outcome, const absl::Status& status) {
  *outcome.answer.mutable_error() = ToRpcStatus(status);
  return outcome;
}

Outcome ClassifyOne(Session& session, const ClassifyOptions& options, const std::string& path) {
  Outcome outcome;
  outcome.answer.set_file(path);
  absl::StatusOr<std::string> image = ReadPhoto(path, session.in);
  if (!image.ok()) return Failed(std::move(outcome), image.status());
  v1::ClassifyRequest request;
  request.set_model(options.model);
  request.set_top_k(options.top_k);
  *request.mutable_image() = *std::move(image);
  absl::StatusOr<v1::ClassifyResponse> response = session.client.Classify(request);
  outcome.call = response.status();
  if (!response.ok()) return Failed(std::move(outcome), response.status());
  outcome.answer.set_model_version(response->model_version());
  outcome.answer.mutable_predictions()->Swap(response->mutable_predictions());
  outcome.answer.mutable_times()->Swap(response->mutable_times());
  return outcome;
}

std::string RenderPredictions(const v1::FileClassification& answer) {
  std::string text = terminal::Printable(answer.file()) + ":";
  const char* separator = " ";
  for (const auto& prediction : answer.predictions()) {
    absl::StrAppend(&text, separator, terminal::Printable(prediction.label()), " ",
                    terminal::FormatPercent(prediction.probability()));
    separator = ", ";
  }
  return text;
}

void Show(Session& session, const Outcome& outcome) {
  if (session.json) {
    session.console.Answer(ToJson(outcome.answer));
  } else if (!outcome.failed()) {
    session.console.Answer(RenderPredictions(outcome.answer));
  } else if (!ConcernsAllPhotos(outcome.call)) {
    session.console.Error(absl::StrCat(terminal::Printable(outcome.answer.file()), ": ",
                                       terminal::Printable(outcome.answer.error().message())));
  }
}

// Classifies several photos at a time and shows them in the order given. After an error that concerns them all, the
// rest gets that error without asking again. Returns that error, or OK with `failures` counted.
absl::Status ClassifyAll(Session& session, const ClassifyOptions& options, const std::vector<std::string>& photos,
                         int& failures) {
  ThreadPool pool("classify", kCallsInFlight, kCallsInFlight);
  std::deque<std::future<Outcome>> in_flight;
  absl::Status fatal;
  size_t started = 0;
  for (size_t shown = 0; shown < photos.size(); ++shown) {
    for (; started < photos.size() && fatal.ok() && in_flight.size() < 2 * kCallsInFlight; ++started) {
      auto task = std::make_shared<std::packaged_task<Outcome()>>(
          [&session, &options, &photos, started] { return ClassifyOne(session, options, photos[started]); });
      in_flight.push_back(task->get_future());
      pool.Run([task] { (*task)(); });
    }
    Outcome outcome;
    if (in_flight.empty()) {
      outcome.answer.set_file(photos[shown]);
      outcome = Failed(std::move(outcome), fatal);
      outcome.call = fatal;
    } else {
      outcome = in_flight.front().get();
      in_flight.pop_front();
    }
    if (fatal.ok() && ConcernsAllPhotos(outcome.call)) fatal = outcome.call;
    if (outcome.failed()) ++failures;
    Show(session, outcome);
  }
  return fatal;
}

absl::StatusOr<ExitCode> Classify(Session& session, const ClassifyOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<std::string> photos, ListPhotos(options.paths));
  int failures = 0;
  RETURN_IF_ERROR(ClassifyAll(session, options, photos, failures));
  return failures == 0 ? ExitCode::kSuccess : ExitCode::kFailed;
}

}  // namespace

void AddClassifyCommand(CLI::App& app, Command& chosen) {
  CLI::App* classify = app.add_subcommand("classify", "Say what is in photos");
  const auto options = std::make_shared<ClassifyOptions>();
  classify->add_option("MODEL", options->model, "animals (latest), animals:3 or animals@production")->required();
  classify->add_option("PHOTOS", options->paths, "Files, folders (searched at any depth), or - for standard input")
      ->required()
      ->expected(1, -1);
  classify->add_option("--top-k", options->top_k, "Labels per photo, 1 to 1000 [5]");
  classify->footer(kFooter);
  classify->callback(
      [&chosen, options] { chosen = [options](Session& session) { return Classify(session, *options); }; });
}

}  // namespace graft::commands
