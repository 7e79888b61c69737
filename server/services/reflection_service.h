// grpc.reflection.v1alpha.ServerReflection: the protos of this server, for grpcurl and its like. Ours rather than
// gRPC's plugin, which the guard would not see.
#pragma once

#include <string>
#include <vector>

#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "server/rpc/gate.h"

namespace graft::services {

// Thread-safe.
class ReflectionService final : public grpc::reflection::v1alpha::ServerReflection::CallbackService {
 public:
  // `names` are the services that it lists.
  ReflectionService(rpc::Gate* gate, std::vector<std::string> names) : gate_(gate), names_(std::move(names)) {}

  grpc::ServerBidiReactor<grpc::reflection::v1alpha::ServerReflectionRequest,
                          grpc::reflection::v1alpha::ServerReflectionResponse>*
  ServerReflectionInfo(grpc::CallbackServerContext* context) override;

 private:
  rpc::Gate* const gate_;
  const std::vector<std::string> names_;
};

}  // namespace graft::services
