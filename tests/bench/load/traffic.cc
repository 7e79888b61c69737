#include "tests/bench/load/traffic.h"

#include <google/protobuf/message_lite.h>

#include <array>
#include <stdexcept>

#include "graft/v1/inference.pb.h"

namespace graft::bench {
namespace {

constexpr char kClassify[] = "/graft.v1.InferenceService/Classify";
constexpr char kClassifyBatch[] = "/graft.v1.InferenceService/ClassifyBatch";
constexpr int kImagesPerBatch = 4;

struct Share {
  const char* kind;
  double weight;
};
constexpr std::array<Share, 9> kMixture = {{{"classify", 68},
                                            {"classify-batch", 6},
                                            {"truncated", 5},
                                            {"not-an-image", 3},
                                            {"no-such-model", 4},
                                            {"bad-top-k", 4},
                                            {"cancelled", 5},
                                            {"short-deadline", 4},
                                            {"server-info", 1}}};

grpc::Slice Serialized(const google::protobuf::MessageLite& message) {
  return grpc::Slice(message.SerializeAsString());
}

// Protobuf messages concatenate: fields sent in several slices need no copy of the image per call.
grpc::ByteBuffer Joined(std::vector<grpc::Slice> slices) {
  return grpc::ByteBuffer(slices.data(), slices.size());
}

template <typename Message>
bool Parse(grpc::ByteBuffer buffer, Message& message) {
  grpc::Slice slice;
  return buffer.DumpToSingleSlice(&slice).ok() && message.ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
}

std::string CheckClassified(const grpc::ByteBuffer& buffer) {
  v1::ClassifyResponse response;
  return Parse(buffer, response) && response.predictions_size() > 0 && !response.model_version().empty() ? "OK"
                                                                                                         : "bad answer";
}

std::string CheckBatch(const grpc::ByteBuffer& buffer) {
  v1::ClassifyBatchResponse response;
  if (!Parse(buffer, response) || response.results_size() != kImagesPerBatch) return "bad answer";
  for (const auto& result : response.results()) {
    if (result.has_error()) return "error in batch: " + result.error().message();
    if (result.predictions().empty()) return "bad answer";
  }
  return "OK";
}

}  // namespace

std::vector<std::string> Traffic::Kinds() {
  return {"classify", "classify-batch", "first-and-again", "health", "server-info", "raw", "mixed"};
}

Traffic::Traffic(TrafficOptions options) : options_(std::move(options)), random_(options_.seed) {
  const bool sends_images = options_.kind != "health" && options_.kind != "server-info";
  if (sends_images && options_.payloads.empty()) throw std::runtime_error("--payload is required for this kind");
  if (sends_images && options_.kind != "raw" && options_.models.empty())
    throw std::runtime_error("--model is required");
  if ((options_.kind == "raw") != !options_.method.empty()) throw std::runtime_error("--method goes with --kind raw");
  for (const std::string& model : options_.models) {
    v1::ClassifyRequest request;
    request.set_model(model);
    models_.push_back(Serialized(request));
  }
  for (const std::string& payload : options_.payloads) {
    if (options_.kind == "raw") {
      images_.emplace_back(payload);
      continue;
    }
    v1::ClassifyRequest request;
    request.set_image(payload);
    images_.push_back(Serialized(request));
    request.set_image(payload.substr(0, payload.size() / 2));
    truncated_.push_back(Serialized(request));
    v1::ClassifyBatchRequest batch;
    batch.add_images(payload);
    in_batch_.push_back(Serialized(batch));
  }
}

PlannedCall Traffic::Next() {
  const std::lock_guard<std::mutex> lock(mutex_);
  PlannedCall call;
  if (options_.kind == "mixed") {
    std::array<double, kMixture.size()> weights;
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = kMixture[i].weight;
    call = Plan(kMixture[std::discrete_distribution<size_t>(weights.begin(), weights.end())(random_)].kind);
  } else {
    call = Plan(options_.kind);
  }
  if (!call.request.deadline) call.request.deadline = options_.deadline;
  return call;
}

PlannedCall Traffic::Plan(const std::string& kind) {
  PlannedCall call;
  if (kind == "health") {
    call.request = {"/grpc.health.v1.Health/Check", Joined({grpc::Slice()}), {}};
  } else if (kind == "server-info") {
    call.request = {"/graft.v1.SystemService/GetServerInfo", Joined({grpc::Slice()}), {}};
  } else if (kind == "classify-batch") {
    call = ClassifyBatch();
  } else if (kind == "first-and-again") {
    return FirstOrAgain();
  } else if (kind == "raw") {
    call.request = {options_.method, Joined({Any(images_)}), {}};
  } else if (kind == "truncated") {
    call = Classify(Any(truncated_));
    call.expected = {"INVALID_ARGUMENT"};
  } else if (kind == "not-an-image") {
    v1::ClassifyRequest text;
    text.set_image("this is no photo");
    call = Classify(Serialized(text));
    call.expected = {"INVALID_ARGUMENT"};
  } else {
    call = Classify(Any(images_));
  }
  // The last value of a field counts, so a slice appended to a good request spoils it.
  const auto spoil = [&call](const v1::ClassifyRequest& bad, const std::string& code) {
    std::vector<grpc::Slice> slices;
    call.request.body.Dump(&slices);
    slices.push_back(Serialized(bad));
    call.request.body = Joined(std::move(slices));
    call.expected = {code};
  };
  v1::ClassifyRequest bad;
  if (kind == "no-such-model") {
    bad.set_model("no-such-model");
    spoil(bad, "NOT_FOUND");
  } else if (kind == "bad-top-k") {
    bad.set_top_k(-1);
    spoil(bad, "INVALID_ARGUMENT");
  } else if (kind == "cancelled") {
    call.cancel_after = Between(0, 30);
    call.expected = {"OK", "CANCELLED"};
  } else if (kind == "short-deadline") {
    call.request.deadline = Between(1, 20);
    call.expected = {"OK", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"};  // may be refused as hopeless
  }
  call.kind = kind;
  return call;
}

PlannedCall Traffic::Classify(grpc::Slice image) {
  PlannedCall call;
  call.request = {kClassify, Joined({Any(models_), std::move(image)}), {}};
  // Parsing every answer costs the cores that the server is measured on.
  if (options_.kind == "mixed") call.check = CheckClassified;
  return call;
}

PlannedCall Traffic::ClassifyBatch() {
  // Both requests name the model in field 1.
  std::vector<grpc::Slice> slices = {Any(models_)};
  for (int i = 0; i < kImagesPerBatch; ++i) slices.push_back(Any(in_batch_));
  PlannedCall call;
  call.request = {kClassifyBatch, Joined(std::move(slices)), {}};
  call.check = CheckBatch;
  return call;
}

PlannedCall Traffic::FirstOrAgain() {
  const size_t model = touches_ / 2 % models_.size(), payload = touches_ / 2 % images_.size();
  PlannedCall call;
  call.kind = touches_++ % 2 == 0 ? "first" : "again";
  call.request = {kClassify, Joined({models_[model], images_[payload]}), {}};
  return call;
}

const grpc::Slice& Traffic::Any(const std::vector<grpc::Slice>& slices) {
  return slices[std::uniform_int_distribution<size_t>(0, slices.size() - 1)(random_)];
}

std::chrono::microseconds Traffic::Between(int low_ms, int high_ms) {
  return std::chrono::microseconds(std::uniform_int_distribution<int>(low_ms * 1000, high_ms * 1000)(random_));
}

}  // namespace graft::bench
