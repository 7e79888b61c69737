#include "core/inference/classifier.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/lru_cache.h"
#include "core/base/status_from_throw.h"
#include "core/base/status_macros.h"
#include "core/base/thread_pool.h"
#include "core/inference/forward_batch.h"
#include "core/inference/head_cache.h"
#include "core/inference/request.h"
#include "core/inference/scheduler.h"
#include "core/inference/trunk_cache.h"
#include "core/network/preprocess.h"

namespace graft::inference {
namespace {

// A GPU's bucket (the engine pads to it), and how long its first image may wait for others.
constexpr batching::BatchPolicy kGpuBatches{.max_images = 32, .max_age = absl::Milliseconds(2)};

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

bool IsCancelled(const ClassifyCall& call) {
  return call.cancellation != nullptr && call.cancellation->cancelled();
}

absl::Status CancelledByCaller() {
  return absl::CancelledError("the caller cancelled the request");
}

// An image's own fault names the field already; anything else says what it happened to.
absl::Status ImageError(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? status : WithContext(status, "image");
}

// [size, size, 3] RGB of what was sent.
absl::StatusOr<std::vector<uint8_t>> InputOf(Request& request, const image::DecodeLimits& limits) {
  const network::PreprocessSpec& preprocess = request.head->preprocess;
  if (!request.call.pixels.empty()) {
    const size_t expected = static_cast<size_t>(preprocess.height) * static_cast<size_t>(preprocess.width) * 3;
    if (request.call.pixels.size() == expected) return std::move(request.call.pixels);
    return InvalidField("pixels", absl::StrCat("has ", request.call.pixels.size(), " bytes, a picture of ",
                                               preprocess.height, "x", preprocess.width, " has ", expected));
  }
  absl::StatusOr<std::vector<uint8_t>> input = network::ToInput(request.call.image, preprocess, limits);
  if (!input.ok()) return ImageError(input.status());
  return input;
}

class ClassifierImpl : public Classifier {
 public:
  ClassifierImpl(registry::Registry* registry, ClassifierOptions options)
      : options_(std::move(options)),
        on_gpu_(options_.device != "cpu"),
        heads_(registry, options_.max_head_bytes),
        responses_(options_.response_cache_bytes),
        scheduler_(std::make_shared<Scheduler>(
            SchedulerSettings(),
            [this](const RequestPointer& request) {
              Answer(*request, absl::DeadlineExceededError("the request waited until its deadline was too near"));
            })),
        trunks_(std::make_unique<TrunkCache>(TrunkSettings(registry))) {
    const Role role = on_gpu_ ? Role::kDecode : Role::kDecodeAndForward;
    for (int i = 0; i < options_.threads; ++i) lanes_.push_back(NamedThread("classify", [this, role] { Serve(role); }));
    if (on_gpu_) lanes_.push_back(NamedThread("forward", [this] { Serve(Role::kForward); }));
  }

  ~ClassifierImpl() override {
    for (const RequestPointer& request : scheduler_->Stop()) Answer(*request, ShuttingDown());
    for (std::thread& lane : lanes_) lane.join();
    trunks_.reset();  // its waiters use the scheduler
  }

  void Classify(ClassifyCall call, std::function<void(absl::StatusOr<Classification>)> done) override {
    if (const absl::Status status = CheckCall(call, options_.limits); !status.ok()) return done(status);
    absl::StatusOr<VersionReference> model = ParseVersionReference("model", "models", call.model);
    if (!model.ok()) return done(model.status());
    if (IsCancelled(call)) return done(CancelledByCaller());
    auto request = std::make_shared<Request>();
    request->call = std::move(call);
    request->model = *std::move(model);
    request->done = std::move(done);
    request->arrival = absl::Now();
    Listen(request);
    if (const absl::Status admitted = scheduler_->Admit(request); !admitted.ok()) return Finish(*request, admitted);
    AnswerIfCancelled(request);
  }

  void Load(const std::string& model, std::function<void(absl::Status)> done) override {
    const absl::StatusOr<VersionReference> reference = ParseVersionReference("model", "models", model);
    if (!reference.ok()) return done(reference.status());
    const absl::StatusOr<std::shared_ptr<const LoadedHead>> head = heads_.Get(*reference);
    if (!head.ok()) return done(head.status());
    const auto finish = [done](const absl::StatusOr<TrunkCache::Trunk>& trunk) { done(trunk.status()); };
    if (trunks_->GetOrWait(TrunkOf(**head), finish) != nullptr) done(absl::OkStatus());
  }

