// A full fine-tuning step (all layers, frozen batch norms, AdamW) on random weights and photos, from pixels to updated
// weights. One line of JSON per run; tests/bench/fine_tune.py runs it beside its peers.
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/network/architecture.h"
#include "core/network/expected_tensors.h"
#include "core/train/loss.h"
#include "core/train/random_order.h"
#include "core/train/trainable_network.h"
#include "core/train/weight_updater.h"
#include "tests/testing/random_backbone.h"

namespace graft::train {
namespace {

constexpr int kClasses = 5, kSize = 224;

struct Settings {
  std::string backbone = "mobilenet_v2";
  int batch = 32, threads = 2, steps = 5;
  bool bf16 = false, train_statistics = false;
};

std::unique_ptr<TrainableNetwork> RandomNetwork(const std::string& backbone) {
  const network::Architecture architecture = network::FindArchitecture(backbone).value();
  const auto shapes = network::ExpectedTensors(architecture);
  const auto weights =
      weights::Safetensors::Parse(testing::SerializeFloats(shapes, testing::RandomValues(shapes))).value();
  const int features = architecture.layers[static_cast<size_t>(architecture.features)].channels;
  const Head head{.dimension = features,
                  .classes = kClasses,
                  .kernel = GlorotUniform(1, features, kClasses),
                  .bias = std::vector<float>(kClasses)};
  return TrainableNetwork::Create(backbone, weights, head, "cpu").value();
}

// Images/s of each step.
std::vector<double> Measure(const Settings& settings) {
  const auto network = RandomNetwork(settings.backbone);
  const PhaseOptions phase{.trainable = Trainable::kAll,
                           .learning_rate = 1e-6,
                           .weight_decay = 0.01,
                           .batch_norm = settings.train_statistics ? BatchNormMode::kTrain : BatchNormMode::kFrozen};
  network->StartPhase(phase);
  WeightUpdater updater(network->Trained(), phase);
  const Loss loss({.label_smoothing = 0.1}, kClasses, torch::kCPU);
  const torch::Tensor photos = torch::randint(0, 256, {settings.batch, kSize, kSize, 3}, torch::kUInt8);
  const Targets targets{.classes = torch::eye(kClasses).index_select(0, torch::randint(kClasses, {settings.batch}))};
  std::vector<double> rates;
  for (int step = 0; step <= settings.steps; ++step) {
    const auto start = std::chrono::steady_clock::now();
    const torch::Tensor boundary = network->RunFrozen(network->Normalize(photos), settings.bf16);
    const torch::Tensor logits = network->RunTrained(boundary, settings.bf16, /*training=*/true);
    (loss.Sum(logits, targets) / settings.batch).backward();
    updater.Update(1, step + 1);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (step > 0) rates.push_back(settings.batch / seconds);  // the first one fills caches
  }
  return rates;
}

int Main(int count, char** arguments) {
  CLI::App app("Measures a full fine-tuning step");
  Settings settings;
  app.add_option("--backbone", settings.backbone);
  app.add_option("--batch", settings.batch);
  app.add_option("--threads", settings.threads);
  app.add_option("--steps", settings.steps);
  app.add_flag("--bf16", settings.bf16);
  app.add_flag("--train-statistics", settings.train_statistics, "batch norms on the batch's statistics");
  CLI11_PARSE(app, count, arguments);
  ConfigureThreads(settings.threads);
  std::cout << nlohmann::json{{"images_per_second", Measure(settings)}}.dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace graft::train

int main(int count, char** arguments) {
  return graft::train::Main(count, arguments);
}
