#include "server/main/access_commands.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/access/access_store.h"
#include "core/access/audit_log.h"
#include "core/base/data_folder.h"
#include "core/base/errors.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"

namespace graft {
namespace {

using access::AccessStore;
using access::Grant;
using access::Kind;

constexpr int kAuditRowsAtOnce = 1000;
constexpr absl::Duration kMaxLifetime = absl::Hours(24 * 3660);

struct Options {
  std::string data_dir, name, role, identity;
  std::string expires = "90d";
  std::vector<std::string> prefixes;
  int64_t after = 0;
};
using Action = std::function<absl::Status(const Options&, store::Database&, std::ostream& out)>;

std::string Operator() {
  return absl::StrCat("operator, uid ", geteuid());
}

absl::StatusOr<absl::Duration> ParseLifetime(absl::string_view text) {
  absl::string_view days = text;
  int64_t count = 0;
  absl::Duration lifetime;
  const bool in_days = absl::ConsumeSuffix(&days, "d") && absl::SimpleAtoi(days, &count);
  if (in_days) lifetime = absl::Hours(24) * count;
  if ((in_days || absl::ParseDuration(text, &lifetime)) && lifetime > absl::ZeroDuration() &&
      lifetime <= kMaxLifetime) {
    return lifetime;
  }
  return InvalidField("--expires", absl::StrCat("'", text, "' is no time of at most 3660d, such as 90d or 12h"));
}

absl::StatusOr<access::Principal> PrincipalOf(const Options& options) {
  access::Principal principal = {.name = options.name, .prefixes = options.prefixes};
  ASSIGN_OR_RETURN(principal.role, access::ParseRole("--role", options.role));
  return principal;
}

absl::Status CreateToken(const Options& options, store::Database& database, std::ostream& out) {
  ASSIGN_OR_RETURN(const absl::Duration lifetime, ParseLifetime(options.expires));
  ASSIGN_OR_RETURN(const access::Principal principal, PrincipalOf(options));
  ASSIGN_OR_RETURN(const std::string token, AccessStore(&database).CreateToken(principal, lifetime, Operator()));
  out << token << std::endl;
  return absl::OkStatus();
}

absl::Status AddCertificate(const Options& options, store::Database& database, std::ostream& /*out*/) {
  ASSIGN_OR_RETURN(const access::Principal principal, PrincipalOf(options));
  return AccessStore(&database).AddCertificate(principal, options.identity, Operator());
}

std::string StateOf(const Grant& grant, absl::Time now) {
  const auto day = [](absl::Time time) { return absl::FormatTime("%Y-%m-%d %H:%M", time, absl::UTCTimeZone()); };
  if (grant.revoke_time <= now) return absl::StrCat("ended ", day(grant.revoke_time));
  if (grant.expire_time <= now) return absl::StrCat("expired ", day(grant.expire_time));
  return grant.expire_time == absl::InfiniteFuture() ? "valid" : absl::StrCat("valid until ", day(grant.expire_time));
}

Action List(Kind kind) {
  return [kind](const Options&, store::Database& database, std::ostream& out) -> absl::Status {
    ASSIGN_OR_RETURN(const std::vector<Grant> grants, AccessStore(&database).List());
    out << absl::StreamFormat("%-24s  %-9s  %-28s  %s\n", "NAME", "ROLE", "STATE (UTC)", "ONLY NAMES THAT START WITH");
    for (const Grant& grant : grants) {
      if (grant.kind != kind) continue;
      out << absl::StreamFormat("%-24s  %-9s  %-28s  %s%s\n", grant.principal.name, NameOf(grant.principal.role),
                                StateOf(grant, absl::Now()), absl::StrJoin(grant.principal.prefixes, ", "),
                                kind == Kind::kCertificate ? absl::StrCat("  [", grant.secret, "]") : "");
    }
    return absl::OkStatus();
  };
}

Action Revoke(Kind kind) {
  return [kind](const Options& options, store::Database& database, std::ostream&) {
    return AccessStore(&database).Revoke(kind, options.name, Operator());
  };
}

// One JSON object a line, whose strings have no line breaks.
absl::Status PrintAudit(const Options& options, store::Database& database, std::ostream& out) {
  access::AuditLog log(&database);
  int64_t after = options.after;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<access::AuditEntry> entries, log.After(after, kAuditRowsAtOnce));
    for (const access::AuditEntry& entry : entries) {
      const nlohmann::ordered_json line = {
          {"sequence", entry.sequence},
          {"time", absl::FormatTime(absl::RFC3339_full, entry.time, absl::UTCTimeZone())},
          {"principal", entry.principal},
          {"action", entry.action},
          {"resources", entry.resources},
          {"decision", entry.decision},
          {"request_id", entry.request_id}};
      out << line.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) << "\n";
      after = entry.sequence;
    }
    if (entries.size() < static_cast<size_t>(kAuditRowsAtOnce)) return absl::OkStatus();
  }
}

