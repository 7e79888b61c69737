#include "server/access/policy.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "graft/v1/dataset.pb.h"
#include "graft/v1/inference.pb.h"
#include "graft/v1/model.pb.h"
#include "graft/v1/system.pb.h"
#include "graft/v1/training.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "inference/grpc_service.pb.h"

namespace graft::access {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;

std::vector<const MethodDescriptor*> EveryRpc() {
  std::vector<const MethodDescriptor*> methods;
  for (const FileDescriptor* file :
       {v1::SubmitJobRequest::descriptor()->file(), v1::GetDatasetRequest::descriptor()->file(),
        v1::SetAliasRequest::descriptor()->file(), v1::ClassifyRequest::descriptor()->file(),
        v1::GetServerInfoRequest::descriptor()->file(), ::inference::ModelInferRequest::descriptor()->file(),
        grpc::health::v1::HealthCheckRequest::descriptor()->file(),
        grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) methods.push_back(file->service(i)->method(j));
    }
  }
  return methods;
}

std::string NameOfMethod(const MethodDescriptor& method) {
  return absl::StrCat(method.service()->full_name(), "/", method.name());
}

TEST(PolicyTest, EveryRpcHasOneRowAndEveryRowAnRpc) {
  std::set<std::string> rpcs, rows;
  for (const MethodDescriptor* method : EveryRpc()) rpcs.insert(NameOfMethod(*method));
  for (const Rule& rule : Policy()) EXPECT_TRUE(rows.insert(rule.method).second) << rule.method << " has two rows";
  EXPECT_EQ(rows, rpcs);
  EXPECT_EQ(FindRule("graft.v1.ModelService/NoSuchCall"), nullptr);
}

TEST(PolicyTest, EveryFieldOfARowIsInItsRequest) {
  for (const MethodDescriptor* method : EveryRpc()) {
    const Rule* rule = FindRule(NameOfMethod(*method));
    ASSERT_NE(rule, nullptr) << NameOfMethod(*method);
    google::protobuf::DynamicMessageFactory factory;
    const std::unique_ptr<google::protobuf::Message> request(factory.GetPrototype(method->input_type())->New());
    EXPECT_TRUE(NamesIn(*rule, *request).empty()) << rule->method;  // aborts at a field that is not there
  }
}

// Whatever names a data set, model or job in a request is looked at: a new field needs a place in its row, or here.
TEST(PolicyTest, NoNameInARequestIsForgotten) {
  const std::set<std::string> names = {"name", "names", "model",     "model_name", "dataset",
                                       "from", "to",    "init_from", "teacher"};
  const std::set<std::string> no_resources = {"RollbackAliasRequest.from", "ServerReflectionRequest.name"};
  for (const MethodDescriptor* method : EveryRpc()) {
    std::set<std::string> looked_at;
    for (const NameField& field : FindRule(NameOfMethod(*method))->names) looked_at.insert(field.path);
    const auto check = [&](const google::protobuf::Descriptor& message, const std::string& prefix) {
      for (int i = 0; i < message.field_count(); ++i) {
        const auto& field = *message.field(i);
        const std::string path = absl::StrCat(prefix, field.name());
        if (field.cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_STRING || !names.contains(field.name()) ||
            no_resources.contains(absl::StrCat(message.name(), ".", field.name()))) {
          continue;
        }
        EXPECT_TRUE(looked_at.contains(path)) << NameOfMethod(*method) << " does not check " << path;
      }
    };
    const auto& request = *method->input_type();
    check(request, "");
    for (const char* part : {"spec", "start"}) {
      const auto* field = request.FindFieldByName(part);
      if (field != nullptr && field->message_type() != nullptr) check(*field->message_type(), absl::StrCat(part, "."));
    }
  }
}

TEST(PolicyTest, NamesAreReadFromEveryDepth) {
  v1::SubmitJobRequest job;
  const Rule* submit = FindRule("graft.v1.TrainingService/SubmitJob");
  EXPECT_TRUE(NamesIn(*submit, job).empty());
  job.mutable_spec()->set_dataset("animals:2");
  job.mutable_spec()->set_teacher("big");
  const std::vector<NamedResource> names = NamesIn(*submit, job);
  ASSERT_EQ(names.size(), 2U);
  EXPECT_EQ(names[0].name, "animals:2");
  EXPECT_EQ(names[0].resource, Resource::kDataset);
  EXPECT_EQ(names[1].name, "big");

  v1::CompareModelVersionsRequest compare;
  compare.add_names("a");
  compare.add_names("b");
  EXPECT_EQ(NamesIn(*FindRule("graft.v1.ModelService/CompareModelVersions"), compare).size(), 2U);

  v1::UploadDatasetRequest chunk;
  chunk.mutable_chunk();
  EXPECT_TRUE(NamesIn(*FindRule("graft.v1.DatasetService/UploadDataset"), chunk).empty());
}

}  // namespace
}  // namespace graft::access
