#include "server/services/training_service.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/errors.h"
#include "core/base/ids.h"
#include "core/base/status_macros.h"
#include "core/jobs/fine_tune_spec.h"
#include "core/jobs/train_spec.h"
#include "core/network/architecture.h"
#include "core/network/backbone_catalog.h"
#include "core/network/blocks.h"
#include "core/registry/manifest.h"
#include "core/weights/weight_store.h"
#include "server/logging/logging.h"
#include "server/rpc/server_stream.h"
#include "server/rpc/unary_call.h"
#include "server/services/convert.h"
#include "server/services/job_watch.h"
#include "server/services/page_token.h"
#include "server/services/visible.h"

namespace graft::services {
namespace {

// Whose quota a job counts against: nobody's where the server does not ask who calls.
std::string OwnerName(const access::Principal& principal) {
  return principal.name == access::Anonymous().name ? "" : principal.name;
}

}  // namespace

absl::StatusOr<std::string> TrainingService::ResolveStart(jobs::TrainSpec& requested) {
  if (requested.init_from.empty()) return std::string();
  ASSIGN_OR_RETURN(const VersionReference reference,
                   ParseVersionReference("spec.init_from", "models", requested.init_from));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, deps_.registry->Find(reference));
  if (requested.backbone.empty()) requested.backbone = version.backbone;
  const std::string name = VersionName("models", version.model, version.number);
  if (version.backbone == requested.backbone) return name;
  return InvalidField("spec.init_from",
                      absl::StrCat(name, " is of backbone ", version.backbone, ", not of ", requested.backbone,
                                   ": leave spec.backbone out, or start from "
                                   "a version that has it"));
}

absl::StatusOr<std::string> TrainingService::ResolveTeacher(const std::string& teacher,
                                                            const dataset::Version& dataset) {
  if (teacher.empty()) return std::string();
  ASSIGN_OR_RETURN(const VersionReference reference, ParseVersionReference("spec.teacher", "models", teacher));
  ASSIGN_OR_RETURN(const registry::ModelVersion version, deps_.registry->Find(reference));
  ASSIGN_OR_RETURN(registry::Manifest manifest, registry::ManifestFromJson(version.manifest));
  const std::string name = VersionName("models", version.model, version.number);
  if (absl::c_is_permutation(manifest.labels, dataset.labels)) return name;
  return InvalidField("spec.teacher",
                      absl::StrCat(name, " has the classes ", absl::StrJoin(manifest.labels, ", "),
                                   "; a teacher needs those of the data set: ", absl::StrJoin(dataset.labels, ", ")));
}

absl::StatusOr<jobs::TrainSpec> TrainingService::Resolve(jobs::TrainSpec requested) {
  if (requested.dataset.empty()) return InvalidField("spec.dataset", "is required, for example animals5 or animals5:2");
  ASSIGN_OR_RETURN(const VersionReference reference,
                   ParseVersionReference("spec.dataset", "datasets", requested.dataset));
  jobs::SpecContext context;
  ASSIGN_OR_RETURN(context.init_from, ResolveStart(requested));
  ASSIGN_OR_RETURN(const network::BackboneFacts backbone, network::FindBackbone(requested.backbone));
  ASSIGN_OR_RETURN(const dataset::Version dataset, deps_.datasets->Find(reference));
  ASSIGN_OR_RETURN(context.teacher, ResolveTeacher(requested.teacher, dataset));
  context.dataset_version = VersionName("datasets", dataset.dataset, dataset.number);
  context.dataset = dataset.dataset;
  context.article_epochs = backbone.article_epochs;
  ASSIGN_OR_RETURN(const network::Architecture architecture, network::FindArchitecture(backbone.name));
  context.backbone_blocks = static_cast<int>(network::BlocksOf(architecture).size());
  context.devices = deps_.devices;
  context.bf16_devices = deps_.bf16_devices;
  ASSIGN_OR_RETURN(jobs::TrainSpec spec, jobs::ResolveSpec(requested, context));
  if (spec.init_from.empty()) {
    RETURN_IF_ERROR(weights::CurrentWeights(deps_.weights_root, backbone.name).status());
  }
  // The split is kept, so the worker finds it made; a class that is too small shows here and not in a failed job.
  ASSIGN_OR_RETURN(const dataset::SplitIndices split,
                   deps_.datasets->OpenSplit(dataset, *spec.train_fraction, *spec.validation_fraction, *spec.seed,
                                             {.count = spec.folds.value_or(0), .test = spec.fold.value_or(0)}));
  RETURN_IF_ERROR(jobs::CheckSteps(spec, static_cast<int64_t>(split.train.size())));
  return spec;
}

absl::Status TrainingService::Submit(const v1::SubmitJobRequest& request, const access::Principal& principal,
                                     v1::Job& response) {
  if (request.request_id().size() > 128) return InvalidField("request_id", "must be at most 128 bytes");
  const jobs::TrainSpec requested = FromProto(request.spec());
  ASSIGN_OR_RETURN(const jobs::TrainSpec resolved, Resolve(requested));
  // A default made of the data set's name may lie beyond the prefix that has it.
  if (!principal.MayUse(resolved.model)) {
    return InvalidField("spec.model", absl::StrCat("would be ", resolved.model,
                                                   ", which is not among those that this principal may use: name one"));
  }
  if (request.validate_only()) {
    *response.mutable_requested_spec() = request.spec();
    *response.mutable_spec() = ToProto(resolved);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const jobs::Job job,
                   deps_.jobs->Submit(requested, resolved, request.request_id(), OwnerName(principal)));
  logging::Log(spdlog::level::info, "job submitted", {{"job", job.id}});
  ASSIGN_OR_RETURN(response, outlook_.ToProto(job));
  return absl::OkStatus();
}

