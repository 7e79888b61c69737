#include "server/services/open_inference_service.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "server/services/batch_classification.h"
#include "server/services/open_inference_tensors.h"

namespace graft::services {
namespace {

constexpr char kPlatform[] = "graft";
constexpr int kListedVersions = 100;
constexpr int kMaxIndexed = 100'000;  // about 4 MB of response; the protocol has no pages

std::string Method(const char* name) {
  return absl::StrCat("inference.GRPCInferenceService/", name);
}

absl::Status CheckOneRepository(const std::string& repository_name) {
  if (repository_name.empty()) return absl::OkStatus();
  return InvalidField("repository_name", "must be empty: there is one repository");
}

}  // namespace

void OpenInferenceService::AnswerReady(const ::inference::ModelReadyRequest& request,
                                       ::inference::ModelReadyResponse& response, const rpc::Call& call) {
  const absl::StatusOr<OpenInferenceModel> model = models_.Find("", request.name(), request.version());
  if (!model.ok()) {
    const bool is_an_answer = absl::IsNotFound(model.status()) || absl::IsInvalidArgument(model.status());
    return call->Finish(is_an_answer ? absl::OkStatus() : model.status());
  }
  // A registered version may still lack its weights, or room for them: only a load shows that it can be served.
  classifier_->Load(model->version(), [&response, call](const absl::Status& loaded) {
    response.set_ready(loaded.ok());
    call->Finish(absl::OkStatus());
  });
}

absl::Status OpenInferenceService::FillMetadata(const ::inference::ModelMetadataRequest& request,
                                                ::inference::ModelMetadataResponse& response) {
  ASSIGN_OR_RETURN(const VersionReference asked, ParseModel("", request.name(), request.version()));
  ASSIGN_OR_RETURN(const OpenInferenceModel model, models_.Find(asked));
  response.set_name(model.name);
  response.set_platform(kPlatform);
  if (asked.number || asked.alias) {
    response.add_versions(absl::StrCat(model.number));
  } else {
    ASSIGN_OR_RETURN(const std::vector<int> numbers, registry_->ListNumbers(model.name, kListedVersions));
    for (const int number : numbers) response.add_versions(absl::StrCat(number));
  }
  auto& input = *response.add_inputs();
  input.set_name(kImageTensor);
  input.set_datatype("FP32");
  for (const int size : {-1, model.input_size, model.input_size, 3}) input.add_shape(size);
  auto& output = *response.add_outputs();
  output.set_name(kProbabilitiesTensor);
  output.set_datatype("FP32");
  for (const int size : {-1, model.classes}) output.add_shape(size);
  return absl::OkStatus();
}

absl::Status OpenInferenceService::FillConfig(const ::inference::ModelConfigRequest& request,
                                              ::inference::ModelConfigResponse& response) {
  ASSIGN_OR_RETURN(const OpenInferenceModel model, models_.Find("", request.name(), request.version()));
  ::inference::ModelConfig& config = *response.mutable_config();
  config.set_name(model.name);
  config.set_platform(kPlatform);
  config.set_backend(kPlatform);
  config.set_max_batch_size(kMaxBatchImages);
  auto& input = *config.add_input();
  input.set_name(kImageTensor);
  input.set_data_type(::inference::TYPE_FP32);
  input.set_format(::inference::ModelInput::FORMAT_NHWC);
  for (const int size : {model.input_size, model.input_size, 3}) input.add_dims(size);
  auto& output = *config.add_output();
  output.set_name(kProbabilitiesTensor);
  output.set_data_type(::inference::TYPE_FP32);
  output.add_dims(model.classes);
  return absl::OkStatus();
}

absl::Status OpenInferenceService::FillStatistics(const ::inference::ModelStatisticsRequest& request,
                                                  const access::Principal& principal,
                                                  ::inference::ModelStatisticsResponse& response) {
  if (request.name().empty()) {
    if (!request.version().empty()) return InvalidField("name", "is required beside a version");
    for (auto& statistics : statistics_.OfAll("")) {
      if (principal.MayUse(statistics.name())) *response.add_model_stats() = std::move(statistics);
    }
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const VersionReference asked, ParseModel("", request.name(), request.version()));
  ASSIGN_OR_RETURN(const OpenInferenceModel model, models_.Find(asked));
  if (!asked.number && !asked.alias) {
    for (auto& statistics : statistics_.OfAll(model.name)) *response.add_model_stats() = std::move(statistics);
  }
  if (response.model_stats().empty()) *response.add_model_stats() = statistics_.Of(model.name, model.number);
  return absl::OkStatus();
}

absl::Status OpenInferenceService::FillIndex(const ::inference::RepositoryIndexRequest& request,
                                             const access::Principal& principal,
                                             ::inference::RepositoryIndexResponse& response) {
  RETURN_IF_ERROR(CheckOneRepository(request.repository_name()));
  ASSIGN_OR_RETURN(const auto versions, registry_->ListAllNumbers(kMaxIndexed + 1));
  if (versions.size() > kMaxIndexed) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are over ", kMaxIndexed, " model versions; graft.v1.ModelService lists them in pages"));
  }
  for (const auto& [model, number] : versions) {
    if (!principal.MayUse(model)) continue;
    auto& entry = *response.add_models();
    entry.set_name(model);
    entry.set_version(absl::StrCat(number));
    entry.set_state("READY");
  }
  return absl::OkStatus();
}