  absl::Status Unload(const std::string& model) override {
    ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("model", "models", model));
    ASSIGN_OR_RETURN(const auto leaving, heads_.Remove(reference));
    RemoveTrunksOf(leaving);
    return absl::OkStatus();
  }

  void Forget(const std::string& model, int number) override { RemoveTrunksOf(heads_.RemoveVersion(model, number)); }

  int loaded_trunks() const override { return trunks_->loaded(); }

  ClassifierStats stats() const override {
    ClassifierStats stats;
    scheduler_->AddTo(stats);
    trunks_->AddTo(stats);
    heads_.AddTo(stats);
    return stats;
  }

 private:
  using Heads = std::vector<std::shared_ptr<const LoadedHead>>;

  // Those that no head in memory needs any more.
  void RemoveTrunksOf(const Heads& leaving) {
    const Heads staying = heads_.All();
    for (const auto& head : leaving) {
      const TrunkName trunk = TrunkOf(*head);
      const auto is_on_it = [&](const auto& other) { return TrunkOf(*other) == trunk; };
      if (std::none_of(staying.begin(), staying.end(), is_on_it)) trunks_->Remove(trunk);
    }
  }

  SchedulerOptions SchedulerSettings() const {
    return {.capacity_images = options_.queue_capacity,
            .capacity_bytes = options_.queue_capacity_bytes,
            .lanes = options_.threads,
            .has_forward_lane = on_gpu_,
            .batches = on_gpu_ ? kGpuBatches : batching::BatchPolicy{}};
  }

  TrunkCacheOptions TrunkSettings(registry::Registry* registry) const {
    return {.weights_root = options_.weights_root,
            .target = {.device = options_.device, .threads = options_.threads},
            .create_engine = options_.create_engine,
            .max_bytes = options_.max_trunk_bytes,
            .is_pinned = [registry](const std::string& sha256) {
              return registry->AliasUsesBackbone(registry::kProductionAlias, sha256).value_or(true);
            }};
  }

  TrunkName TrunkOf(const LoadedHead& head) const {
    return {.backbone = head.backbone,
            .sha256 = head.backbone_sha256,
            .precision = options_.has_bf16 ? head.precision : engine::Precision::kF32,
            .path = head.backbone_path};
  }

  // The listener must keep neither the request (whose call holds the cancellation) nor this object alive.
  void Listen(const RequestPointer& request) {
    if (request->call.cancellation == nullptr) return;
    request->cancel_listener = request->call.cancellation->OnCancel(
        [this, waiting = std::weak_ptr<Request>(request), alive = std::weak_ptr<Scheduler>(scheduler_)] {
          const std::shared_ptr<Scheduler> scheduler = alive.lock();
          const RequestPointer cancelled = waiting.lock();
          if (scheduler != nullptr && cancelled != nullptr && scheduler->Take(cancelled)) {
            Answer(*cancelled, CancelledByCaller());
          }
        });
  }

  // A request that was cancelled between two waits was not there for the listener to take.
  void AnswerIfCancelled(const RequestPointer& request) {
    if (IsCancelled(request->call) && scheduler_->Take(request)) Answer(*request, CancelledByCaller());
  }

  // What every admitted request ends with.
  void Answer(Request& request, absl::StatusOr<Classification> result) {
    scheduler_->Leave(request, request.decode + request.forward);
    Finish(request, std::move(result));
  }

  static void Finish(Request& request, absl::StatusOr<Classification> result) {
    if (request.call.cancellation != nullptr) request.call.cancellation->Remove(request.cancel_listener);
    // A lane keeps its last request until the next one comes; what the caller tied to its answer must not wait for
    // that.
    const auto done = std::exchange(request.done, nullptr);
    done(std::move(result));
  }

  void Serve(Role role) {
    for (Scheduler::Work work = scheduler_->Next(role); !work.requests.empty(); work = scheduler_->Next(role)) {
      if (work.trunk != nullptr) {
        Forward(work);
      } else {
        Decode(work.requests.front(), role);
      }
    }
  }

