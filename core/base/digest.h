// SHA-256, the name of every blob, weight file and data set version. Digests are 64 lower-case hex digits.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace graft {

// Incremental SHA-256. One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(absl::string_view bytes);
  // The digest of all bytes so far, as hex; ends this object's use.
  std::string HexDigest();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string Sha256Hex(absl::string_view bytes);

// True for exactly 64 lower-case hex digits.
bool IsSha256Hex(absl::string_view text);

}  // namespace graft
