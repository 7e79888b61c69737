#include "core/registry/alias_rows.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/errors.h"
#include "core/registry/version_rows.h"
#include "core/store/transaction.h"

namespace graft::registry {
namespace {

using soci::into;
using soci::use;

struct Move {
  long long sequence = 0;
  int number = 0;
  long long back = 0;
};

std::optional<Move> MoveAt(soci::session& sql, long long sequence) {
  Move move{.sequence = sequence};
  sql << "SELECT number, back FROM model_alias_history WHERE sequence = :sequence", use(sequence), into(move.number),
      into(move.back);
  return sql.got_data() ? std::optional<Move>(move) : std::nullopt;
}

std::optional<Move> LastMove(soci::session& sql, const std::string& model, const std::string& alias) {
  Move move;
  sql << "SELECT sequence, number, back FROM model_alias_history WHERE model = :model AND alias = :alias "
         "ORDER BY sequence DESC LIMIT 1",
      use(model), use(alias), into(move.sequence), into(move.number), into(move.back);
  return sql.got_data() ? std::optional<Move>(move) : std::nullopt;
}

void PointAlias(soci::session& sql, const std::string& model, const std::string& alias, int number, long long back,
                bool is_rollback) {
  const long long now = absl::ToUnixMicros(absl::Now());
  const int rollback = is_rollback ? 1 : 0;
  sql << "INSERT INTO model_aliases (model, alias, number) VALUES (:model, :alias, :number) "
         "ON CONFLICT (model, alias) DO UPDATE SET number = excluded.number",
      use(model), use(alias), use(number);
  sql << "INSERT INTO model_alias_history (model, alias, number, time_us, back, is_rollback) "
         "VALUES (:model, :alias, :number, :time, :back, :rollback)",
      use(model), use(alias), use(number), use(now), use(back), use(rollback);
}

}  // namespace

std::optional<int> NumberOfAlias(store::Transaction& transaction, const std::string& model, const std::string& alias) {
  soci::session& sql = transaction.sql();
  int number = 0;
  sql << "SELECT number FROM model_aliases WHERE model = :model AND alias = :alias", use(model), use(alias),
      into(number);
  return sql.got_data() ? std::optional<int>(number) : std::nullopt;
}

std::map<std::string, int> ReadAliases(store::Transaction& transaction, const std::string& model) {
  std::map<std::string, int> aliases;
  std::string alias;
  int number = 0;
  soci::statement select = (transaction.sql().prepare << "SELECT alias, number FROM model_aliases WHERE model = :model",
                            use(model), into(alias), into(number));
  for (select.execute(); select.fetch();) aliases[alias] = number;
  return aliases;
}

void MoveAlias(store::Transaction& transaction, const std::string& model, const std::string& alias, int number) {
  if (NumberOfAlias(transaction, model, alias) == number) return;
  soci::session& sql = transaction.sql();
  const std::optional<Move> last = LastMove(sql, model, alias);
  PointAlias(sql, model, alias, number, last ? last->sequence : 0, /*is_rollback=*/false);
}

absl::StatusOr<EarlierMove> FindRollbackTarget(store::Transaction& transaction, const std::string& model,
                                               const std::string& alias, int current) {
  soci::session& sql = transaction.sql();
  std::optional<Move> target = LastMove(sql, model, alias);
  const auto is_usable = [&](int number) { return number != current && HasVersion(transaction, model, number); };
  while (target && !is_usable(target->number)) target = MoveAt(sql, target->back);
  if (target) return EarlierMove{target->number, target->back};
  return PreconditionFailed(absl::StrCat(model, "@", alias),
                            absl::StrCat("there is no earlier version to roll back to: the alias points to version ",
                                         current, " and no other that it pointed to before is left"));
}

void MoveAliasBack(store::Transaction& transaction, const std::string& model, const std::string& alias,
                   const EarlierMove& target) {
  PointAlias(transaction.sql(), model, alias, target.number, target.back, /*is_rollback=*/true);
}

bool WasRolledBackFrom(store::Transaction& transaction, const std::string& model, const std::string& alias,
                       int number) {
  const std::vector<AliasMove> last = ReadAliasHistory(transaction, model, alias, 0, 1);
  return !last.empty() && last.front().is_rollback && last.front().from == number;
}

std::vector<AliasMove> ReadAliasHistory(store::Transaction& transaction, const std::string& model,
                                        const std::string& alias, int64_t before_sequence, int limit) {
  std::vector<AliasMove> moves;
  const long long before = before_sequence;
  AliasMove move;
  long long sequence = 0;
  long long time = 0;
  int is_rollback = 0;
  int exists = 0;
  soci::statement select =
      (transaction.sql().prepare
           << "SELECT sequence, alias, number, time_us, is_rollback, "
              "COALESCE((SELECT earlier.number FROM model_alias_history AS earlier "
              "WHERE earlier.model = history.model AND earlier.alias = history.alias "
              "AND earlier.sequence < history.sequence ORDER BY earlier.sequence DESC LIMIT 1), 0), "
              "EXISTS (SELECT 1 FROM model_versions AS version "
              "WHERE version.model = history.model AND version.number = history.number) "
              "FROM model_alias_history AS history WHERE model = :model AND (:alias = '' OR alias = :alias) "
              "AND (:before = 0 OR sequence < :before) ORDER BY sequence DESC LIMIT :limit",
       use(model, "model"), use(alias, "alias"), use(before, "before"), use(limit, "limit"), into(sequence),
       into(move.alias), into(move.number), into(time), into(is_rollback), into(move.from), into(exists));
  for (select.execute(); select.fetch();) {
    move.sequence = sequence;
    move.time = absl::FromUnixMicros(time);
    move.is_rollback = is_rollback != 0;
    move.version_exists = exists != 0;
    moves.push_back(move);
  }
  return moves;
}

}  // namespace graft::registry
