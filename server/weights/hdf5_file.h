// The few things an import asks of an HDF5 file, bounded and without libhdf5's types or error output.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace graft::server {

inline constexpr int64_t kMaxHdf5Bytes = int64_t{2} << 30;

// An HDF5 file, open for reading. Links into other files are not followed. Paths are relative to the root group.
// One thread at a time.
class Hdf5File {
 public:
  // NotFound, or InvalidArgument for what is not HDF5, is truncated or is larger than kMaxHdf5Bytes.
  static absl::StatusOr<std::unique_ptr<Hdf5File>> Open(const std::string& path);
  ~Hdf5File();
  Hdf5File(const Hdf5File&) = delete;
  Hdf5File& operator=(const Hdf5File&) = delete;

  bool HasGroup(const std::string& group) const;

  // A string array attribute of a group; NotFound where there is none, InvalidArgument where it is something else or
  // has more than 4096 strings.
  absl::StatusOr<std::vector<std::string>> ReadStrings(const std::string& group, const std::string& attribute) const;

  // Shape and values (as float32, row-major) of a data set of floating-point numbers. NotFound, or InvalidArgument for
  // another type, more than 8 dimensions, more than 2^28 values, or data that cannot be read.
  absl::StatusOr<std::vector<int64_t>> ReadShape(const std::string& dataset) const;
  absl::StatusOr<std::vector<float>> ReadFloats(const std::string& dataset) const;

 private:
  struct State;
  explicit Hdf5File(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace graft::server