absl::Status OpenInferenceService::StartLoad(const ::inference::RepositoryModelLoadRequest& request,
                                             const rpc::Call& call) {
  RETURN_IF_ERROR(CheckOneRepository(request.repository_name()));
  if (!request.parameters().empty()) {
    return InvalidField("parameters", "must be empty: a published version has its configuration and its files");
  }
  ASSIGN_OR_RETURN(const OpenInferenceModel model, models_.Find("model_", request.model_name(), ""));
  classifier_->Load(model.version(), [call](const absl::Status& loaded) { call->Finish(loaded); });
  return absl::OkStatus();
}

absl::Status OpenInferenceService::Unload(const ::inference::RepositoryModelUnloadRequest& request) {
  RETURN_IF_ERROR(CheckOneRepository(request.repository_name()));
  ASSIGN_OR_RETURN(const VersionReference asked, ParseModel("model_", request.model_name(), ""));
  ASSIGN_OR_RETURN(const OpenInferenceModel model, models_.Find(asked));
  const bool all = !asked.number && !asked.alias;
  const absl::StatusOr<int> production =
      registry_->ResolveNumber({.name = model.name, .number = {}, .alias = registry::kProductionAlias});
  if (!production.ok() && !absl::IsNotFound(production.status())) return production.status();
  if (production.ok() && (all || *production == model.number)) {
    return PreconditionFailed(VersionName("models", model.name, *production),
                              "the alias production points to it, so it stays loaded: unload other versions by their "
                              "number, or move the alias first");
  }
  return classifier_->Unload(all ? model.name : model.version());
}

grpc::ServerUnaryReactor* OpenInferenceService::ServerLive(grpc::CallbackServerContext* context,
                                                           const ::inference::ServerLiveRequest* /*request*/,
                                                           ::inference::ServerLiveResponse* response) {
  return rpc::Probe(gate_, context, Method("ServerLive"), [response] { response->set_live(true); });
}

