#include "core/inference/classifier.h"

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"
#include "core/inference/head_cache.h"
#include "core/inference/request_queue.h"
#include "core/inference/trunk_cache.h"
#include "core/network/preprocess.h"

namespace graft::inference {
namespace {

constexpr int kDefaultTopK = 5;
constexpr int kMaxTopK = 1000;
// A lane answers some images in that time.
constexpr absl::Duration kRetryDelay = absl::Milliseconds(100);

absl::Status CheckCall(const ClassifyCall& call, const image::DecodeLimits& limits) {
  if (call.top_k < 0 || call.top_k > kMaxTopK) {
    return InvalidField("top_k",
                        absl::StrCat(call.top_k, " is not between 1 and ", kMaxTopK, " (0 means ", kDefaultTopK, ")"));
  }
  if (!call.pixels.empty()) {
    return call.image.empty() ? absl::OkStatus() : InvalidField("pixels", "image is given too: give one of them");
  }
  if (call.image.empty()) return InvalidField("image", "is empty: send an encoded JPEG, PNG, WebP or BMP");
  if (static_cast<int64_t>(call.image.size()) > limits.max_bytes) {
    return InvalidField("image", absl::StrCat("has ", call.image.size(), " bytes, the limit is ", limits.max_bytes,
                                              ": send a smaller or more compressed photo"));
  }
  return absl::OkStatus();
}

absl::Status CheckWanted(const ClassifyCall& call) {
  if (call.cancellation != nullptr && call.cancellation->cancelled()) return absl::CancelledError("the caller cancelled the request");
  if (absl::Now() >= call.deadline) return absl::DeadlineExceededError("the deadline passed during classification");
  return absl::OkStatus();
}

// An image's own fault names the field already; anything else says what it happened to.
absl::Status ImageError(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? status : WithContext(status, "image");
}

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

class ClassifierImpl : public Classifier {
 public:
  ClassifierImpl(registry::Registry* registry, ClassifierOptions options)
      : options_(std::move(options)),
        heads_(registry, options_.max_head_bytes),
        queue_(options_.queue_capacity,
               [](RequestPointer request) {
                 request->done(absl::DeadlineExceededError("the deadline passed while the request waited"));
               }),
        trunks_(std::make_unique<TrunkCache>(options_.weights_root, options_.device, options_.threads,
                                             options_.create_engine)) {
    for (int i = 0; i < options_.threads; ++i) lanes_.push_back(NamedThread("classify", [this] { ServeRequests(); }));
  }

  ~ClassifierImpl() override {
    for (const RequestPointer& request : queue_.Stop()) request->done(ShuttingDown());
    for (std::thread& lane : lanes_) lane.join();
    trunks_.reset();  // its waiters use the queue
  }

  void Classify(ClassifyCall call, std::function<void(absl::StatusOr<Classification>)> done) override {
    if (const absl::Status status = CheckCall(call, options_.limits); !status.ok()) return done(status);
    absl::StatusOr<VersionReference> model = ParseVersionReference("model", "models", call.model);
    if (!model.ok()) return done(model.status());
    auto request = std::make_shared<Request>();
    request->call = std::move(call);
    request->model = *std::move(model);
    request->done = std::move(done);
    request->arrival = absl::Now();
    if (!queue_.TryPush(request)) {
      request->done(RetryLater(absl::StatusCode::kResourceExhausted,
                               absl::StrCat(options_.queue_capacity, " images are waiting already; try again later"),
                               kRetryDelay));
    }
  }

  void Load(const std::string& model, std::function<void(absl::Status)> done) override {
    const absl::StatusOr<VersionReference> reference = ParseVersionReference("model", "models", model);
    if (!reference.ok()) return done(reference.status());
    const absl::StatusOr<std::shared_ptr<const LoadedHead>> head = heads_.Get(*reference);
    if (!head.ok()) return done(head.status());
    const auto finish = [done](const absl::StatusOr<TrunkCache::Trunk>& trunk) { done(trunk.status()); };
    if (trunks_->GetOrWait((*head)->backbone, (*head)->backbone_sha256, finish) != nullptr) done(absl::OkStatus());
  }

