// InferenceService in memory: knows the model "animals", version 3. The picture "broken" cannot be decoded; any other
// is a cat.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "graft/v1/inference.grpc.pb.h"

namespace graft::testing {

// Thread-safe. Streams answer each item at once unless told otherwise.
class FakeInferenceService : public v1::InferenceService::Service {
 public:
  // The next streams end with UNAVAILABLE after this many answers each, at the item after them.
  void BreakStreamsAfterAnswers(std::vector<int> answers) ABSL_LOCKS_EXCLUDED(mutex_);
  // The next streams get this status instead.
  void FailStreams(std::vector<absl::Status> failures) ABSL_LOCKS_EXCLUDED(mutex_);
  // Items are answered in groups of this size, the last of each first.
  void AnswerBackwards(int group) ABSL_LOCKS_EXCLUDED(mutex_);
  // The first item of a stream is answered after this many others, or at its half-close.
  void AnswerFirstAfter(int others) ABSL_LOCKS_EXCLUDED(mutex_);
  // Streams end OK after this many answers, at the item after them.
  void EndStreamsAfterAnswers(int answers) ABSL_LOCKS_EXCLUDED(mutex_);
  // A stream's item of this number (from 1) has no answer: instead `then` is called, and the stream ends with its
  // client.
  void HoldAfterItems(int items, std::function<void()> then) ABSL_LOCKS_EXCLUDED(mutex_);

  // What the streams began with, and the items they brought.
  std::vector<v1::ClassifyStreamRequest::Start> starts() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<int64_t> items() const ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::Status Classify(grpc::ServerContext* context, const v1::ClassifyRequest* request,
                        v1::ClassifyResponse* response) override;
  grpc::Status ClassifyStream(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::ClassifyStreamResponse, v1::ClassifyStreamRequest>* stream) override;

 private:
  struct StreamPlan {
    absl::Status failure;
    int break_after = -1;  // never
    int end_after = -1;
    int group = 1;
    int first_after = 0;
    int hold_after = -1;
    std::function<void()> then;
  };
  void Note(int64_t item) ABSL_LOCKS_EXCLUDED(mutex_);
  StreamPlan Plan(const v1::ClassifyStreamRequest::Start& start) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  std::vector<int> break_after_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::Status> failures_ ABSL_GUARDED_BY(mutex_);
  int end_after_ ABSL_GUARDED_BY(mutex_) = -1;
  int group_ ABSL_GUARDED_BY(mutex_) = 1;
  int first_after_ ABSL_GUARDED_BY(mutex_) = 0;
  int hold_after_ ABSL_GUARDED_BY(mutex_) = -1;
  std::function<void()> then_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::ClassifyStreamRequest::Start> starts_ ABSL_GUARDED_BY(mutex_);
  std::vector<int64_t> items_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace graft::testing