grpc::ServerUnaryReactor* OpenInferenceService::ServerReady(grpc::CallbackServerContext* context,
                                                            const ::inference::ServerReadyRequest* /*request*/,
                                                            ::inference::ServerReadyResponse* response) {
  return rpc::Probe(gate_, context, Method("ServerReady"), [this, response] { response->set_ready(gate_->serving()); });
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelReady(grpc::CallbackServerContext* context,
                                                           const ::inference::ModelReadyRequest* request,
                                                           ::inference::ModelReadyResponse* response) {
  return rpc::AsyncUnaryOnPool(
      gate_, context, request, Method("ModelReady"),
      [this, request, response](const rpc::Call& call) { AnswerReady(*request, *response, call); });
}

grpc::ServerUnaryReactor* OpenInferenceService::ServerMetadata(grpc::CallbackServerContext* context,
                                                               const ::inference::ServerMetadataRequest* /*request*/,
                                                               ::inference::ServerMetadataResponse* response) {
  return rpc::Probe(gate_, context, Method("ServerMetadata"), [this, response] {
    response->set_name("graft");
    response->set_version(server_version_);
    for (const char* extension : {"classification", "model_configuration", "model_repository", "statistics"}) {
      response->add_extensions(extension);
    }
  });
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelMetadata(grpc::CallbackServerContext* context,
                                                              const ::inference::ModelMetadataRequest* request,
                                                              ::inference::ModelMetadataResponse* response) {
  return rpc::Unary(gate_, context, request, Method("ModelMetadata"),
                    [this, request, response] { return FillMetadata(*request, *response); });
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelInfer(grpc::CallbackServerContext* context,
                                                           const ::inference::ModelInferRequest* request,
                                                           ::inference::ModelInferResponse* response) {
  return rpc::AsyncUnaryOnPool(gate_, context, request, Method("ModelInfer"),
                               [this, request, response](const rpc::Call& call) {
                                 inference_.Infer({request, response, call->deadline(), call->cancellation()},
                                                  [call](const absl::Status& status) { call->Finish(status); });
                               });
}

grpc::ServerBidiReactor<::inference::ModelInferRequest, ::inference::ModelStreamInferResponse>*
OpenInferenceService::ModelStreamInfer(grpc::CallbackServerContext* context) {
  using Stream = rpc::WindowStream<::inference::ModelInferRequest, ::inference::ModelStreamInferResponse>;
  return Stream::Start(gate_, context, Method("ModelStreamInfer"), kInferWindow,
                       [this](absl::Time deadline) -> absl::StatusOr<std::shared_ptr<Stream::Session>> {
                         ASSIGN_OR_RETURN(std::shared_ptr<void> slot, stream_slots_->Take("streams", absl::Seconds(1)));
                         return std::make_shared<InferStreamSession>(&inference_, &gate_->requests(), deadline,
                                                                     std::move(slot));
                       });
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelConfig(grpc::CallbackServerContext* context,
                                                            const ::inference::ModelConfigRequest* request,
                                                            ::inference::ModelConfigResponse* response) {
  return rpc::Unary(gate_, context, request, Method("ModelConfig"),
                    [this, request, response] { return FillConfig(*request, *response); });
}

grpc::ServerUnaryReactor* OpenInferenceService::ModelStatistics(grpc::CallbackServerContext* context,
                                                                const ::inference::ModelStatisticsRequest* request,
                                                                ::inference::ModelStatisticsResponse* response) {
  return rpc::Unary(gate_, context, request, Method("ModelStatistics"),
                    [this, request, response](const access::Principal& principal) {
                      return FillStatistics(*request, principal, *response);
                    });
}

grpc::ServerUnaryReactor* OpenInferenceService::RepositoryIndex(grpc::CallbackServerContext* context,
                                                                const ::inference::RepositoryIndexRequest* request,
                                                                ::inference::RepositoryIndexResponse* response) {
  return rpc::Unary(gate_, context, request, Method("RepositoryIndex"),
                    [this, request, response](const access::Principal& principal) {
                      return FillIndex(*request, principal, *response);
                    });
}

grpc::ServerUnaryReactor* OpenInferenceService::RepositoryModelLoad(
    grpc::CallbackServerContext* context, const ::inference::RepositoryModelLoadRequest* request,
    ::inference::RepositoryModelLoadResponse* /*response*/) {
  return rpc::AsyncUnaryOnPool(gate_, context, request, Method("RepositoryModelLoad"),
                               [this, request](const rpc::Call& call) {
                                 if (const absl::Status started = StartLoad(*request, call); !started.ok())
                                   call->Finish(started);
                               });
}

grpc::ServerUnaryReactor* OpenInferenceService::RepositoryModelUnload(
    grpc::CallbackServerContext* context, const ::inference::RepositoryModelUnloadRequest* request,
    ::inference::RepositoryModelUnloadResponse* /*response*/) {
  return rpc::Unary(gate_, context, request, Method("RepositoryModelUnload"),
                    [this, request] { return Unload(*request); });
}

}  // namespace graft::services