  int loaded_trunks() const override { return trunks_->loaded(); }

 private:
  static absl::Status ShuttingDown() {
    return RetryLater(absl::StatusCode::kUnavailable, "the server is shutting down", absl::Seconds(1));
  }

  void ServeRequests() {
    while (RequestPointer request = queue_.Pop()) {
      const absl::Status prepared = Prepare(*request);
      if (!prepared.ok()) {
        request->done(prepared);
      } else if (request->trunk == nullptr) {
        LoadTrunk(std::move(request));
      } else {
        request->done(StatusFromThrow(absl::StatusCode::kInternal, "classify", [&] { return Run(*request); }));
      }
    }
  }

  // What a lane does first: the caller still wants it, and which head it is.
  absl::Status Prepare(Request& request) {
    RETURN_IF_ERROR(CheckWanted(request.call));
    if (request.head == nullptr) {
      ASSIGN_OR_RETURN(request.head, heads_.Get(request.model));
    }
    return absl::OkStatus();
  }

  // Sets the request's trunk and gives it back to the lanes: right away, or when it is loaded.
  void LoadTrunk(RequestPointer request) {
    // Parked before the trunk is asked for, since the answer may come at once from the loading thread.
    if (!queue_.Park(request)) return request->done(ShuttingDown());
    const TrunkCache::Trunk trunk = trunks_->GetOrWait(
        request->head->backbone, request->head->backbone_sha256,
        [this, request](const absl::StatusOr<TrunkCache::Trunk>& loaded) { Resume(request, loaded); });
    if (trunk != nullptr) Resume(request, trunk);
  }

  void Resume(const RequestPointer& request, const absl::StatusOr<TrunkCache::Trunk>& trunk) {
    if (!queue_.Take(request)) return;  // its deadline has answered it
    if (!trunk.ok()) return request->done(trunk.status());
    request->trunk = *trunk;
    if (!queue_.PushFront(request)) request->done(ShuttingDown());
  }

  absl::StatusOr<std::vector<uint8_t>> InputOf(Request& request) const {
    if (!request.call.pixels.empty()) {
      const size_t expected = static_cast<size_t>(request.head->preprocess.height) *
                              static_cast<size_t>(request.head->preprocess.width) * 3;
      if (request.call.pixels.size() == expected) return std::move(request.call.pixels);
      return InvalidField("pixels", absl::StrCat("has ", request.call.pixels.size(), " bytes, needs ", expected));
    }
    absl::StatusOr<std::vector<uint8_t>> input =
        network::ToInput(request.call.image, request.head->preprocess, options_.limits);
    if (!input.ok()) return ImageError(input.status());
    return input;
  }

  absl::StatusOr<Classification> Run(Request& request) const {
    const absl::Time start = absl::Now();
    RETURN_IF_ERROR(CheckFits(*request.head, request.trunk->facts()));
    ASSIGN_OR_RETURN(const std::vector<uint8_t> input, InputOf(request));
    const absl::Time decoded = absl::Now();
    RETURN_IF_ERROR(CheckWanted(request.call));

    std::vector<float> features(static_cast<size_t>(request.head->dimension));
    RETURN_IF_ERROR(request.trunk->Run(input, 1, absl::MakeSpan(features), engine::Cores::kOne));
    const int top_k = request.call.top_k == 0 ? kDefaultTopK : request.call.top_k;
    Classification result{.model_version = request.head->model_version,
                          .predictions = Predict(*request.head, features, top_k)};
    RETURN_IF_ERROR(CheckWanted(request.call));
    const absl::Time end = absl::Now();
    result.times = {.decode = decoded - start,
                    .queue = start - request.arrival,
                    .forward = end - decoded,
                    .total = end - request.arrival};
    return result;
  }

  const ClassifierOptions options_;
  HeadCache heads_;
  RequestQueue queue_;
  std::unique_ptr<TrunkCache> trunks_;
  std::vector<std::thread> lanes_;
};

}  // namespace

std::unique_ptr<Classifier> Classifier::Create(registry::Registry* registry, ClassifierOptions options) {
  return std::make_unique<ClassifierImpl>(registry, std::move(options));
}

}  // namespace graft::inference
