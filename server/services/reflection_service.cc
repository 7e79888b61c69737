#include "server/services/reflection_service.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/rpc/window_stream.h"

namespace graft::services {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

// One message at a time, each of them small; what it answers is as large as our protos.
constexpr rpc::Window kWindow = {.messages = 4, .bytes = 1 << 20, .has_start = false};

void NotFound(absl::string_view what, ServerReflectionResponse& response) {
  response.mutable_error_response()->set_error_code(static_cast<int>(absl::StatusCode::kNotFound));
  response.mutable_error_response()->set_error_message(absl::StrCat(what, " is not among this server's protos"));
}

// The file and all that it imports.
void AddFile(const FileDescriptor& file, std::set<std::string>& added, ServerReflectionResponse& response) {
  if (!added.insert(file.name()).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  response.mutable_file_descriptor_response()->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i), added, response);
}

void FillFile(const FileDescriptor* file, absl::string_view asked, ServerReflectionResponse& response) {
  std::set<std::string> added;
  file == nullptr ? NotFound(asked, response) : AddFile(*file, added, response);
}

ServerReflectionResponse Answer(const ServerReflectionRequest& request, const std::vector<std::string>& services) {
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      FillFile(pool.FindFileByName(request.file_by_filename()), request.file_by_filename(), response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      FillFile(pool.FindFileContainingSymbol(request.file_containing_symbol()), request.file_containing_symbol(),
               response);
      break;
    case ServerReflectionRequest::kListServices:
      for (const std::string& name : services) response.mutable_list_services_response()->add_service()->set_name(name);
      break;
    case ServerReflectionRequest::kAllExtensionNumbersOfType:  // none of our messages has an extension
      response.mutable_all_extension_numbers_response()->set_base_type_name(request.all_extension_numbers_of_type());
      break;
    case ServerReflectionRequest::kFileContainingExtension:
      NotFound(request.file_containing_extension().containing_type(), response);
      break;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      NotFound("a request without a question", response);
      break;
  }
  return response;
}

class Session final : public rpc::WindowSession<ServerReflectionRequest, ServerReflectionResponse> {
 public:
  explicit Session(const std::vector<std::string>* services) : services_(services) {}
  void OnMessage(ServerReflectionRequest request, Ticket ticket) override {
    ticket->Answer(Answer(request, *services_));
  }
  void OnAbandoned() override {}

 private:
  const std::vector<std::string>* const services_;
};

}  // namespace

grpc::ServerBidiReactor<ServerReflectionRequest, ServerReflectionResponse>* ReflectionService::ServerReflectionInfo(
    grpc::CallbackServerContext* context) {
  using Stream = rpc::WindowStream<ServerReflectionRequest, ServerReflectionResponse>;
  return Stream::Start(gate_, context, "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", kWindow,
                       [this](absl::Time) -> absl::StatusOr<std::shared_ptr<Stream::Session>> {
                         return std::make_shared<Session>(&names_);
                       });
}

}  // namespace graft::services
