#include "server/services/system_service.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/network/backbone_catalog.h"
#include "core/weights/weight_store.h"
#include "server/rpc/unary_call.h"
#include "server/services/convert.h"
#include "server/services/job_outlook.h"

namespace graft::services {

absl::Status SystemService::Fill(const access::Principal& principal, v1::ServerInfo& info) {
  FillMachine(info);
  FillBackbones(info);
  // Of what everybody does, those who may see a part of it alone are told nothing.
  if (principal.limited()) return absl::OkStatus();
  RETURN_IF_ERROR(FillQueues(info));
  return FillCounts(info);
}

void SystemService::FillMachine(v1::ServerInfo& info) {
  info.set_version(deps_.version);
  *info.mutable_start_time() = ToProto(deps_.start_time);
  info.mutable_library_versions()->insert(deps_.library_versions.begin(), deps_.library_versions.end());
  info.mutable_limits()->insert(deps_.limits.begin(), deps_.limits.end());
  for (const std::string& name : deps_.devices) {
    auto& device = *info.add_devices();
    device.set_name(name);
    device.set_worker_state(deps_.worker_runs(name) ? "running" : "restarting");
    device.set_cores(deps_.cores_per_worker);
  }
}

absl::Status SystemService::FillQueues(v1::ServerInfo& info) {
  ASSIGN_OR_RETURN(JobOutlook::Now now, JobOutlook(deps_.jobs, deps_.datasets, deps_.worker_runs).Look());
  for (v1::DeviceInfo& device : *info.mutable_devices()) {
    for (const jobs::Job& job : now.unfinished) {
      if (job.spec.device != device.name() || job.state == jobs::State::kPaused) continue;
      if (job.state == jobs::State::kQueued) {
        device.set_queued_jobs(device.queued_jobs() + 1);
      } else {
        device.set_running_job(absl::StrCat("jobs/", job.id));
      }
      // In the order of the queue, so the last one's stays.
      device.clear_predicted_idle_time();
      if (const auto end = now.outlooks[job.id].end) *device.mutable_predicted_idle_time() = ToProto(*end);
    }
  }
  return absl::OkStatus();
}

void SystemService::FillBackbones(v1::ServerInfo& info) {
  for (const network::BackboneFacts& facts : network::Backbones()) {
    auto& backbone = *info.add_backbones();
    backbone.set_name(facts.name);
    backbone.set_parameters(facts.parameters);
    backbone.set_feature_dimension(facts.feature_dimension);
    backbone.set_input_size(facts.input_size);
    if (auto weights = weights::CurrentWeights(deps_.weights_root, facts.name); weights.ok()) {
      backbone.set_weights_sha256(weights->sha256);
      backbone.set_weights_source(weights->source);
    }
  }
}

absl::Status SystemService::FillCounts(v1::ServerInfo& info) {
  ASSIGN_OR_RETURN(const auto jobs_by_state, deps_.jobs->CountByState());
  for (const auto& [state, count] : jobs_by_state) {
    (*info.mutable_jobs_by_state())[std::string(jobs::NameOf(state))] = count;
  }
  ASSIGN_OR_RETURN(const dataset::DatasetStore::Counts datasets, deps_.datasets->Count());
  info.set_datasets(datasets.datasets);
  ASSIGN_OR_RETURN(const registry::Registry::Counts counts, deps_.registry->Count());
  info.set_models(counts.models);
  info.set_model_versions(counts.versions);
  info.set_loaded_trunks(deps_.classifier->loaded_trunks());
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* SystemService::GetServerInfo(grpc::CallbackServerContext* context,
                                                       const v1::GetServerInfoRequest* request,
                                                       v1::ServerInfo* response) {
  return rpc::Unary(gate_, context, request, "graft.v1.SystemService/GetServerInfo",
                    [this, response](const access::Principal& principal) { return Fill(principal, *response); });
}

}  // namespace graft::services
