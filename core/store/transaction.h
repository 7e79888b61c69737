// The inside of a Database::Write or Read step. Includes SOCI: for .cc files that hold SQL, never for headers.
#pragma once

#include <soci/soci.h>

namespace graft::store {

// One thread, only during the step it was passed to. SOCI throws; Database turns that into a Status.
class Transaction {
 public:
  explicit Transaction(soci::session& sql) : sql_(sql) {}
  soci::session& sql() { return sql_; }

 private:
  soci::session& sql_;
};

}  // namespace graft::store
