#include "server/services/open_inference_infer.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "server/services/batch_classification.h"
#include "server/services/open_inference_tensors.h"

namespace graft::services {
namespace {

using ::inference::InferParameter;
using ::inference::ModelInferRequest;
using ::inference::ModelInferResponse;
using Parameters = google::protobuf::Map<std::string, InferParameter>;

// A name of the caller's, fit for a message.
std::string Quoted(absl::string_view name) {
  return absl::StrCat("'", absl::CHexEscape(name.substr(0, 80)), "'");
}

absl::Status CheckNoSharedMemory(absl::string_view field, const Parameters& parameters) {
  if (!parameters.contains("shared_memory_region")) return absl::OkStatus();
  return InvalidField(absl::StrCat(field, ".parameters"),
                      "shared memory is not supported: send and receive the contents in the messages");
}

// ---- the request ----
absl::Status CheckImageTensorNames(const ModelInferRequest& request) {
  std::set<std::string> seen;
  for (int i = 0; i < request.inputs_size(); ++i) {
    const std::string field = absl::StrCat("inputs[", i, "].name");
    const std::string& name = request.inputs(i).name();
    if (name != kImageTensor) return InvalidField(field, absl::StrCat(Quoted(name), " is not '", kImageTensor, "'"));
    if (!seen.insert(name).second) return InvalidField(field, absl::StrCat(Quoted(name), " is in the request already"));
  }
  if (seen.empty()) return InvalidField("inputs", absl::StrCat("the input '", kImageTensor, "' is missing"));
  return absl::OkStatus();
}

TensorView ViewOf(const ModelInferRequest& request) {
  const auto& input = request.inputs(0);
  const auto& contents = input.contents();
  TensorView view{.datatype = input.datatype(),
                  .shape = input.shape(),
                  .raw = {},
                  .floats = contents.fp32_contents(),
                  .integers = contents.uint_contents(),
                  .bytes = {contents.bytes_contents().data(), static_cast<size_t>(contents.bytes_contents_size())}};
  if (request.raw_input_contents_size() > 0) view.raw = request.raw_input_contents(0);
  view.has_other_contents = contents.bool_contents_size() > 0 || contents.int_contents_size() > 0 ||
                            contents.int64_contents_size() > 0 || contents.uint64_contents_size() > 0 ||
                            contents.fp64_contents_size() > 0;
  return view;
}

absl::StatusOr<TensorImages> ReadInput(const ModelInferRequest& request, int input_size) {
  RETURN_IF_ERROR(CheckImageTensorNames(request));
  RETURN_IF_ERROR(CheckNoSharedMemory("inputs[0]", request.inputs(0).parameters()));
  if (request.raw_input_contents_size() > request.inputs_size()) {
    return InvalidField("raw_input_contents", absl::StrCat(request.raw_input_contents_size(), " of them for ",
                                                           request.inputs_size(), " input"));
  }
  const ImageTensorLimits limits{.input_size = input_size, .max_images = kMaxBatchImages, .max_bytes = kMaxBatchBytes};
  return ReadImages("inputs[0]", ViewOf(request), limits);
}

// nullopt where it is of another type or below 0.
std::optional<uint64_t> IntegerOf(const InferParameter& parameter) {
  if (parameter.parameter_choice_case() == InferParameter::kUint64Param) return parameter.uint64_param();
  if (parameter.parameter_choice_case() != InferParameter::kInt64Param || parameter.int64_param() < 0) return {};
  return static_cast<uint64_t>(parameter.int64_param());
}

// The k of the parameter "classification", 0 without it.
absl::StatusOr<int64_t> ClassificationOf(const Parameters& parameters) {
  const auto found = parameters.find("classification");
  if (found == parameters.end()) return 0;
  const uint64_t k = IntegerOf(found->second).value_or(0);
  if (k >= 1) return static_cast<int64_t>(std::min<uint64_t>(k, INT32_MAX));
  return InvalidField("outputs[0].parameters.classification", "must be an integer from 1: how many classes to answer");
}

// How many classes the response lists; 0: the probabilities of all of them.
absl::StatusOr<int> ReadOutput(const ModelInferRequest& request, int classes) {
  for (int i = 0; i < request.outputs_size(); ++i) {
    const std::string field = absl::StrCat("outputs[", i, "].name");
    const std::string& name = request.outputs(i).name();
    if (name != kProbabilitiesTensor)
      return InvalidField(field, absl::StrCat(Quoted(name), " is not '", kProbabilitiesTensor, "'"));
    if (i > 0) return InvalidField(field, absl::StrCat("output ", Quoted(name), " already exists in request"));
  }
  if (request.outputs().empty()) return 0;
  const Parameters& parameters = request.outputs(0).parameters();
  RETURN_IF_ERROR(CheckNoSharedMemory("outputs[0]", parameters));
  ASSIGN_OR_RETURN(const int64_t k, ClassificationOf(parameters));
  return static_cast<int>(std::min<int64_t>(k, classes));
}

// The caller's deadline, or sooner by the parameter "timeout", in microseconds.
absl::StatusOr<absl::Time> ReadDeadline(const InferCall& call, absl::Time start) {
  const auto found = call.request->parameters().find("timeout");
  if (found == call.request->parameters().end()) return call.deadline;
  const int64_t microseconds = found->second.int64_param();
  if (found->second.parameter_choice_case() != InferParameter::kInt64Param || microseconds < 0) {
    return InvalidField("parameters.timeout", "must be an int64 of microseconds, 0 for none");
  }
  return microseconds == 0 ? call.deadline : std::min(call.deadline, start + absl::Microseconds(microseconds));
}

// Triton's levels are a model's own; here there are two for all. Its default, 0, is what a caller who waits expects.
absl::StatusOr<inference::Priority> ReadPriority(const Parameters& parameters) {
  const auto found = parameters.find("priority");
  if (found == parameters.end()) return inference::Priority::kInteractive;
  const std::optional<uint64_t> level = IntegerOf(found->second);
  if (level.has_value()) return *level <= 1 ? inference::Priority::kInteractive : inference::Priority::kBatch;
  return InvalidField(
      "parameters.priority",
      "must be an integer: 1 is the highest and the default (0 or none), above are images that may wait");
}

// ---- the response ----
std::string RawProbabilities(const Classifications& results, int classes) {
  std::vector<float> values(results.size() * static_cast<size_t>(classes));
  for (size_t i = 0; i < results.size(); ++i) {
    for (const inference::Prediction& one : results[i]->predictions) {
      values[i * static_cast<size_t>(classes) + static_cast<size_t>(one.index)] = one.probability;
    }
  }
  return RawFloats(values);
}

// Triton's text of a class: value:index:label.
std::string RawClasses(const Classifications& results) {
  std::string raw;
  for (const auto& result : results) {
    for (const inference::Prediction& one : result->predictions) {
      AppendRawBytes(absl::StrFormat("%f:%d:%s", one.probability, one.index, one.label), &raw);
    }
  }
  return raw;
}

void FillOutput(const Classifications& results, int listed, int classes, ModelInferResponse& response) {
  auto& output = *response.add_outputs();
  output.set_name(kProbabilitiesTensor);
  output.set_datatype(listed > 0 ? "BYTES" : "FP32");
  output.add_shape(static_cast<int64_t>(results.size()));
  output.add_shape(listed > 0 ? listed : classes);
  response.add_raw_output_contents(listed > 0 ? RawClasses(results) : RawProbabilities(results, classes));
}

absl::Status FirstFailure(const Classifications& results) {
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].ok()) continue;
    return results.size() == 1 ? results[i].status() : WithContext(results[i].status(), absl::StrCat("image ", i));
  }
  return absl::OkStatus();
}

