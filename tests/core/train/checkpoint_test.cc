#include "core/train/checkpoint.h"

#include <fstream>
#include <functional>

#include "core/base/file.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::train {
namespace {

using ::graft::testing::TemporaryFolder;

constexpr int64_t kMaxBytes = 1 << 20;

TrainingState StateAfter(int epochs) {
  const Head head{.dimension = 2, .classes = 2, .kernel = {1, 2, 3, 4}, .bias = {5, static_cast<float>(epochs)}};
  TrainingState state{.head = head, .best = head, .adam_first = head, .adam_second = head, .adam_step = epochs * 10};
  for (int epoch = 1; epoch <= epochs; ++epoch) state.history.push_back({.epoch = epoch, .train_loss = 1.0 / epoch});
  state.best_epoch = epochs;
  return state;
}

class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(SaveCheckpoint(path_, StateAfter(3), "inputs"));
    ASSERT_OK(SaveCheckpoint(path_, StateAfter(4), "inputs"));
  }
  int LoadedEpoch() {
    const std::optional<TrainingState> state = LoadCheckpoint(path_, "inputs", 2, 2);
    return state ? state->epoch() : 0;
  }
  void Overwrite(const std::string& path, const std::function<void(std::string&)>& damage) {
    ASSERT_OK_AND_ASSIGN(std::string bytes, ReadFile(path, kMaxBytes));
    damage(bytes);
    ASSERT_OK(WriteFileDurably(path, bytes));
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "checkpoint";
  const std::string newest_ = path_ + ".0";  // of epoch 4
  const std::string previous_ = path_ + ".1";
};

TEST_F(CheckpointTest, NewestComesBackWhole) {
  const std::optional<TrainingState> state = LoadCheckpoint(path_, "inputs", 2, 2);
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->epoch(), 4);
  EXPECT_EQ(state->best_epoch, 4);
  EXPECT_EQ(state->adam_step, 40);
  EXPECT_EQ(state->history[2].train_loss, 1.0 / 3);
  EXPECT_EQ(state->head.kernel, StateAfter(4).head.kernel);
  EXPECT_EQ(state->adam_second.bias, StateAfter(4).adam_second.bias);
}

TEST_F(CheckpointTest, AnyFlippedByteFallsBackToTheOneBefore) {
  ASSERT_OK_AND_ASSIGN(const std::string whole, ReadFile(newest_, kMaxBytes));
  for (size_t position = 0; position < whole.size(); position += 7) {
    std::string damaged = whole;
    damaged[position] ^= 1;
    std::ofstream(newest_, std::ios::binary) << damaged;
    EXPECT_EQ(LoadedEpoch(), 3) << "byte " << position;
  }
  std::ofstream(newest_, std::ios::binary) << whole;
  EXPECT_EQ(LoadedEpoch(), 4);
}

TEST_F(CheckpointTest, TornNewestFallsBackAndTwoTornStartAfresh) {
  Overwrite(newest_, [](std::string& bytes) { bytes.resize(bytes.size() / 2); });
  EXPECT_EQ(LoadedEpoch(), 3);
  Overwrite(previous_, [](std::string& bytes) { bytes.clear(); });
  EXPECT_EQ(LoadedEpoch(), 0);
}

TEST_F(CheckpointTest, OtherInputsOrShapesAreNotLoaded) {
  EXPECT_FALSE(LoadCheckpoint(path_, "other", 2, 2).has_value());
  EXPECT_FALSE(LoadCheckpoint(path_, "inputs", 4, 1).has_value());
  EXPECT_FALSE(LoadCheckpoint(folder_ / "nothing", "inputs", 2, 2).has_value());
}

}  // namespace
}  // namespace graft::train
