#include "client/api/job_watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/api/reconnect.h"
#include "proto/status_codec.h"

namespace graft::client {
namespace {

// One connection's part of the watch. Returns how the stream ended; moves `last_sequence`.
struct StreamEnd {
  grpc::Status status;
  bool was_alive = false;
};

// A stream that stood this long was connected, even if the job had nothing to say.
constexpr absl::Duration kSurelyConnected = absl::Seconds(10);

StreamEnd ReadStream(v1::TrainingService::StubInterface& training, const std::string& job,
                     const WatchObserver& observer, Cancellation* cancellation, int& last_sequence) {
  grpc::ClientContext context;
  const Cancellation::Scope scope(cancellation, context);
  v1::WatchJobRequest request;
  request.set_name(job);
  request.set_after_sequence(last_sequence);
  const auto reader = training.WatchJob(&context, request);
  const absl::Time start = absl::Now();
  StreamEnd end;
  v1::JobEvent event;
  while (reader->Read(&event)) {
    end.was_alive = true;
    if (event.sequence() <= last_sequence) continue;
    last_sequence = event.sequence();
    observer.on_event(event);
  }
  end.status = reader->Finish();
  end.was_alive |= absl::Now() - start > kSurelyConnected;
  return end;
}

}  // namespace

absl::Status WatchJob(const std::shared_ptr<grpc::Channel>& channel, const std::string& job, int after_sequence,
                      const WatchObserver& observer, const WatchOptions& options, Cancellation* cancellation) {
  const auto training = v1::TrainingService::NewStub(channel);
  Reconnect reconnect(*channel, options.retry, options.reconnect_for);
  int last_sequence = after_sequence;
  while (true) {
    const StreamEnd end = ReadStream(*training, job, observer, cancellation, last_sequence);
    if (cancellation != nullptr && cancellation->IsCancelled()) return absl::CancelledError("the watch was stopped");
    if (end.was_alive) reconnect.SawProgress();
    const absl::Status status = FromGrpcStatus(end.status);
    if (!IsBrokenConnection(end.status) || !reconnect.ShouldTryAgain()) return status;
    if (observer.on_reconnecting) observer.on_reconnecting(status);
    if (!reconnect.Wait(cancellation)) return absl::CancelledError("the watch was stopped");
  }
}

}  // namespace graft::client
