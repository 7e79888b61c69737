#include "core/inference/scheduler.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/base/thread_pool.h"

namespace graft::inference {
namespace {

// How much the latest image counts in the usual work: some fifty images are remembered. With fewer the estimate sways,
// and under overload it is the hopeful moments that fill the queue.
constexpr double kLatestShare = 0.02;
// A wait turns out longer than the usual work says where the machine slows down, and the caller's clock runs ahead of
// the server's by the time that a call is on its way. A long queue gains nothing; an answer that comes too late costs
// the time of one.
constexpr double kWaitMargin = 1.5;
constexpr absl::Duration kShortestRetry = absl::Milliseconds(20);
constexpr size_t kMaxIdleLines = 16;

size_t IndexOf(Priority priority) {
  return priority == Priority::kInteractive ? 0 : 1;
}

absl::Status Overloaded(absl::string_view reason, absl::Duration wait) {
  return RetryLater(absl::StatusCode::kResourceExhausted, absl::StrCat(reason, "; try again later"),
                    std::max(wait, kShortestRetry));
}

}  // namespace

absl::Status ShuttingDown() {
  return RetryLater(absl::StatusCode::kUnavailable, "the server is shutting down", absl::Seconds(1));
}

Scheduler::Scheduler(SchedulerOptions options, std::function<void(RequestPointer)> on_expired)
    : options_(options), on_expired_(std::move(on_expired)), expirer_(NamedThread("deadlines", [this] { Expire(); })) {}

Scheduler::~Scheduler() {
  Stop();
}

absl::Status Scheduler::Admit(const RequestPointer& request) {
  absl::MutexLock lock(&mutex_);
  if (absl::Status room = CheckRoom(*request); !room.ok()) return room;
  request->number = next_number_++;
  ++images_[IndexOf(request->call.priority)];
  request->bytes = static_cast<int64_t>(request->call.image.size());
  bytes_ += request->bytes;
  Wait(request, Request::Place::kDecodeQueue);
  decode_work_.Signal();
  return absl::OkStatus();
}

absl::Status Scheduler::CheckRoom(const Request& request) {
  if (stopped_) return ShuttingDown();
  if (absl::Now() >= request.call.deadline) return absl::DeadlineExceededError("the deadline passed before its turn");
  const absl::Duration ahead = WaitAhead(request.call.priority);
  if (images_[0] + images_[1] >= options_.capacity_images) {
    ++counts_.refused_images;
    return Overloaded(absl::StrCat(options_.capacity_images, " images are waiting already"), ahead);
  }
  if (bytes_ > 0 && bytes_ + static_cast<int64_t>(request.call.image.size()) > options_.capacity_bytes) {
    ++counts_.refused_bytes;
    return Overloaded(absl::StrCat("images of ", bytes_, " bytes are waiting already"), ahead);
  }
  // Work that would come too late only makes the others late as well.
  if (ahead > absl::ZeroDuration() && absl::Now() + ahead * kWaitMargin + usual_work_ > request.call.deadline) {
    ++counts_.refused_deadline;
    return Overloaded("so many images are waiting that this one would miss its deadline", ahead);
  }
  return absl::OkStatus();
}

absl::Duration Scheduler::WaitAhead(Priority priority) const {
  const int ahead = images_[0] + (priority == Priority::kBatch ? images_[1] : 0);
  return ahead < options_.lanes ? absl::ZeroDuration() : usual_work_ * (ahead - options_.lanes + 1) / options_.lanes;
}

Scheduler::Work Scheduler::Next(Role role) {
  while (true) {
    std::vector<RequestPointer> late;
    std::optional<Work> work = WaitForWork(role, late);
    for (RequestPointer& request : late) on_expired_(std::move(request));
    if (!work) continue;
    if (!late.empty()) {
      for (const RequestPointer& request : work->requests) request->last_step = absl::Now();  // its work begins here
    }
    return *std::move(work);
  }
}

std::optional<Scheduler::Work> Scheduler::WaitForWork(Role role, std::vector<RequestPointer>& late) {
  absl::MutexLock lock(&mutex_);
  absl::CondVar& news = role == Role::kForward ? forward_work_ : decode_work_;
  while (!stopped_) {
    Work work;
    absl::Time next_batch = absl::InfiniteFuture();
    if (role != Role::kDecode && TakeBatch(absl::Now(), next_batch, work)) return work;
    if (role != Role::kForward) {
      if (RequestPointer request = NextToDecode(late)) {
        work.requests.push_back(std::move(request));
        return work;
      }
      if (!late.empty()) return std::nullopt;
    }
    news.WaitWithDeadline(&mutex_, next_batch);
  }
  return Work();
}

// In a queue as long as the deadline everything comes up just before it. Working on all of that would be in vain;
// letting some of it go leaves the time that the rest needs.
RequestPointer Scheduler::NextToDecode(std::vector<RequestPointer>& late) {
  while (!decode_queue_.empty()) {
    RequestPointer request = decode_queue_.Pop();
    GiveToLane(request);
    if (decode_queue_.empty() || request->last_step + usual_work_ <= request->call.deadline) return request;
    ++counts_.expired;
    late.push_back(std::move(request));
  }
  return nullptr;
}

bool Scheduler::TakeBatch(absl::Time now, absl::Time& next, Work& work) {
  for (auto line = lines_.begin(); line != lines_.end(); ++line) {
    const absl::Time due = line->batcher.due();
    if (due > now) {
      next = std::min(next, due);
      continue;
    }
    work.requests = line->batcher.Take();
    for (const RequestPointer& request : work.requests) GiveToLane(request);
    work.trunk = work.requests.front()->trunk;
    work.forward_pass = ++forward_passes_;
    if (counts_.passes.size() < work.requests.size()) counts_.passes.resize(work.requests.size());
    ++counts_.passes[work.requests.size() - 1];
    // Alone in the house it may use every core; with others around each has one.
    work.cores = images_[0] + images_[1] == 1 ? engine::Cores::kAll : engine::Cores::kOne;
    lines_.splice(lines_.end(), lines_, line);
    return true;
  }
  return false;
}

void Scheduler::GiveToLane(const RequestPointer& request) {
  request->place = Request::Place::kWithALane;
  const absl::Time now = absl::Now();
  request->queued += now - request->last_step;
  request->last_step = now;
  waiting_.erase(KeyOf(*request));
}

bool Scheduler::Decoded(const RequestPointer& request, Role role) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return false;
  Wait(request, Request::Place::kForwardQueue);
  if (role == Role::kDecode) (options_.has_forward_lane ? forward_work_ : decode_work_).Signal();
  return true;
}

