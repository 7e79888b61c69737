#include "core/train/activation_store.h"

#include <torch/torch.h>

#include <filesystem>

#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::train {
namespace {

using ::graft::testing::TemporaryFolder;

constexpr int64_t kBytes = 5 * 4 * 3 * 4;  // of one activation

class ActivationStoreTest : public ::testing::Test {
 protected:
  static torch::Tensor Activation(int64_t number) {
    torch::manual_seed(static_cast<uint64_t>(number));
    return torch::randn({1, 5, 4, 3}).contiguous(torch::MemoryFormat::ChannelsLast);
  }
  static void ExpectHolds(const ActivationStore& store, int64_t number) {
    ASSERT_TRUE(store.Has(number));
    ASSERT_OK_AND_ASSIGN(const torch::Tensor activation, store.Get(number));
    EXPECT_TRUE(torch::equal(activation, Activation(number)));
    EXPECT_TRUE(activation.is_contiguous(torch::MemoryFormat::ChannelsLast));
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "activations";
};

TEST_F(ActivationStoreTest, FillsMemoryThenTheFileThenNothing) {
  ActivationStore store({.memory_bytes = 2 * kBytes + 1, .disk_bytes = 3 * kBytes}, path_);
  for (int64_t number = 0; number < 8; ++number) store.Put(number * 10, Activation(number * 10));
  EXPECT_EQ(store.memory_bytes(), 2 * kBytes);
  EXPECT_EQ(store.disk_bytes(), 3 * kBytes);
  for (int64_t number = 0; number < 5; ++number) ExpectHolds(store, number * 10);
  for (int64_t number = 5; number < 8; ++number) EXPECT_FALSE(store.Has(number * 10));
}

TEST_F(ActivationStoreTest, ClearedItTakesOthersOfAnotherShape) {
  ActivationStore store({.memory_bytes = kBytes, .disk_bytes = 2 * kBytes}, path_);
  for (int64_t number = 0; number < 3; ++number) store.Put(number, Activation(number));
  store.Clear();
  EXPECT_FALSE(store.Has(0));
  const torch::Tensor other = torch::rand({1, 30, 1, 1}).to(torch::kBFloat16);
  for (int64_t number = 0; number < 5; ++number) store.Put(number, other + number);
  for (int64_t number = 0; number < 5; ++number) {
    ASSERT_OK_AND_ASSIGN(const torch::Tensor activation, store.Get(number));
    EXPECT_TRUE(torch::equal(activation, other + number)) << number;
  }
  EXPECT_GT(store.disk_bytes(), 0);
}

TEST_F(ActivationStoreTest, TheFileHasNoNameToBeLeftBehind) {
  ActivationStore store({.disk_bytes = kBytes}, path_);
  store.Put(1, Activation(1));
  EXPECT_FALSE(std::filesystem::exists(path_));
  ExpectHolds(store, 1);
}

TEST_F(ActivationStoreTest, AFileThatCannotBeMadeIsAFullOne) {
  ActivationStore store({.memory_bytes = kBytes, .disk_bytes = 10 * kBytes}, folder_ / "nowhere/activations");
  store.Put(1, Activation(1));
  store.Put(2, Activation(2));
  ExpectHolds(store, 1);
  EXPECT_FALSE(store.Has(2));
}

}  // namespace
}  // namespace graft::train
