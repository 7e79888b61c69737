// ModelService in memory: the model "animals" with the alias "production" that has pointed to each version in turn.
#pragma once

#include <map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "graft/v1/model.grpc.pb.h"

namespace graft::testing {

// Thread-safe.
class FakeModelService : public v1::ModelService::Service {
 public:
  // Versions 1 to `count`; the alias points to the newest.
  void SetVersions(int count) ABSL_LOCKS_EXCLUDED(mutex_);
  // The next calls that change something do it, and then end with UNAVAILABLE instead of their answer.
  void LoseAnswers(int count) ABSL_LOCKS_EXCLUDED(mutex_);
  // A history of this many moves, in pages of the size asked for.
  void SetHistory(int moves) ABSL_LOCKS_EXCLUDED(mutex_);

  int production() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<v1::RollbackAliasRequest> rollbacks() const ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::Status GetModelVersion(grpc::ServerContext* context, const v1::GetModelVersionRequest* request,
                               v1::ModelVersion* response) override;
  grpc::Status RollbackAlias(grpc::ServerContext* context, const v1::RollbackAliasRequest* request,
                             v1::ModelVersion* response) override;
  grpc::Status ListAliasHistory(grpc::ServerContext* context, const v1::ListAliasHistoryRequest* request,
                                v1::ListAliasHistoryResponse* response) override;
  grpc::Status DeleteModelVersion(grpc::ServerContext* context, const v1::DeleteModelVersionRequest* request,
                                  v1::DeleteModelVersionResponse* response) override;
  // Answers what SetComparison said; the request is kept.
  grpc::Status CompareModelVersions(grpc::ServerContext* context, const v1::CompareModelVersionsRequest* request,
                                    v1::CompareModelVersionsResponse* response) override;
  // Two photos, one of them a disagreement.
  grpc::Status ListSuspects(grpc::ServerContext* context, const v1::ListSuspectsRequest* request,
                            v1::ListSuspectsResponse* response) override;
  void SetComparison(v1::CompareModelVersionsResponse comparison) ABSL_LOCKS_EXCLUDED(mutex_);
  v1::CompareModelVersionsRequest compared() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  grpc::Status Answered() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<int, v1::ModelVersion> versions_ ABSL_GUARDED_BY(mutex_);
  int production_ ABSL_GUARDED_BY(mutex_) = 0;
  int rolled_back_from_ ABSL_GUARDED_BY(mutex_) = 0;
  int answers_to_lose_ ABSL_GUARDED_BY(mutex_) = 0;
  v1::CompareModelVersionsRequest compared_ ABSL_GUARDED_BY(mutex_);
  v1::CompareModelVersionsResponse comparison_ ABSL_GUARDED_BY(mutex_);
  int moves_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<v1::RollbackAliasRequest> rollbacks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace graft::testing