  // Up to where the request waits for its forward pass, or is answered.
  void Decode(const RequestPointer& request, Role role) {
    const absl::Status prepared =
        StatusFromThrow(absl::StatusCode::kInternal, "classify", [&] { return Prepare(*request); });
    if (!prepared.ok()) return Answer(*request, prepared);
    if (request->known_response != nullptr) return Answer(*request, WithTimes(*request->known_response, *request));
    request->call.image = {};
    AwaitTrunk(request, role);
    AnswerIfCancelled(request);
  }

  void AwaitTrunk(const RequestPointer& request, Role role) {
    // It waits before the trunk is asked for, since the answer may come at once from the loading thread.
    if (!scheduler_->Park(request)) return Answer(*request, ShuttingDown());
    const TrunkCache::Trunk trunk = trunks_->GetOrWait(
        TrunkOf(*request->head), [this, request](const auto& loaded) { Resume(request, loaded, Role::kDecode); });
    if (trunk != nullptr) Resume(request, trunk, role);
  }

  // Which head it is, and what it is asked about.
  absl::Status Prepare(Request& request) {
    ASSIGN_OR_RETURN(request.head, heads_.Get(request.model));
    if (options_.response_cache_bytes > 0 && !request.call.image.empty()) {
      request.cache_key =
          absl::StrCat(request.head->model_version, " ", request.call.top_k, " ", Sha256Hex(request.call.image));
      request.known_response = responses_.Get(request.cache_key).value_or(nullptr);
      if (request.known_response != nullptr) return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(request.input, InputOf(request, options_.limits));
    request.decode = absl::Now() - request.last_step;
    return absl::OkStatus();
  }

  // From parked to the queue of its trunk. `role`: of the lane that calls, which will look there next.
  void Resume(const RequestPointer& request, const absl::StatusOr<TrunkCache::Trunk>& trunk, Role role) {
    if (!scheduler_->Take(request)) return;  // expired, cancelled or stopped meanwhile
    if (!trunk.ok()) return NoTrunk(request, trunk.status());
    request->trunk = *trunk;
    if (!scheduler_->Decoded(request, role)) Answer(*request, ShuttingDown());
  }

  // A version's own backbone goes with the version: an alias may have moved on, and its version been deleted, after the
  // request had found it.
  void NoTrunk(const RequestPointer& request, const absl::Status& status) {
    if (request->head->backbone_path.empty()) return Answer(*request, status);
    const absl::StatusOr<std::shared_ptr<const LoadedHead>> now = heads_.Get(request->model);
    if (!now.ok()) return Answer(*request, now.status());
    const bool moved_on = (*now)->model_version != request->head->model_version;
    if (!moved_on || (*now)->preprocess != request->head->preprocess) return Answer(*request, status);
    request->head = *now;
    AwaitTrunk(request, Role::kDecode);
  }

  void Forward(const Scheduler::Work& work) {
    std::vector<absl::StatusOr<Classification>> answers = RunForward(work.requests, *work.trunk, work.cores);
    for (size_t i = 0; i < answers.size(); ++i) {
      Request& request = *work.requests[i];
      if (!answers[i].ok()) {
        Answer(request, answers[i].status());
        continue;
      }
      KeepResponse(request, *answers[i]);
      answers[i]->forward_pass = work.forward_pass;
      Answer(request, WithTimes(*answers[i], request));
    }
  }

  static Classification WithTimes(Classification result, const Request& request) {
    result.times = {.decode = request.decode,
                    .queue = request.queued,
                    .forward = request.forward,
                    .total = absl::Now() - request.arrival,
                    .postprocess = request.postprocess};
    return result;
  }

  void KeepResponse(const Request& request, const Classification& result) {
    if (request.cache_key.empty()) return;
    int64_t bytes = static_cast<int64_t>(sizeof(result) + request.cache_key.size());
    for (const Prediction& one : result.predictions) bytes += static_cast<int64_t>(sizeof(one) + one.label.size());
    responses_.Put(request.cache_key, std::make_shared<const Classification>(result), bytes);
  }

  const ClassifierOptions options_;
  const bool on_gpu_;
  HeadCache heads_;
  LruCache<std::string, std::shared_ptr<const Classification>> responses_;
  const std::shared_ptr<Scheduler> scheduler_;
  std::unique_ptr<TrunkCache> trunks_;
  std::vector<std::thread> lanes_;
};

}  // namespace

std::unique_ptr<Classifier> Classifier::Create(registry::Registry* registry, ClassifierOptions options) {
  return std::make_unique<ClassifierImpl>(registry, std::move(options));
}

}  // namespace graft::inference
