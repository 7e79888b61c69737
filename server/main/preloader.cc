#include "server/main/preloader.h"

#include <spdlog/spdlog.h>

#include <string>
#include <variant>

namespace graft {
namespace {

constexpr int kModelsAtOnce = 100;
constexpr int kMaxWaitingLoads = 1000;

}  // namespace

Preloader::Preloader(inference::Classifier* classifier, registry::Registry* registry, jobs::ChangeFeed* feed)
    : classifier_(classifier), registry_(registry), loads_("preload", 1, kMaxWaitingLoads) {
  loads_.Run([this] { LoadProduction(); });
  published_ = feed->Subscribe([this](const jobs::FeedItem& item) {
    const auto* change = std::get_if<jobs::StateChanged>(&item.event.body);
    if (change == nullptr || !change->result) return;
    // A full queue leaves the load to the first Classify.
    loads_.TryRun([this, model = change->result->model_version] { Load(model); });
  });
}

void Preloader::Load(const std::string& model) {
  classifier_->Load(model, [model](const absl::Status& status) {
    if (!status.ok()) spdlog::warn("cannot load {}: {}", model, std::string(status.message()));
  });
}

void Preloader::LoadProduction() {
  std::string after;
  while (true) {
    const auto models = registry_->ListModels(after, kModelsAtOnce);
    if (!models.ok()) {
      spdlog::warn("cannot list models to load: {}", std::string(models.status().message()));
      return;
    }
    for (const registry::ModelSummary& model : *models) {
      if (model.aliases.count(registry::kProductionAlias) > 0)
        Load(model.latest.model + "@" + registry::kProductionAlias);
    }
    if (models->size() < kModelsAtOnce) return;
    after = models->back().latest.model;
  }
}

}  // namespace graft
