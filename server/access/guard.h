// Decides about every call: who it is, whether that role may make it and how often, whether what it names is theirs,
// and what of it the audit log keeps.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/access/access_store.h"
#include "core/access/audit_log.h"
#include "core/access/rate_limiter.h"
#include "server/access/access_directory.h"
#include "server/access/policy.h"

namespace graft::access {

// What a call brought along.
struct Credentials {
  std::string authorization;            // the metadata's value: "Bearer graft_..."; empty without
  std::vector<std::string> identities;  // names in the client's verified certificate
};

// Who makes a call, for as long as it lasts.
struct Caller {
  std::shared_ptr<const Principal> principal;  // never null; Nobody() where an RPC asks for no credentials
  std::shared_ptr<void> stream = nullptr;      // its place among the principal's streams, if it is one
  // What it showed, for StillValid: a token's SHA-256 or a certificate's identity; empty: nothing.
  Kind kind = Kind::kToken;
  std::string secret = {};
};

struct GuardOptions {
  bool asks = true;  // false: every caller is Anonymous(), without limits of rate
  RateLimits rates;
};

// Thread-safe. What it points to outlives it.
class Guard {
 public:
  // The data sets and models that a job uses; ResourceNotFound without it.
  using NamesOfJob = std::function<absl::StatusOr<std::vector<std::string>>(absl::string_view job)>;

  Guard(const AccessDirectory* directory, AuditLog* audit, NamesOfJob names_of_job, const GuardOptions& options)
      : directory_(directory),
        audit_(audit),
        names_of_job_(std::move(names_of_job)),
        options_(options),
        rates_(options.rates) {}

  // Never blocks. Unauthenticated, PermissionDenied, RetryLater(ResourceExhausted). `denied` gets who was denied a
  // change, for Record.
  absl::StatusOr<Caller> Admit(const Credentials& credentials, absl::string_view method, bool is_stream,
                               std::shared_ptr<const Principal>* denied) const;

  // Unauthenticated once what the caller showed has been revoked or has expired: streams outlive that. Never blocks.
  absl::Status StillValid(const Caller& caller) const;
  // Whether `principal` may use the data sets and models that a message names: ResourceNotFound for names beyond its
  // prefixes, whether or not they exist. Never blocks; for messages that name no job and ask for no change.
  absl::Status CheckNames(const Principal& principal, absl::string_view method,
                          const google::protobuf::Message& message) const;
  // The same for every message, jobs included; then, or when it is refused, the audit log has it if it asks for a
  // change. Reads and writes the database.
  absl::Status Authorize(const Principal& principal, absl::string_view method, const google::protobuf::Message& message,
                         const std::string& request_id) const;
  // That `principal` was denied a change; where that fails the server's log has it.
  void RecordDenial(const Principal& principal, absl::string_view method, std::vector<std::string> resources,
                    const absl::Status& why, const std::string& request_id) const;

 private:
  absl::StatusOr<Caller> Identify(const Credentials& credentials) const;
  absl::Status CheckName(const Principal& principal, const NamedResource& named) const;

  const AccessDirectory* const directory_;
  AuditLog* const audit_;
  const NamesOfJob names_of_job_;
  const GuardOptions options_;
  mutable RateLimiter rates_;
};

// What a message names, for RecordDenial.
std::vector<std::string> ResourcesIn(absl::string_view method, const google::protobuf::Message& message);

}  // namespace graft::access
