#include "tests/bench/load/caller.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <stdexcept>

namespace graft::bench {
namespace {

constexpr std::chrono::seconds kConnectLimit{10};

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else all channels share one connection
  std::shared_ptr<grpc::Channel> channel =
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + kConnectLimit)) {
    throw std::runtime_error("no server answers at " + address);
  }
  return channel;
}

}  // namespace

struct Caller::Pending {
  std::shared_ptr<Call> call = std::make_shared<Call>();
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
  Done done;
};

Caller::Caller(const std::string& address, int channels) {
  for (int i = 0; i < channels; ++i) stubs_.push_back(std::make_unique<grpc::GenericStub>(Connect(address)));
  completion_ = std::thread([this] { Complete(); });
}

Caller::~Caller() {
  while (outstanding_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  queue_.Shutdown();
  completion_.join();
}

std::shared_ptr<Call> Caller::Start(const Request& request, Done done) {
  auto* pending = new Pending;
  pending->done = std::move(done);
  std::shared_ptr<Call> call = pending->call;
  if (request.deadline) call->context.set_deadline(std::chrono::system_clock::now() + *request.deadline);
  grpc::GenericStub& stub = *stubs_[next_stub_++ % stubs_.size()];
  ++outstanding_;
  pending->reader = stub.PrepareUnaryCall(&call->context, request.method, request.body, &queue_);
  pending->reader->StartCall();
  pending->reader->Finish(&call->response, &call->status, pending);
  return call;
}

void Caller::Complete() {
  void* tag = nullptr;
  for (bool ok = false; queue_.Next(&tag, &ok);) {
    const std::unique_ptr<Pending> pending(static_cast<Pending*>(tag));
    pending->call->done_at = Clock::now();
    pending->done(*pending->call);
    --outstanding_;
  }
}

}  // namespace graft::bench
