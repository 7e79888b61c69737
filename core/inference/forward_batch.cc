#include "core/inference/forward_batch.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/base/stopwatch.h"
#include "core/network/backbone_catalog.h"

namespace graft::inference {
namespace {

// A head that does not fit the trunk its row names was not trained on it.
absl::Status CheckFits(const LoadedHead& head, const network::BackboneFacts& facts) {
  if (head.dimension == facts.feature_dimension && head.preprocess.height == facts.input_size &&
      head.preprocess.width == facts.input_size) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(head.model_version, ": head for ", head.dimension, " features of ",
                                          head.preprocess.width, "x", head.preprocess.height, " images, ", facts.name,
                                          " gives ", facts.feature_dimension, " of ", facts.input_size, "x",
                                          facts.input_size));
}

// [requests, dimension]. The inputs have the trunk's size.
absl::StatusOr<std::vector<float>> RunTrunk(absl::Span<const RequestPointer> requests, engine::Engine& trunk,
                                            engine::Cores cores) {
  std::vector<float> features(requests.size() * static_cast<size_t>(trunk.facts().feature_dimension));
  std::vector<uint8_t> gathered;
  absl::Span<const uint8_t> images = requests.front()->input;
  if (requests.size() > 1) {
    gathered.reserve(requests.size() * images.size());
    for (const RequestPointer& request : requests) {
      gathered.insert(gathered.end(), request->input.begin(), request->input.end());
    }
    images = gathered;
  }
  RETURN_IF_ERROR(trunk.Run(images, static_cast<int>(requests.size()), absl::MakeSpan(features), cores));
  return features;
}

Classification ApplyHead(const Request& request, absl::Span<const float> features) {
  const int top_k = request.call.top_k == 0 ? kDefaultTopK : request.call.top_k;
  return {.model_version = request.head->model_version, .predictions = Predict(*request.head, features, top_k)};
}

}  // namespace

std::vector<absl::StatusOr<Classification>> RunForward(absl::Span<const RequestPointer> requests, engine::Engine& trunk,
                                                       engine::Cores cores) {
  const Stopwatch whole;
  const network::BackboneFacts& facts = trunk.facts();
  std::vector<absl::StatusOr<Classification>> answers(requests.size(), absl::InternalError("not run"));
  std::vector<RequestPointer> fitting;
  std::vector<size_t> rows;  // of `fitting`, into `answers`
  for (size_t i = 0; i < requests.size(); ++i) {
    if (absl::Status fits = CheckFits(*requests[i]->head, facts); !fits.ok()) {
      answers[i] = std::move(fits);
      continue;
    }
    fitting.push_back(requests[i]);
    rows.push_back(i);
  }
  if (fitting.empty()) return answers;

  const absl::Status run = StatusFromThrow(absl::StatusCode::kInternal, "classify", [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::vector<float> features, RunTrunk(fitting, trunk, cores));
    const auto dimension = static_cast<size_t>(facts.feature_dimension);
    for (size_t i = 0; i < fitting.size(); ++i) {
      const Stopwatch stopwatch;
      answers[rows[i]] = ApplyHead(*fitting[i], absl::MakeConstSpan(features).subspan(i * dimension, dimension));
      fitting[i]->postprocess = absl::Seconds(stopwatch.seconds());
    }
    return absl::OkStatus();
  });
  const absl::Duration share = absl::Seconds(whole.seconds()) / static_cast<int64_t>(fitting.size());
  for (size_t i = 0; i < fitting.size(); ++i) {
    fitting[i]->forward = share;
    if (!run.ok()) answers[rows[i]] = run;
  }
  return answers;
}

}  // namespace graft::inference