absl::Status TrainingService::List(const v1::ListJobsRequest& request, const access::Principal& principal,
                                   v1::ListJobsResponse& response) {
  ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string before, DecodePageToken("jobs", request.page_token()));
  ASSIGN_OR_RETURN(std::vector<jobs::Job> jobs,
                   VisiblePage<jobs::Job>(
                       principal.limited(), before, page_size + 1,
                       [this](const std::string& key, int limit) { return deps_.jobs->List(key, limit); },
                       [](const jobs::Job& job) { return job.id; },
                       [&principal](const jobs::Job& job) { return MayUseJob(principal, job); }));
  const bool more = TrimToPage(jobs, page_size);
  ASSIGN_OR_RETURN(std::vector<v1::Job> protos, outlook_.ToProtos(jobs));
  for (v1::Job& job : protos) {
    if (job.has_result()) LeaveOutDetails(*job.mutable_result());
    *response.add_jobs() = std::move(job);
  }
  if (more) response.set_next_page_token(EncodePageToken("jobs", jobs.back().id));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* TrainingService::SubmitJob(grpc::CallbackServerContext* context,
                                                     const v1::SubmitJobRequest* request, v1::Job* response) {
  return rpc::Unary(
      gate_, context, request, "graft.v1.TrainingService/SubmitJob",
      [this, request, response](const access::Principal& principal) { return Submit(*request, principal, *response); });
}

grpc::ServerUnaryReactor* TrainingService::GetJob(grpc::CallbackServerContext* context,
                                                  const v1::GetJobRequest* request, v1::Job* response) {
  return rpc::Unary(gate_, context, request, "graft.v1.TrainingService/GetJob",
                    [this, request, response]() -> absl::Status {
                      ASSIGN_OR_RETURN(const std::string id, JobIdOf(request->name()));
                      ASSIGN_OR_RETURN(const jobs::Job job, deps_.jobs->Get(id));
                      ASSIGN_OR_RETURN(*response, outlook_.ToProto(job));
                      return absl::OkStatus();
                    });
}

grpc::ServerUnaryReactor* TrainingService::ListJobs(grpc::CallbackServerContext* context,
                                                    const v1::ListJobsRequest* request,
                                                    v1::ListJobsResponse* response) {
  return rpc::Unary(
      gate_, context, request, "graft.v1.TrainingService/ListJobs",
      [this, request, response](const access::Principal& principal) { return List(*request, principal, *response); });
}

grpc::ServerWriteReactor<v1::JobEvent>* TrainingService::WatchJob(grpc::CallbackServerContext* context,
                                                                  const v1::WatchJobRequest* request) {
  using Source = std::unique_ptr<rpc::StreamSource<v1::JobEvent>>;
  return rpc::ServerStream<v1::JobEvent>::Start(
      gate_, context, request, "graft.v1.TrainingService/WatchJob",
      [this, request](const access::Principal&, std::function<void()> wake) -> absl::StatusOr<Source> {
        ASSIGN_OR_RETURN(std::shared_ptr<void> slot, watch_slots_->Take("watches", absl::Seconds(5)));
        return JobWatch::Open(deps_.jobs, deps_.feed, *request, std::move(slot), std::move(wake));
      });
}

grpc::ServerUnaryReactor* TrainingService::CancelJob(grpc::CallbackServerContext* context,
                                                     const v1::CancelJobRequest* request, v1::Job* response) {
  return rpc::Unary(
      gate_, context, request, "graft.v1.TrainingService/CancelJob", [this, request, response]() -> absl::Status {
        ASSIGN_OR_RETURN(const std::string id, JobIdOf(request->name()));
        ASSIGN_OR_RETURN(const jobs::Job job,
                         request->keep_best() ? deps_.jobs->RequestFinish(id) : deps_.jobs->RequestCancel(id));
        ASSIGN_OR_RETURN(*response, outlook_.ToProto(job));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* TrainingService::PauseJob(grpc::CallbackServerContext* context,
                                                    const v1::PauseJobRequest* request, v1::Job* response) {
  return rpc::Unary(gate_, context, request, "graft.v1.TrainingService/PauseJob",
                    [this, request, response]() -> absl::Status {
                      ASSIGN_OR_RETURN(const std::string id, JobIdOf(request->name()));
                      ASSIGN_OR_RETURN(const jobs::Job job, deps_.jobs->RequestPause(id));
                      ASSIGN_OR_RETURN(*response, outlook_.ToProto(job));
                      return absl::OkStatus();
                    });
}

grpc::ServerUnaryReactor* TrainingService::ResumeJob(grpc::CallbackServerContext* context,
                                                     const v1::ResumeJobRequest* request, v1::Job* response) {
  return rpc::Unary(gate_, context, request, "graft.v1.TrainingService/ResumeJob",
                    [this, request, response]() -> absl::Status {
                      ASSIGN_OR_RETURN(const std::string id, JobIdOf(request->name()));
                      ASSIGN_OR_RETURN(const jobs::Job job, deps_.jobs->RequestResume(id));
                      ASSIGN_OR_RETURN(*response, outlook_.ToProto(job));
                      return absl::OkStatus();
                    });
}

}  // namespace graft::services