// One request from its images to its response. Lives until the last image is answered; one thread at a time.
class Inferring {
 public:
  Inferring(InferCall call, OpenInferenceStatistics* statistics, std::function<void(absl::Status)> done)
      : call_(std::move(call)), statistics_(statistics), done_(std::move(done)) {}

  const ModelInferRequest& request() const { return *call_.request; }

  // What to ask the classifier.
  absl::StatusOr<std::vector<inference::ClassifyCall>> Prepare(const OpenInferenceModel& model) {
    model_ = model;
    ASSIGN_OR_RETURN(listed_, ReadOutput(*call_.request, model_.classes));
    ASSIGN_OR_RETURN(const absl::Time deadline, ReadDeadline(call_, start_));
    ASSIGN_OR_RETURN(const inference::Priority priority, ReadPriority(call_.request->parameters()));
    ASSIGN_OR_RETURN(TensorImages images, ReadInput(*call_.request, model_.input_size));
    std::vector<inference::ClassifyCall> calls(images.encoded.size() + images.pixels.size());
    for (size_t i = 0; i < calls.size(); ++i) {
      calls[i].model = model_.version();  // pinned: an alias that moves meanwhile does not mix versions
      calls[i].top_k = listed_ > 0 ? listed_ : model_.classes;
      calls[i].deadline = deadline;
      calls[i].priority = priority;
      calls[i].cancellation = call_.cancellation;
      if (i < images.encoded.size()) {
        calls[i].image = std::string(images.encoded[i]);
      } else {
        calls[i].pixels = std::move(images.pixels[i]);
      }
    }
    read_ = absl::Now();
    return calls;
  }

  void Answer(const Classifications& results) {
    if (const absl::Status failure = FirstFailure(results); !failure.ok()) return Fail(failure);
    const absl::Time classified = absl::Now();
    ModelInferResponse& response = *call_.response;
    response.set_model_name(model_.name);
    response.set_model_version(absl::StrCat(model_.number));
    response.set_id(call_.request->id());
    FillOutput(results, listed_, model_.classes, response);
    const inference::PhaseTimes phases = LongestPhases(results);
    std::vector<int64_t> passes;
    for (const auto& result : results) passes.push_back(result->forward_pass);
    const absl::Time end = absl::Now();
    statistics_->Succeeded(model_.name, model_.number, passes,
                           {.total = end - start_,
                            .queue = phases.queue,
                            .input = read_ - start_ + phases.decode,
                            .infer = phases.forward,
                            .output = end - classified});
    done_(absl::OkStatus());
  }

  void Fail(const absl::Status& error) {
    if (model_.number > 0) statistics_->Failed(model_.name, model_.number, absl::Now() - start_);
    done_(error);
  }

 private:
  const InferCall call_;
  OpenInferenceStatistics* const statistics_;
  const std::function<void(absl::Status)> done_;
  const absl::Time start_ = absl::Now();
  absl::Time read_;
  OpenInferenceModel model_;  // number 0 until it is found
  int listed_ = 0;            // 0: all probabilities
};

}  // namespace

void OpenInference::Infer(InferCall call, std::function<void(absl::Status)> done) {
  auto inferring = std::make_shared<Inferring>(std::move(call), statistics_, std::move(done));
  const ModelInferRequest& request = inferring->request();
  const absl::StatusOr<OpenInferenceModel> model =
      models_->Find("model_", request.model_name(), request.model_version());
  if (!model.ok()) return inferring->Fail(model.status());
  auto calls = inferring->Prepare(*model);
  if (!calls.ok()) return inferring->Fail(calls.status());
  ClassifyAll(classifier_, metrics_, *std::move(calls),
              [inferring](const Classifications& results) { inferring->Answer(results); });
}

}  // namespace graft::services
