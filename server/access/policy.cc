#include "server/access/policy.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_split.h"

namespace graft::access {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr Roles kNobodyIsAsked = 0;
constexpr Roles kAdmin = static_cast<Roles>(Role::kAdmin);
constexpr Roles kTrain = kAdmin | static_cast<Roles>(Role::kTrainer);
constexpr Roles kLook = kTrain | static_cast<Roles>(Role::kViewer);
constexpr Roles kClassify = kTrain | static_cast<Roles>(Role::kPredictor);

const FieldDescriptor& FieldOf(const Message& message, absl::string_view name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(std::string(name));
  if (field == nullptr) abort();
  return *field;
}

// The message that holds the last part of the path; null where one on the way is not set.
const Message* Descend(const Message& request, absl::Span<const absl::string_view> path) {
  const Message* message = &request;
  for (const absl::string_view part : path) {
    const FieldDescriptor& field = FieldOf(*message, part);
    if (!message->GetReflection()->HasField(*message, &field)) return nullptr;
    message = &message->GetReflection()->GetMessage(*message, &field);
  }
  return message;
}

std::vector<std::string> StringsAt(const Message& request, const char* path) {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '.');
  const Message* message = Descend(request, absl::MakeConstSpan(parts).first(parts.size() - 1));
  if (message == nullptr) return {};
  const FieldDescriptor& field = FieldOf(*message, parts.back());
  const auto& reflection = *message->GetReflection();
  if (!field.is_repeated()) return {reflection.GetString(*message, &field)};
  std::vector<std::string> texts;
  for (int i = 0; i < reflection.FieldSize(*message, &field); ++i) {
    texts.push_back(reflection.GetRepeatedString(*message, &field, i));
  }
  return texts;
}

}  // namespace

absl::Span<const Rule> Policy() {
  constexpr auto kDataset = Resource::kDataset;
  constexpr auto kModel = Resource::kModel;
  constexpr auto kJob = Resource::kJob;
  static const auto* const rules = new std::vector<Rule>{
      {"graft.v1.DatasetService/UploadDataset", kTrain, true, {{kDataset, "start.dataset"}}},
      {"graft.v1.DatasetService/GetDataset", kLook, false, {{kDataset, "name"}}},
      {"graft.v1.DatasetService/ListDatasets", kLook},
      {"graft.v1.DatasetService/GetDatasetReport", kLook, false, {{kDataset, "name"}}},
      {"graft.v1.DatasetService/DiffDatasetVersions", kLook, false, {{kDataset, "from"}, {kDataset, "to"}}},

      {"graft.v1.TrainingService/SubmitJob",
       kTrain,
       true,
       {{kDataset, "spec.dataset"}, {kModel, "spec.model"}, {kModel, "spec.init_from"}, {kModel, "spec.teacher"}}},
      {"graft.v1.TrainingService/GetJob", kLook, false, {{kJob, "name"}}},
      {"graft.v1.TrainingService/ListJobs", kLook},
      {"graft.v1.TrainingService/WatchJob", kLook, false, {{kJob, "name"}}},
      {"graft.v1.TrainingService/CancelJob", kTrain, true, {{kJob, "name"}}},
      {"graft.v1.TrainingService/PauseJob", kTrain, true, {{kJob, "name"}}},
      {"graft.v1.TrainingService/ResumeJob", kTrain, true, {{kJob, "name"}}},

      {"graft.v1.ModelService/ListModels", kLook},
      {"graft.v1.ModelService/GetModelVersion", kEveryRole, false, {{kModel, "name"}}},
      {"graft.v1.ModelService/ListModelVersions", kLook, false, {{kModel, "model"}}},
      {"graft.v1.ModelService/SetAlias", kTrain, true, {{kModel, "name"}}},
      {"graft.v1.ModelService/RollbackAlias", kTrain, true, {{kModel, "model"}}},
      {"graft.v1.ModelService/ListAliasHistory", kLook, false, {{kModel, "model"}}},
      {"graft.v1.ModelService/DeleteModelVersion", kAdmin, true, {{kModel, "name"}}},
      {"graft.v1.ModelService/CompareModelVersions", kLook, false, {{kModel, "names"}}},
      {"graft.v1.ModelService/ListSuspects", kLook, false, {{kModel, "name"}}},

      {"graft.v1.InferenceService/Classify", kClassify, false, {{kModel, "model"}}},
      {"graft.v1.InferenceService/ClassifyBatch", kClassify, false, {{kModel, "model"}}},
      {"graft.v1.InferenceService/ClassifyStream", kClassify, false, {{kModel, "start.model"}}},

      {"graft.v1.SystemService/GetServerInfo", kEveryRole},

      {"inference.GRPCInferenceService/ServerLive", kNobodyIsAsked},
      {"inference.GRPCInferenceService/ServerReady", kNobodyIsAsked},
      {"inference.GRPCInferenceService/ServerMetadata", kEveryRole},
      {"inference.GRPCInferenceService/ModelReady", kEveryRole, false, {{kModel, "name"}}},
      {"inference.GRPCInferenceService/ModelMetadata", kEveryRole, false, {{kModel, "name"}}},
      {"inference.GRPCInferenceService/ModelConfig", kEveryRole, false, {{kModel, "name"}}},
      {"inference.GRPCInferenceService/ModelStatistics", kEveryRole, false, {{kModel, "name"}}},
      {"inference.GRPCInferenceService/ModelInfer", kClassify, false, {{kModel, "model_name"}}},
      {"inference.GRPCInferenceService/ModelStreamInfer", kClassify, false, {{kModel, "model_name"}}},
      {"inference.GRPCInferenceService/RepositoryIndex", kEveryRole},
      {"inference.GRPCInferenceService/RepositoryModelLoad", kTrain, true, {{kModel, "model_name"}}},
      {"inference.GRPCInferenceService/RepositoryModelUnload", kAdmin, true, {{kModel, "model_name"}}},

      // The health of a model is told to those who may use it alone: see server/services/health_service.h.
      {"grpc.health.v1.Health/Check", kNobodyIsAsked},
      {"grpc.health.v1.Health/Watch", kNobodyIsAsked},
      {"grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", kEveryRole},
  };
  return *rules;
}

const Rule* FindRule(absl::string_view method) {
  static const auto* const by_method = [] {
    auto* map = new absl::flat_hash_map<absl::string_view, const Rule*>;
    for (const Rule& rule : Policy()) map->emplace(rule.method, &rule);
    return map;
  }();
  const auto found = by_method->find(method);
  return found == by_method->end() ? nullptr : found->second;
}

std::vector<NamedResource> NamesIn(const Rule& rule, const Message& request) {
  std::vector<NamedResource> result;
  for (const NameField& field : rule.names) {
    for (std::string& name : StringsAt(request, field.path)) {
      if (!name.empty()) result.push_back({field.resource, std::move(name)});
    }
  }
  return result;
}

}  // namespace graft::access
