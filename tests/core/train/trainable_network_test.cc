#include "core/train/trainable_network.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/network/architecture.h"
#include "core/network/backbone.h"
#include "core/network/expected_tensors.h"
#include "core/train/random_order.h"
#include "tests/testing/random_backbone.h"
#include "tests/testing/status_matchers.h"

namespace graft::train {
namespace {

constexpr int kClasses = 3, kSize = 64;

std::string RandomWeights(const std::string& backbone) {
  const auto shapes = network::ExpectedTensors(network::FindArchitecture(backbone).value());
  return testing::SerializeFloats(shapes, testing::RandomValues(shapes));
}

class TrainableNetworkTest : public ::testing::Test {
 protected:
  std::set<std::string> TrainedNames(const PhaseOptions& phase) {
    network_->StartPhase(phase);
    std::set<std::string> names;
    for (const TrainableTensor& tensor : network_->Trained()) {
      EXPECT_TRUE(tensor.value.requires_grad()) << tensor.name;
      names.insert(tensor.name);
    }
    return names;
  }

  const std::string bytes_ = RandomWeights("mobilenet_v2");
  const weights::Safetensors weights_ = weights::Safetensors::Parse(bytes_).value();
  const Head head_{
      .dimension = 1280, .classes = kClasses, .kernel = GlorotUniform(1, 1280, kClasses), .bias = {0.1F, -0.2F, 0.3F}};
  const std::unique_ptr<TrainableNetwork> network_ =
      TrainableNetwork::Create("mobilenet_v2", weights_, head_, "cpu").value();
  const torch::Tensor images_ = torch::randint(0, 256, {2, kSize, kSize, 3}, torch::kUInt8);
};

TEST_F(TrainableNetworkTest, TheHeadAloneTrains) {
  EXPECT_EQ(TrainedNames({.trainable = Trainable::kHead}), (std::set<std::string>{"head/kernel", "head/bias"}));
}

TEST_F(TrainableNetworkTest, TheLastBlocksTrainWithTheTop) {
  const auto names = TrainedNames({.trainable = Trainable::kLastBlocks, .last_blocks = 2});
  for (const char* trained : {"head/kernel", "Conv_1/kernel", "Conv_1_bn/gamma", "block_16_expand/kernel",
                              "block_15_expand/kernel", "block_15_project_BN/beta"}) {
    EXPECT_TRUE(names.contains(trained)) << trained;
  }
  for (const std::string& name : names) {
    EXPECT_TRUE(name.starts_with("head/") || name.starts_with("Conv_1") || name.starts_with("block_15_") ||
                name.starts_with("block_16_"))
        << name;
  }
}

TEST_F(TrainableNetworkTest, AllBlocksLeaveOutTheStemAndAllDoesNot) {
  const auto blocks = TrainedNames({.trainable = Trainable::kLastBlocks, .last_blocks = 17});
  EXPECT_TRUE(blocks.contains("expanded_conv_depthwise/depthwise_kernel"));
  EXPECT_FALSE(blocks.contains("Conv1/kernel"));
  auto all = TrainedNames({.trainable = Trainable::kAll});
  for (const char* stem : {"Conv1/kernel", "bn_Conv1/gamma", "bn_Conv1/beta"}) EXPECT_EQ(all.erase(stem), 1u) << stem;
  EXPECT_EQ(all, blocks);
  EXPECT_EQ(TrainedNames({.trainable = Trainable::kHead}).size(), 2u);  // and back again
}

TEST_F(TrainableNetworkTest, RatesDecayFromTheHeadToTheStem) {
  network_->StartPhase({.trainable = Trainable::kAll, .layer_decay = 0.5});
  std::map<std::string, TrainableTensor> tensors;
  for (const TrainableTensor& tensor : network_->Trained()) tensors[tensor.name] = tensor;
  EXPECT_EQ(tensors["head/kernel"].learning_rate_factor, 1);
  EXPECT_EQ(tensors["Conv_1/kernel"].learning_rate_factor, 0.5);
  EXPECT_EQ(tensors["block_16_project/kernel"].learning_rate_factor, 0.5);
  EXPECT_EQ(tensors["block_15_project/kernel"].learning_rate_factor, 0.25);
  EXPECT_EQ(tensors["expanded_conv_project/kernel"].learning_rate_factor, std::pow(0.5, 17));
  EXPECT_EQ(tensors["Conv1/kernel"].learning_rate_factor, std::pow(0.5, 18));
}

TEST_F(TrainableNetworkTest, KernelsAloneDecay) {
  network_->StartPhase({.trainable = Trainable::kAll});
  for (const TrainableTensor& tensor : network_->Trained()) {
    EXPECT_EQ(tensor.decays, tensor.name.ends_with("kernel")) << tensor.name;
  }
}

TEST_F(TrainableNetworkTest, IsTheBackboneWithItsHead) {
  const auto backbone = network::Backbone::Create("mobilenet_v2", weights_, {}).value();
  const torch::NoGradGuard no_grad;
  const torch::Tensor features =
      backbone->module()
          ->Forward(network::NormalizeImages(images_, backbone->facts().normalization, torch::kCPU),
                    backbone->module()->architecture().features)
          .flatten(1);
  const torch::Tensor expected =
      features.mm(torch::tensor(head_.kernel).view({1280, kClasses})) + torch::tensor(head_.bias);
  for (const Trainable trainable : {Trainable::kHead, Trainable::kLastBlocks, Trainable::kAll}) {
    network_->StartPhase({.trainable = trainable, .last_blocks = 3});
    const torch::Tensor boundary = network_->RunFrozen(network_->Normalize(images_), /*bf16=*/false);
    EXPECT_TRUE(torch::allclose(network_->RunTrained(boundary, false, /*training=*/true), expected, 1e-4, 1e-4));
  }
}

TEST_F(TrainableNetworkTest, GradientsReachExactlyWhatTrains) {
  network_->StartPhase({.trainable = Trainable::kLastBlocks, .last_blocks = 1});
  const torch::Tensor boundary = network_->RunFrozen(network_->Normalize(images_), false);
  EXPECT_FALSE(boundary.requires_grad());
  network_->RunTrained(boundary, false, true).sum().backward();
  for (const TrainableTensor& tensor : network_->Trained()) EXPECT_TRUE(tensor.value.grad().defined()) << tensor.name;
  for (const auto& [name, tensor] : network_->ChangedBy({{.trainable = Trainable::kAll}})) {
    const bool trained = tensor.requires_grad();
    EXPECT_EQ(tensor.grad().defined(), trained) << name;
  }
}

TEST_F(TrainableNetworkTest, BFloat16StaysNearFloat32) {
  network_->StartPhase({.trainable = Trainable::kAll});
  const torch::Tensor images = network_->Normalize(images_);
  const auto run = [&](bool bf16) { return network_->RunTrained(network_->RunFrozen(images, bf16), bf16, true); };
  const torch::Tensor f32 = run(false), bf16 = run(true);
  EXPECT_EQ(bf16.scalar_type(), torch::kFloat32);
  EXPECT_FALSE(torch::equal(f32, bf16));
  // bfloat16 has 8 bits; through the layers of this random network they come to 13 % of the largest logit.
  EXPECT_LT((f32 - bf16).norm().item<double>(), 0.2 * f32.norm().item<double>());
  bf16.sum().backward();
  for (const TrainableTensor& tensor : network_->Trained()) {
    EXPECT_EQ(tensor.value.grad().scalar_type(), torch::kFloat32) << tensor.name;
  }
}

TEST_F(TrainableNetworkTest, ChangesAreThePhasesTogether) {
  const auto count = [this](const std::vector<PhaseOptions>& phases) { return network_->ChangedBy(phases).size(); };
  const PhaseOptions head{.trainable = Trainable::kHead, .batch_norm = BatchNormMode::kTrain};
  const PhaseOptions last{.trainable = Trainable::kLastBlocks, .last_blocks = 1};
  PhaseOptions moving = last;
  moving.batch_norm = BatchNormMode::kTrain;
  EXPECT_EQ(count({head}), 2u);
  EXPECT_EQ(count({head, last}), 2u + 4 * 3);  // expand, depthwise, project and top: a kernel, gamma and beta each
  EXPECT_EQ(count({moving, head, last}), 2u + 4 * 5);
}

TEST_F(TrainableNetworkTest, UnchangedWeightsGiveTheirBytes) {
  EXPECT_EQ(network_->SerializeBackbone(), bytes_);
  EXPECT_EQ(SerializeHead(network_->CopyHead()), SerializeHead(head_));
}

}  // namespace
}  // namespace graft::train
