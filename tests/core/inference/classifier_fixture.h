// A classifier over real stores and made-up networks.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <opencv2/imgcodecs.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"
#include "core/engine/engine.h"
#include "core/inference/classifier.h"
#include "core/registry/manifest.h"
#include "core/store/database.h"
#include "core/weights/safetensors.h"
#include "core/weights/weight_store.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::inference {

inline constexpr int64_t kEngineBytes = 1000;

// Different, so that a head on the other's features is an error.
inline int DimensionOf(absl::string_view backbone) {
  return backbone == "mobilenet_v2" ? 3 : 6;
}

// Features are the first pixel's red, green and blue over 255, over and over. Runs wait until `gate` opens, where there
// is one; those of black pictures, which warm an engine up, do not.
class FakeEngine : public engine::Engine {
 public:
  FakeEngine(const std::string& backbone, absl::Notification* gate, absl::Notification* entered, bool fails)
      : facts_{.name = backbone, .title = "Fake", .input_size = 8, .feature_dimension = DimensionOf(backbone)},
        gate_(gate),
        entered_(entered),
        fails_(fails) {}

  absl::Status Run(absl::Span<const uint8_t> images, int count, absl::Span<float> features, engine::Cores) override {
    if (std::all_of(images.begin(), images.end(), [](uint8_t value) { return value == 0; })) return absl::OkStatus();
    if (entered_ != nullptr && !entered_->HasBeenNotified()) entered_->Notify();
    if (gate_ != nullptr) gate_->WaitForNotification();
    if (fails_) return absl::InternalError("told to fail");
    const size_t image_bytes = images.size() / static_cast<size_t>(count);
    for (int row = 0; row < count; ++row) {
      for (int i = 0; i < facts_.feature_dimension; ++i) {
        features[row * facts_.feature_dimension + i] = static_cast<float>(images[row * image_bytes + i % 3]) / 255;
      }
    }
    return absl::OkStatus();
  }
  const network::BackboneFacts& facts() const override { return facts_; }
  int preferred_batch() const override { return 1; }
  const std::string& id() const override { return facts_.name; }
  int64_t bytes() const override { return kEngineBytes; }

 private:
  const network::BackboneFacts facts_;
  absl::Notification* const gate_;
  absl::Notification* const entered_;
  const bool fails_;
};

inline std::string Picture(int red, int green, int blue) {
  std::vector<uint8_t> bytes;
  cv::imencode(".png", cv::Mat(8, 8, CV_8UC3, cv::Scalar(blue, green, red)), bytes);
  return std::string(bytes.begin(), bytes.end());
}

// A head whose class i answers to colour (i + shift) modulo 3.
inline std::string ColourHead(int shift, int dimension) {
  std::vector<float> kernel(dimension * 3, 0);
  for (int i = 0; i < 3; ++i) kernel[((i + shift) % 3) * 3 + i] = 10;
  const std::vector<float> bias(3, 0);
  const auto view = [](const std::vector<float>& values, std::vector<int64_t> shape) {
    return weights::TensorView{weights::DType::kF32, std::move(shape),
                               absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * 4)};
  };
  return weights::Serialize({{"head/kernel", view(kernel, {dimension, 3})}, {"head/bias", view(bias, {3})}}, {});
}

class ClassifierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(folder_ / "graft.db"));
    registry_ = std::make_unique<registry::Registry>(database_.get(), folder_ / "models");
    for (const char* backbone : {"mobilenet_v2", "resnet50_v2"}) {
      ASSERT_OK_AND_ASSIGN(const weights::StoredWeights stored,
                           weights::PutWeights(folder_ / "weights", backbone, weights::Serialize({}, {{"b", backbone}}),
                                               "random:1", "none"));
      weights_sha256_[backbone] = stored.sha256;
    }
    options_.weights_root = folder_ / "weights";
    options_.create_engine = [this](const weights::StoredWeights& weights, const engine::EngineTarget& target) {
      last_precision_ = target.precision;
      return CreateFake(weights);
    };
  }

  absl::StatusOr<std::unique_ptr<engine::Engine>> CreateFake(const weights::StoredWeights& weights) {
    ++engines_created_;
    if (load_entered_ != nullptr && !load_entered_->HasBeenNotified()) load_entered_->Notify();
    if (load_gate_ != nullptr && weights.backbone == "resnet50_v2") load_gate_->WaitForNotification();
    RETURN_IF_ERROR(weights::Safetensors::Load(weights.path, weights.sha256).status());
    return std::make_unique<FakeEngine>(weights.backbone, run_gate_, entered_, fail_runs_);
  }

  // With a backbone of its own if `tuned` says what is in it.
  void Publish(const std::string& model, int shift = 0, const std::string& backbone = "mobilenet_v2",
               const std::string& precision = "f32", double temperature = 1, const std::string& tuned = "") {
    const std::string own = tuned.empty() ? "" : weights::Serialize({}, {{"b", tuned}});
    const std::string backbone_sha256 = own.empty() ? weights_sha256_.at(backbone) : Sha256Hex(own);
    const registry::Manifest manifest{.model = model,
                                      .backbone = backbone,
                                      .backbone_sha256 = backbone_sha256,
                                      .labels = {"red", "green", "blue"},
                                      .preprocess = {.height = 8, .width = 8},
                                      .precision = precision,
                                      .temperature = temperature,
                                      .spec_json = "{}",
                                      .result_json = "{}"};
    ASSERT_OK_AND_ASSIGN(const registry::Staged staged,
                         registry_->Stage(model, backbone, backbone_sha256, "job",
                                          {.head = ColourHead(shift, DimensionOf(backbone)),
                                           .manifest = *registry::ToJson(manifest),
                                           .backbone = own}));
    ASSERT_OK(database_->Write("publish", [&](store::Transaction& transaction) {
      return registry_->Publish(transaction, staged, "").status();
    }));
  }

  void Start() { classifier_ = Classifier::Create(registry_.get(), options_); }

  using Answer = std::future<absl::StatusOr<Classification>>;
  Answer Send(ClassifyCall call) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<Classification>>>();
    classifier_->Classify(std::move(call),
                          [promise](absl::StatusOr<Classification> result) { promise->set_value(std::move(result)); });
    return promise->get_future();
  }
  absl::StatusOr<Classification> Classify(ClassifyCall call) { return Send(std::move(call)).get(); }

  testing::TemporaryFolder folder_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<registry::Registry> registry_;
  std::map<std::string, std::string> weights_sha256_;
  ClassifierOptions options_;
  std::atomic<int> engines_created_ = 0;
  std::atomic<engine::Precision> last_precision_ = engine::Precision::kF32;  // that an engine was created for
  absl::Notification* load_entered_ = nullptr;                               // told when a loading begins
  absl::Notification* load_gate_ = nullptr;                                  // holds the loading of resnet50_v2
  absl::Notification* run_gate_ = nullptr;                                   // holds every forward pass
  absl::Notification* entered_ = nullptr;                                    // told when a forward pass begins
  bool fail_runs_ = false;
  std::unique_ptr<Classifier> classifier_;
};

}  // namespace graft::inference
