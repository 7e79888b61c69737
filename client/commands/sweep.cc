#include "client/commands/sweep.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"

namespace graft::commands {
namespace {

constexpr int kMostValues = 256;

absl::Status Refuse(absl::string_view text, absl::string_view why) {
  return InvalidField("--sweep", absl::StrCat("'", text, "' ", why, "; use lr=A/B/C or lr=LOW:HIGH:COUNT"));
}

absl::Status AddRange(absl::string_view text, const std::vector<absl::string_view>& parts, v1::SweptField& swept) {
  double low = 0, high = 0;
  int count = 0;
  if (parts.size() != 3 || !absl::SimpleAtod(parts[0], &low) || !absl::SimpleAtod(parts[1], &high) ||
      !absl::SimpleAtoi(parts[2], &count)) {
    return Refuse(text, "is not a range");
  }
  if (!(low > 0 && low < high && std::isfinite(high))) return Refuse(text, "needs 0 < LOW < HIGH");
  if (count < 2 || count > kMostValues) return Refuse(text, absl::StrCat("needs a COUNT of 2 to ", kMostValues));
  for (int i = 0; i < count; ++i) {
    // The ends are as given, to the bit.
    const double share = static_cast<double>(i) / (count - 1);
    swept.add_values(i == 0 ? low : i == count - 1 ? high : low * std::pow(high / low, share));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::SweptField> ParseSweep(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(text, absl::MaxSplits('=', 1));
  if (field.first.empty() || field.second.empty()) return Refuse(text, "has no values");
  v1::SweptField swept;
  swept.set_field(field.first == "lr" ? "learning_rate" : std::string(field.first));
  const std::vector<absl::string_view> range = absl::StrSplit(field.second, ':');
  if (range.size() > 1) {
    RETURN_IF_ERROR(AddRange(text, range, swept));
    return swept;
  }
  for (const absl::string_view value : absl::StrSplit(field.second, '/')) {
    double number = 0;
    if (!absl::SimpleAtod(value, &number)) return Refuse(text, absl::StrCat("has a value that is no number: ", value));
    swept.add_values(number);
  }
  return swept;
}

}  // namespace graft::commands
