#include "server/access/guard.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/status_macros.h"

namespace graft::access {
namespace {

// Of one that is always there.
std::shared_ptr<const Principal> Shared(const Principal& principal) {
  return {std::shared_ptr<const Principal>(), &principal};
}

absl::Status BeyondPrefixes(Resource resource, absl::string_view name) {
  const absl::string_view type =
      resource == Resource::kDataset ? "dataset" : (resource == Resource::kModel ? "model" : "job");
  return ResourceNotFound(type, name, "or it is not among those that this principal may use");
}

std::vector<std::string> NamesOf(const std::vector<NamedResource>& resources) {
  std::vector<std::string> names;
  for (const NamedResource& resource : resources) names.push_back(resource.name);
  return names;
}

}  // namespace

std::vector<std::string> ResourcesIn(absl::string_view method, const google::protobuf::Message& message) {
  const Rule* rule = FindRule(method);
  return rule == nullptr ? std::vector<std::string>() : NamesOf(NamesIn(*rule, message));
}

absl::StatusOr<Caller> Guard::Identify(const Credentials& credentials) const {
  if (!options_.asks) return Caller{.principal = Shared(Anonymous())};
  if (!credentials.authorization.empty()) {
    absl::string_view token = credentials.authorization;
    if (!absl::StartsWithIgnoreCase(token, "bearer ")) {
      return absl::UnauthenticatedError("the metadata 'authorization' must be 'Bearer TOKEN'");
    }
    token.remove_prefix(7);
    std::string secret = Sha256Hex(token);
    if (auto principal = directory_->Find(Kind::kToken, secret)) {
      return Caller{.principal = std::move(principal), .kind = Kind::kToken, .secret = std::move(secret)};
    }
    return absl::UnauthenticatedError("the token is unknown, revoked or has expired");
  }
  for (const std::string& identity : credentials.identities) {
    if (auto principal = directory_->Find(Kind::kCertificate, identity)) {
      return Caller{.principal = std::move(principal), .kind = Kind::kCertificate, .secret = identity};
    }
  }
  return Caller{.principal = Shared(Nobody())};
}

absl::StatusOr<Caller> Guard::Admit(const Credentials& credentials, absl::string_view method, bool is_stream,
                                    std::shared_ptr<const Principal>* denied) const {
  const Rule* rule = FindRule(method);
  if (rule == nullptr) return absl::PermissionDeniedError(absl::StrCat(method, " has no rule, so nobody may call it"));
  absl::StatusOr<Caller> identified = Identify(credentials);
  const bool known = identified.ok() && identified->principal.get() != &Nobody();
  if (!known && rule->roles == 0) return Caller{.principal = Shared(Nobody())};
  if (!identified.ok()) return identified.status();
  Caller caller = *std::move(identified);
  if (!known) {
    return absl::UnauthenticatedError(
        "this server asks who calls: send a token (GRAFT_TOKEN, or the metadata 'authorization: Bearer TOKEN') or "
        "a client certificate that it knows; graft-server token create makes a token");
  }
  // Also what is denied counts: each denial of a change is a row of the audit log.
  if (options_.asks) RETURN_IF_ERROR(rates_.Take(caller.principal->name, absl::Now()));
  if (rule->roles != 0 && (rule->roles & static_cast<Roles>(caller.principal->role)) == 0) {
    if (rule->change) *denied = caller.principal;
    return absl::PermissionDeniedError(absl::StrCat(caller.principal->name, " is a ", NameOf(caller.principal->role),
                                                    "; ", method, " is for ", NamesOf(rule->roles)));
  }
  if (options_.asks && is_stream) {
    ASSIGN_OR_RETURN(caller.stream, rates_.TakeStream(caller.principal->name));
  }
  return caller;
}

absl::Status Guard::StillValid(const Caller& caller) const {
  if (caller.secret.empty() || directory_->Find(caller.kind, caller.secret) != nullptr) return absl::OkStatus();
  return absl::UnauthenticatedError("the token or certificate has been revoked, or has expired");
}

absl::Status Guard::CheckNames(const Principal& principal, absl::string_view method,
                               const google::protobuf::Message& message) const {
  if (!principal.limited()) return absl::OkStatus();
  const Rule* rule = FindRule(method);
  if (rule == nullptr) return absl::OkStatus();
  for (const NamedResource& named : NamesIn(*rule, message)) {
    if (named.resource == Resource::kJob || principal.MayUse(named.name)) continue;
    return BeyondPrefixes(named.resource, named.name);
  }
  return absl::OkStatus();
}

absl::Status Guard::CheckName(const Principal& principal, const NamedResource& named) const {
  std::vector<std::string> used = {named.name};
  if (named.resource == Resource::kJob) {
    absl::string_view id = named.name;
    absl::ConsumePrefix(&id, "jobs/");
    absl::StatusOr<std::vector<std::string>> of_job = names_of_job_(id);
    if (absl::IsNotFound(of_job.status())) return BeyondPrefixes(named.resource, named.name);
    ASSIGN_OR_RETURN(used, std::move(of_job));
  }
  const auto may_use = [&principal](const std::string& one) { return principal.MayUse(one); };
  return std::all_of(used.begin(), used.end(), may_use) ? absl::OkStatus() : BeyondPrefixes(named.resource, named.name);
}

absl::Status Guard::Authorize(const Principal& principal, absl::string_view method,
                              const google::protobuf::Message& message, const std::string& request_id) const {
  const Rule* rule = FindRule(method);
  if (rule == nullptr || (!rule->change && !principal.limited())) return absl::OkStatus();
  const std::vector<NamedResource> names = NamesIn(*rule, message);
  std::vector<std::string> resources = NamesOf(names);
  if (principal.limited()) {
    for (const NamedResource& named : names) {
      const absl::Status status = CheckName(principal, named);
      if (status.ok()) continue;
      if (rule->change) RecordDenial(principal, method, std::move(resources), status, request_id);
      return status;
    }
  }
  // A stream's later messages name nothing.
  if (!rule->change || (names.empty() && !rule->names.empty())) return absl::OkStatus();
  return audit_->Append({.principal = principal.name,
                         .action = std::string(method),
                         .resources = std::move(resources),
                         .request_id = request_id});
}

void Guard::RecordDenial(const Principal& principal, absl::string_view method, std::vector<std::string> resources,
                         const absl::Status& why, const std::string& request_id) const {
  const absl::Status written = audit_->Append({.principal = principal.name,
                                               .action = std::string(method),
                                               .resources = std::move(resources),
                                               .decision = absl::StrCat("denied: ", why.message()),
                                               .request_id = request_id});
  if (!written.ok()) spdlog::error("the audit log lacks a denial of {}: {}", principal.name, written.ToString());
}

}  // namespace graft::access
