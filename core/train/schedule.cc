#include "core/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace graft::train {
namespace {

constexpr double kPlateauFactor = 0.1;
constexpr double kPlateauMinimumChange = 1e-4;
constexpr int kPlateauPatience = 3;
constexpr double kStepFactor = 0.1;
constexpr int kSteps = 3;
// torch.optim.lr_scheduler.OneCycleLR: div_factor, final_div_factor, pct_start.
constexpr double kOneCycleStart = 1.0 / 25, kOneCycleEnd = kOneCycleStart / 1e4, kOneCycleRise = 0.3;

// Along half a cosine, `progress` in 0 .. 1.
double Anneal(double from, double to, double progress) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * progress)) / 2;
}

// As in torch, the last update has the last value.
double OneCycle(double update, double updates) {
  const double peak = std::max(1.0, kOneCycleRise * updates - 1), last = std::max(peak + 1, updates - 1);
  return update <= peak ? Anneal(kOneCycleStart, 1, update / peak)
                        : Anneal(1, kOneCycleEnd, (update - peak) / (last - peak));
}

}  // namespace

void ObserveLoss(PlateauState& state, double validation_loss) {
  const bool lower = state.epochs == 0 || validation_loss < state.lowest_loss - kPlateauMinimumChange;
  ++state.epochs;
  if (lower) {
    state.lowest_loss = validation_loss;
    state.epochs_waited = 0;
  } else if (++state.epochs_waited >= kPlateauPatience) {
    state.factor *= kPlateauFactor;
    state.epochs_waited = 0;
  }
}

double LearningRateFactor(const PhaseOptions& phase, int64_t update, int64_t updates_per_epoch,
                          const PlateauState& plateau) {
  const double updates = static_cast<double>(updates_per_epoch) * phase.epochs;
  if (phase.schedule == Schedule::kOneCycle) return OneCycle(static_cast<double>(update), updates);

  const double warmup = std::min(updates, phase.warmup_epochs * static_cast<double>(updates_per_epoch));
  const double since_warmup = static_cast<double>(update) - warmup;
  if (since_warmup < 0) return static_cast<double>(update + 1) / (warmup + 1);
  switch (phase.schedule) {
    case Schedule::kCosine:
      return Anneal(1, 0, since_warmup / std::max(1.0, updates - warmup));
    case Schedule::kStep:
      return std::pow(kStepFactor, std::min(kSteps - 1.0, std::floor(kSteps * static_cast<double>(update) / updates)));
    case Schedule::kPlateau:
      return plateau.factor;
    case Schedule::kConstant:
    case Schedule::kOneCycle:
      break;
  }
  return 1;
}

}  // namespace graft::train
