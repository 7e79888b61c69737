// Lists show a principal what is within its prefixes, and nothing of the rest.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/access/principal.h"
#include "core/base/status_macros.h"
#include "core/jobs/job.h"

namespace graft::services {

// The data sets and models that a job uses, empty where it uses none.
inline std::vector<std::string> NamesOfJob(const jobs::Job& job) {
  std::vector<std::string> names;
  for (const std::string& name : {job.spec.dataset, job.spec.model, job.spec.init_from, job.spec.teacher}) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

inline bool MayUseJob(const access::Principal& principal, const jobs::Job& job) {
  for (const std::string& name : NamesOfJob(job)) {
    if (!principal.MayUse(name)) return false;
  }
  return true;
}

// Whether somebody `limited` sees all of it or a part: the first `wanted` items after `key` that `visible` shows:
// `read(key, limit)` reads on after a key, `key_of(item)`.
template <typename Item, typename Read, typename KeyOf, typename Visible>
absl::StatusOr<std::vector<Item>> VisiblePage(bool limited, std::string key, int wanted, Read read, KeyOf key_of,
                                              Visible visible) {
  const int batch = limited ? std::max(wanted, 500) : wanted;  // few reads, however little of it is visible
  std::vector<Item> page;
  while (true) {
    ASSIGN_OR_RETURN(std::vector<Item> items, read(key, batch));
    const bool last = items.size() < static_cast<size_t>(batch);
    if (!items.empty()) key = key_of(items.back());
    for (Item& item : items) {
      if (!visible(item)) continue;
      page.push_back(std::move(item));
      if (page.size() == static_cast<size_t>(wanted)) return page;
    }
    if (last) return page;
  }
}

}  // namespace graft::services