bool Scheduler::Park(const RequestPointer& request) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return false;
  Wait(request, Request::Place::kParked);
  return true;
}

bool Scheduler::Take(const RequestPointer& request) {
  absl::MutexLock lock(&mutex_);
  if (stopped_ || waiting_.count(KeyOf(*request)) == 0) return false;
  TakeOut(request);
  return true;
}

void Scheduler::Leave(const Request& request, absl::Duration busy) {
  absl::MutexLock lock(&mutex_);
  --images_[IndexOf(request.call.priority)];
  bytes_ -= request.bytes;
  if (busy <= absl::ZeroDuration()) return;
  // The first ones count alike: what a cold start made slow is not to be taken for usual.
  usual_work_ += (busy - usual_work_) * std::max(kLatestShare, 1.0 / static_cast<double>(++worked_on_));
}

void Scheduler::AddTo(ClassifierStats& stats) const {
  absl::MutexLock lock(&mutex_);
  stats = counts_;
  stats.images = images_[0] + images_[1];
  stats.image_bytes = bytes_;
  for (const auto& [key, request] : waiting_) {
    stats.waiting_decode += request->place == Request::Place::kDecodeQueue;
    stats.waiting_trunk += request->place == Request::Place::kParked;
    stats.waiting_forward += request->place == Request::Place::kForwardQueue;
  }
}

std::vector<RequestPointer> Scheduler::Stop() {
  std::vector<RequestPointer> left;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    decode_work_.SignalAll();
    forward_work_.SignalAll();
    earlier_deadline_.Signal();
    for (auto& [key, request] : waiting_) left.push_back(std::move(request));
    waiting_.clear();
    lines_.clear();
    decode_queue_ = {};
  }
  if (expirer_.joinable()) expirer_.join();
  return left;
}

Scheduler::Line& Scheduler::LineOf(const engine::Engine* trunk) {
  const auto found = std::find_if(lines_.begin(), lines_.end(), [&](const Line& line) { return line.trunk == trunk; });
  if (found != lines_.end()) return *found;
  // An idle line remembers how full its batches were, but its trunk may be gone.
  if (lines_.size() >= kMaxIdleLines) lines_.remove_if([](const Line& line) { return line.batcher.empty(); });
  return lines_.emplace_back(Line{trunk, batching::Batcher<RequestPointer>(options_.batches)});
}

void Scheduler::Wait(const RequestPointer& request, Request::Place place) {
  const absl::Time now = absl::Now();
  request->place = place;
  request->last_step = now;
  if (place == Request::Place::kDecodeQueue) {
    request->in_queue = decode_queue_.Push(request, request->model.name, request->call.priority, now);
  } else if (place == Request::Place::kForwardQueue) {
    request->in_queue =
        LineOf(request->trunk.get()).batcher.Add(request, request->model.name, request->call.priority, now);
  }
  waiting_.emplace(KeyOf(*request), request);
  if (waiting_.begin()->second == request) earlier_deadline_.Signal();
}

void Scheduler::TakeOut(const RequestPointer& request) {
  if (request->place == Request::Place::kDecodeQueue) decode_queue_.Remove(request->in_queue);
  if (request->place == Request::Place::kForwardQueue) LineOf(request->trunk.get()).batcher.Remove(request->in_queue);
  GiveToLane(request);
}

void Scheduler::Expire() {
  while (true) {
    RequestPointer expired;
    {
      absl::MutexLock lock(&mutex_);
      if (stopped_) return;
      const absl::Time next = waiting_.empty() ? absl::InfiniteFuture() : waiting_.begin()->first.first;
      if (absl::Now() < next) {
        earlier_deadline_.WaitWithDeadline(&mutex_, next);
        continue;
      }
      expired = waiting_.begin()->second;
      TakeOut(expired);
      ++counts_.expired;
    }
    on_expired_(std::move(expired));
  }
}

}  // namespace graft::inference