void DefinePrincipal(CLI::App& command, Options& options) {
  command.add_option("name", options.name, "Who it is, in logs and in the audit log")->required();
  command.add_option("--role", options.role, "viewer, predictor, trainer or admin")->required();
  command.add_option("--prefix", options.prefixes, "Only data sets and models whose names start with it; repeatable")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Define(CLI::App& app, Options& options, Action& chosen) {
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--data-dir", options.data_dir, "The server's data folder")->envname("GRAFT_DATA_DIR")->required();
  const auto add = [&chosen](CLI::App& parent, const std::string& name, const std::string& text, Action action) {
    CLI::App* command = parent.add_subcommand(name, text);
    command->callback([&chosen, action = std::move(action)] { chosen = action; });
    return command;
  };
  CLI::App* token = app.add_subcommand("token", "Bearer tokens, of which the server keeps the SHA-256 alone");
  token->require_subcommand(1)->fallthrough();
  CLI::App* create = add(*token, "create", "Make one and print it; it cannot be read again", CreateToken);
  DefinePrincipal(*create, options);
  create->add_option("--expires", options.expires, "After which time, such as 90d or 12h")->capture_default_str();
  add(*token, "list", "All there were", List(Kind::kToken));
  add(*token, "revoke", "End one; a running server knows within a second", Revoke(Kind::kToken))
      ->add_option("name", options.name)
      ->required();
  CLI::App* certificate = app.add_subcommand("certificate", "Client certificates that --tls-client-ca signed");
  certificate->require_subcommand(1)->fallthrough();
  CLI::App* add_one = add(*certificate, "add", "Say who a name in a certificate is", AddCertificate);
  DefinePrincipal(*add_one, options);
  add_one->add_option("--identity", options.identity, "An alternative name (DNS, URI) or the common name in it")
      ->required();
  add(*certificate, "list", "All there were", List(Kind::kCertificate));
  add(*certificate, "revoke", "End one", Revoke(Kind::kCertificate))->add_option("name", options.name)->required();
  add(app, "audit", "Print who changed what, a JSON object a line", PrintAudit)
      ->add_option("--after", options.after, "Leave out what is up to this sequence number")
      ->check(CLI::NonNegativeNumber);
}

absl::Status Run(const Options& options, const Action& action, std::ostream& out) {
  const DataFolder data{options.data_dir};
  RETURN_IF_ERROR(WithContext(CreateFolders(data.root), "--data-dir"));
  ASSIGN_OR_RETURN(const std::unique_ptr<store::Database> database, store::Database::Open(data.database()));
  return action(options, *database, out);
}

}  // namespace

bool IsAccessCommand(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return false;
  const std::string& word = arguments.front();
  return word == "token" || word == "certificate" || word == "audit";
}

int RunAccessCommand(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
  CLI::App app("Who may use a Graft server, and who changed what.", "graft-server");
  Options options;
  Action action;
  Define(app, options, action);
  try {
    std::vector<std::string> words(arguments.rbegin(), arguments.rend());  // the order CLI11 takes them in
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error, out, err);
    err << "graft-server: " << error.what() << " (--help lists what there is)\n";
    return 2;
  }
  const absl::Status status = Run(options, action, out);
  if (status.ok()) return 0;
  err << "graft-server: " << status.message() << "\n";
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace graft
