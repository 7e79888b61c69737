// Which roles may call which RPC, and which fields of its requests name what they must be allowed to use. An RPC
// without a row is closed to all.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/access/principal.h"

namespace google::protobuf {
class Message;
}

namespace graft::access {

enum class Resource { kDataset, kModel, kJob };

// A string field, or repeated string field, of the request: "spec.dataset". An empty one names nothing.
struct NameField {
  Resource resource;
  const char* path;
};

struct Rule {
  const char* method;   // "graft.v1.TrainingService/GetJob"
  Roles roles;          // 0: everybody, also without credentials
  bool change = false;  // goes into the audit log
  std::vector<NameField> names = {};
};

absl::Span<const Rule> Policy();
// Null without a row.
const Rule* FindRule(absl::string_view method);

struct NamedResource {
  Resource resource;
  std::string name;  // as the caller wrote it, not empty
};
// What `request` names by the rule's fields. Fields that the message does not have are a bug in the rule: it aborts.
std::vector<NamedResource> NamesIn(const Rule& rule, const google::protobuf::Message& request);

}  // namespace graft::access
