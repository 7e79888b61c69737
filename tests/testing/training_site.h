// A whole training installation in a temporary folder: database, stores, weights and a data set of coloured pictures.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/digest.h"
#include "core/dataset/import.h"
#include "core/weights/safetensors.h"
#include "core/workflow/train_workflow.h"
#include "tests/testing/bmp.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::testing {

// One thread at a time.
class TrainingSite {
 public:
  static constexpr char kBackbone[] = "mobilenet_v2";

  // With fake engines, which it counts; and with bf16 if that has an arithmetic.
  void Open(std::optional<FakeEngine::Arithmetic> bf16 = std::nullopt, bool bf16_is_faster = true) {
    Open({.id = [](const std::string&, engine::Precision precision) { return FakeEngine::IdOf(precision); },
          .create =
              [this, bf16](const weights::StoredWeights&, const engine::EngineTarget& target) {
                return MakeEngine(target.precision == engine::Precision::kF32 ? FakeEngine::Arithmetic::kExact : *bf16);
              },
          .supports =
              [bf16](const std::string&, engine::Precision precision) {
                return precision == engine::Precision::kF32 || bf16.has_value();
              },
          .is_bf16_faster = [bf16, bf16_is_faster](const std::string&) { return bf16.has_value() && bf16_is_faster; }});
  }
  void Open(workflow::EngineFactory factory) {
    ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(folder_ / "graft.db"));
    ASSERT_OK_AND_ASSIGN(blobs_, store::BlobStore::Open(folder_ / "blobs", database_.get()));
    datasets_.emplace(database_.get(), blobs_.get());
    jobs_.emplace(database_.get());
    registry_.emplace(database_.get(), folder_ / "models");
    features_.emplace(folder_ / "features", int64_t{1} << 30);
    engines_.emplace(std::move(factory));
  }

  void PutWeights() {
    ASSERT_OK(weights::PutWeights(weights_root(), kBackbone, weights::Serialize({}, {{"made", "up"}}), "test", "none"));
  }

  // Classes blue, green and red, `per_class` pictures each; the first `mislabelled` have the label of the next class.
  void ImportPictures(const std::string& name, int per_class, int mislabelled = 0) {
    ASSERT_OK_AND_ASSIGN(const auto import, dataset::Import::Start({.dataset = name}, {}, &*datasets_, &*database_));
    std::vector<dataset::AnnouncedFile> files;
    std::map<std::string, std::string> pictures;
    for (int i = 0; i < 3 * per_class; ++i) {
      static constexpr std::pair<const char*, Colour> kClasses[] = {
          {"blue", {40, 40, 200}}, {"green", {40, 200, 40}}, {"red", {200, 40, 40}}};
      const Colour& colour = kClasses[i % 3].second;
      const char* label = kClasses[(i < mislabelled ? i + 1 : i) % 3].first;
      std::string bytes = MakeBmp(16, colour, static_cast<uint32_t>(i));
      const std::string sha256 = Sha256Hex(bytes);
      files.push_back({.path = std::string(label) + "/" + std::to_string(i) + ".bmp",
                       .label = label,
                       .sha256 = sha256,
                       .size_bytes = static_cast<int64_t>(bytes.size())});
      pictures[sha256] = std::move(bytes);
    }
    ASSERT_OK(import->Announce(files));
    ASSERT_OK_AND_ASSIGN(const std::vector<std::string> missing, import->FinishAnnouncing());
    for (const std::string& sha256 : missing) ASSERT_OK(import->AddBlob(sha256, pictures[sha256]));
    ASSERT_OK(import->Commit([](const dataset::ImportProgress&) {}));
  }

  // A resolved spec on version 1 of `dataset`.
  static jobs::TrainSpec Spec(const std::string& dataset) {
    return {.dataset = VersionName("datasets", dataset, 1),
            .backbone = kBackbone,
            .model = "colours",
            .preset = "article",
            .device = "cpu",
            .decode = "scaled",
            .precision = "auto",
            .epochs = 5,
            .patience = 3,
            .batch_size = 8,
            .learning_rate = 1e-3,
            .train_fraction = 0.6,
            .validation_fraction = 0.2,
            .seed = 7};
  }

  jobs::Claim SubmitAndClaim(const jobs::TrainSpec& spec) {
    EXPECT_OK(jobs_->Submit(spec, spec, ""));
    return Claim(spec.device);
  }
  jobs::Claim Claim(const std::string& device) {
    auto claim = jobs_->ClaimNext(device, "test");
    EXPECT_OK(claim);
    EXPECT_TRUE(claim.ok() && claim->has_value());
    return claim.ok() && claim->has_value() ? **claim : jobs::Claim{};
  }

  // Of the job, as far as they are of this kind.
  template <typename Body>
  std::vector<Body> EventsOf(const std::string& job_id) {
    const auto events = jobs_->Events(job_id, 0, 10000);
    EXPECT_OK(events);
    std::vector<Body> bodies;
    for (const jobs::Event& event : events.value_or(std::vector<jobs::Event>{})) {
      if (const auto* body = std::get_if<Body>(&event.body)) bodies.push_back(*body);
    }
    return bodies;
  }

  workflow::Resources resources() {
    return {.database = database_.get(),
            .blobs = blobs_.get(),
            .datasets = &*datasets_,
            .jobs = &*jobs_,
            .registry = &*registry_,
            .features = &*features_,
            .engines = &*engines_,
            .weights_root = weights_root(),
            .jobs_root = jobs_root(),
            .threads = 2};
  }
  jobs::JobStore& jobs() { return *jobs_; }
  registry::Registry& registry() { return *registry_; }
  std::string weights_root() const { return folder_ / "weights"; }
  std::string jobs_root() const { return folder_ / "jobs"; }
  std::string features_root() const { return folder_ / "features"; }
  int engines_made() const { return engines_made_; }
  // The next `count` engines run out of memory at once.
  void RunOutOfMemory(int count) { short_engines_ = count; }
  // The engine made last.
  FakeEngine* engine() { return engine_; }

 private:
  absl::StatusOr<std::unique_ptr<engine::Engine>> MakeEngine(FakeEngine::Arithmetic arithmetic) {
    auto facts = network::FindBackbone(kBackbone);
    if (!facts.ok()) return facts.status();
    auto engine = std::make_unique<FakeEngine>(*facts, /*preferred_batch=*/1, arithmetic);
    ++engines_made_;
    engine_ = engine.get();
    if (short_engines_ > 0) engine->FailFromNowOn(absl::StatusCode::kResourceExhausted);
    if (short_engines_ > 0) --short_engines_;
    return engine;
  }

  TemporaryFolder folder_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::BlobStore> blobs_;
  std::optional<dataset::DatasetStore> datasets_;
  std::optional<jobs::JobStore> jobs_;
  std::optional<registry::Registry> registry_;
  std::optional<features::FeatureCache> features_;
  std::optional<workflow::EngineCache> engines_;
  int engines_made_ = 0, short_engines_ = 0;
  FakeEngine* engine_ = nullptr;
};

}  // namespace graft::testing
