#include <CLI/CLI.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/api/cancellation.h"
#include "client/commands/classify_output.h"
#include "client/commands/command.h"
#include "client/commands/photo_files.h"
#include "client/terminal/format.h"
#include "client/terminal/interrupt.h"
#include "core/base/status_macros.h"
#include "proto/status_codec.h"

namespace graft::commands {
namespace {

constexpr char kClassifyFooter[] =
    R"(One photo per line, in the order given; folders are searched for photos, hidden and system files left out.
With -o json one object per photo: file, modelVersion, predictions, times; or file and error.
With -o csv one row per prediction: file, model_version, rank, label, probability, error.
Exit code 1 if any photo failed; the others are classified all the same. A lost connection is made again and goes on
with the photos without an answer. One version answers all photos, whatever happens to an alias meanwhile.

Examples:
  graft classify animals photo.jpg
  graft classify animals@production ./photos --top-k 1
  graft classify animals ./photos -o csv > answers.csv
  curl -s https://example.org/cat.jpg | graft classify animals:3 -)";

struct ClassifyOptions {
  std::string model;
  std::vector<std::string> paths;
  int top_k = 0;  // 0: the server's default
};

class PhotoSource : public client::ImageSource {
 public:
  PhotoSource(const std::vector<std::string>& photos, std::istream& in) : photos_(photos), in_(in) {}

  int64_t count() const override { return static_cast<int64_t>(photos_.size()); }
  absl::StatusOr<std::string> Read(int64_t index) override {
    const std::string& path = photos_[static_cast<size_t>(index)];
    if (path != "-") return ReadPhoto(path, in_);
    // Kept, since it cannot be read a second time.
    if (!standard_input_) standard_input_ = ReadPhoto(path, in_);
    return *standard_input_;
  }

 private:
  const std::vector<std::string>& photos_;
  std::istream& in_;
  std::optional<absl::StatusOr<std::string>> standard_input_;
};

absl::StatusOr<v1::ClassifyResponse> Ask(Session& session, const ClassifyOptions& options, std::string image) {
  v1::ClassifyRequest request;
  request.set_model(options.model);
  request.set_top_k(options.top_k);
  *request.mutable_image() = std::move(image);
  return session.client.Classify(request);
}

// Somebody waits for this one answer: a call of its own, before everything that is done in bulk.
absl::StatusOr<ExitCode> ClassifyOne(Session& session, const ClassifyOptions& options, const std::string& path) {
  ClassifyOutput output(session, 1);
  v1::FileClassification answer;
  answer.set_file(path);
  absl::StatusOr<std::string> image = ReadPhoto(path, session.in);
  const bool readable = image.ok();
  absl::StatusOr<v1::ClassifyResponse> response =
      readable ? Ask(session, options, *std::move(image)) : absl::StatusOr<v1::ClassifyResponse>(image.status());
  if (response.ok()) {
    answer.set_model_version(response->model_version());
    answer.mutable_predictions()->Swap(response->mutable_predictions());
    answer.mutable_times()->Swap(response->mutable_times());
    output.Answered(answer);
    return ExitCode::kSuccess;
  }
  *answer.mutable_error() = ToRpcStatus(response.status());
  if (!readable || absl::IsInvalidArgument(response.status())) {
    output.Answered(answer);
    return ExitCode::kFailed;
  }
  output.Unanswered(answer);
  return response.status();
}

v1::FileClassification ToFile(const std::string& path, const v1::ClassifyStreamResponse& response) {
  v1::FileClassification answer;
  answer.set_file(path);
  if (response.has_error()) {
    *answer.mutable_error() = response.error();
    return answer;
  }
  answer.set_model_version(response.model_version());
  *answer.mutable_predictions() = response.predictions();
  *answer.mutable_times() = response.times();
  return answer;
}

absl::StatusOr<ExitCode> ClassifyMany(Session& session, const ClassifyOptions& options,
                                      const std::vector<std::string>& photos) {
  PhotoSource source(photos, session.in);
  ClassifyOutput output(session, source.count());
  bool lost = false;
  client::ClassifyObserver observer;
  observer.on_answer = [&](int64_t index, const v1::ClassifyStreamResponse& response) {
    lost = false;
    output.Answered(ToFile(photos[static_cast<size_t>(index)], response));
  };
  observer.on_unanswered = [&](int64_t index, const absl::Status& error) {
    v1::FileClassification answer;
    answer.set_file(photos[static_cast<size_t>(index)]);
    *answer.mutable_error() = ToRpcStatus(error);
    output.Unanswered(answer);
  };
  observer.on_reconnecting = [&](const absl::Status& reason) {
    if (!std::exchange(lost, true)) {
      session.console.Error(absl::StrCat("interrupted (", terminal::Printable(reason.message()),
                                         "), going on with the photos without an answer"));
    }
  };

  v1::ClassifyStreamRequest::Start start;
  start.set_model(options.model);
  start.set_top_k(options.top_k);
  client::Cancellation cancellation;
  absl::Status status;
  {
    const terminal::InterruptHandler interrupt([&] { cancellation.Cancel(); });
    status = session.client.ClassifyStream(start, source, observer, &cancellation);
  }
  output.Finish();
  if (cancellation.IsCancelled()) {
    session.console.Error("stopped by Ctrl-C");
    return ExitCode::kInterrupted;
  }
  RETURN_IF_ERROR(status);
  return output.failed() == 0 ? ExitCode::kSuccess : ExitCode::kFailed;
}

absl::StatusOr<ExitCode> Classify(Session& session, const ClassifyOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<std::string> photos, ListPhotos(options.paths));
  if (photos.size() == 1) return ClassifyOne(session, options, photos.front());
  return ClassifyMany(session, options, photos);
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
  classify->footer(kClassifyFooter);
  classify->callback(
      [&chosen, options] { chosen = [options](Session& session) { return Classify(session, *options); }; });
}

}  // namespace graft::commands
