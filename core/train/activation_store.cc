#include "core/train/activation_store.h"

#include <fcntl.h>
#include <torch/torch.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace graft::train {
namespace {

// pread or pwrite of all bytes; false with errno set otherwise.
template <typename Transfer, typename Bytes>
bool TransferAll(Transfer transfer, int descriptor, Bytes* bytes, int64_t count, int64_t position) {
  while (count > 0) {
    const ssize_t done = transfer(descriptor, bytes, static_cast<size_t>(count), position);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes += done;
    count -= done;
    position += done;
  }
  return true;
}

}  // namespace

ActivationStore::ActivationStore(const ActivationLimits& limits, std::string path)
    : limits_(limits), path_(std::move(path)) {}

ActivationStore::~ActivationStore() {
  if (descriptor_ >= 0) close(descriptor_);
}

void ActivationStore::Put(int64_t number, const torch::Tensor& activation) {
  const torch::Tensor dense = activation.contiguous(torch::MemoryFormat::ChannelsLast);
  const auto bytes = static_cast<int64_t>(dense.nbytes());
  if (!like_.defined()) like_ = torch::empty_like(dense);
  if (memory_bytes_ + bytes <= limits_.memory_bytes) {
    in_memory_[number] = dense.clone();
    memory_bytes_ += bytes;
  } else if (disk_bytes_ + bytes <= limits_.disk_bytes && !disk_failed_ && Spill(dense)) {
    on_disk_[number] = disk_bytes_;
    disk_bytes_ += bytes;
  }
}

bool ActivationStore::Spill(const torch::Tensor& activation) {
  if (descriptor_ < 0) {
    descriptor_ = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor_ >= 0) unlink(path_.c_str());
  }
  disk_failed_ = descriptor_ < 0 || !TransferAll(pwrite, descriptor_, static_cast<const char*>(activation.data_ptr()),
                                                 static_cast<int64_t>(activation.nbytes()), disk_bytes_);
  return !disk_failed_;
}

absl::StatusOr<torch::Tensor> ActivationStore::Get(int64_t number) const {
  const auto in_memory = in_memory_.find(number);
  if (in_memory != in_memory_.end()) return in_memory->second;
  torch::Tensor activation = torch::empty_like(like_);
  if (!TransferAll(pread, descriptor_, static_cast<char*>(activation.data_ptr()),
                   static_cast<int64_t>(activation.nbytes()), on_disk_.at(number))) {
    return absl::DataLossError(absl::StrCat("read the activations that were in ", path_, ": ", std::strerror(errno)));
  }
  return activation;
}

void ActivationStore::Clear() {
  in_memory_.clear();
  on_disk_.clear();
  like_.reset();
  memory_bytes_ = disk_bytes_ = 0;
  if (descriptor_ >= 0) close(descriptor_);
  descriptor_ = -1;
  disk_failed_ = false;
}

}  // namespace graft::train
