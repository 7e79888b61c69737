#include "server/weights/hdf5_file.h"

#include <hdf5.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace graft::server {
namespace {

constexpr hssize_t kMaxStrings = 4096;
constexpr size_t kMaxStringBytes = 512;
constexpr int kMaxRank = 8;
constexpr hssize_t kMaxValues = hssize_t{1} << 28;

// Closes an identifier with the function of its kind.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle& operator=(Handle&&) = delete;

  bool ok() const { return id_ >= 0; }
  hid_t get() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

absl::Status Unusable(const std::string& what, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", reason));
}

// A weights file has no business naming other files on this machine.
herr_t RefuseExternalLink(const char*, const char*, const char*, const char*, unsigned*, hid_t, void*) {
  return -1;
}

Handle AccessList(hid_t kind) {
  Handle list(H5Pcreate(kind), H5Pclose);
  if (list.ok()) H5Pset_elink_cb(list.get(), RefuseExternalLink, nullptr);
  return list;
}

absl::StatusOr<std::vector<std::string>> ReadFixedStrings(hid_t attribute, size_t count, size_t width) {
  std::string buffer(count * width, '\0');
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), width);
  H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
  if (H5Aread(attribute, type.get(), buffer.data()) < 0) return absl::InvalidArgumentError("cannot be read");
  std::vector<std::string> strings;
  for (size_t i = 0; i < count; ++i) {
    const std::string text = buffer.substr(i * width, width);
    strings.push_back(text.substr(0, text.find('\0')));
  }
  return strings;
}

absl::StatusOr<std::vector<std::string>> ReadVariableStrings(hid_t attribute, hid_t type, hid_t space, size_t count) {
  std::vector<char*> pointers(count, nullptr);
  if (H5Aread(attribute, type, pointers.data()) < 0) return absl::InvalidArgumentError("cannot be read");
  std::vector<std::string> strings;
  for (const char* pointer : pointers) strings.emplace_back(pointer == nullptr ? "" : pointer);
  H5Dvlen_reclaim(type, space, H5P_DEFAULT, pointers.data());
  return strings;
}

absl::StatusOr<std::vector<std::string>> ReadStringAttribute(hid_t attribute) {
  Handle type(H5Aget_type(attribute), H5Tclose), space(H5Aget_space(attribute), H5Sclose);
  const hssize_t count = space.ok() ? H5Sget_simple_extent_npoints(space.get()) : -1;
  // Before the type is asked for: Python stores an empty list of names as an empty array of numbers.
  if (count == 0) return std::vector<std::string>();
  if (!type.ok() || H5Tget_class(type.get()) != H5T_STRING) {
    return absl::InvalidArgumentError("is not an array of strings");
  }
  if (count < 0 || count > kMaxStrings) return absl::InvalidArgumentError("has too many strings");
  if (H5Tis_variable_str(type.get()) > 0) {
    // The type as stored is read back: it carries the character set, which must match.
    return ReadVariableStrings(attribute, type.get(), space.get(), static_cast<size_t>(count));
  }
  const size_t width = H5Tget_size(type.get());
  if (width == 0 || width > kMaxStringBytes) return absl::InvalidArgumentError("has too long strings");
  return ReadFixedStrings(attribute, static_cast<size_t>(count), width);
}

}  // namespace

struct Hdf5File::State {
  Handle file, group_access, dataset_access;

  // An open data set of floating-point numbers within the limits.
  absl::StatusOr<Handle> OpenFloats(const std::string& path, std::vector<int64_t>* shape) const {
    Handle dataset(H5Dopen2(file.get(), path.c_str(), dataset_access.get()), H5Dclose);
    if (!dataset.ok()) return absl::NotFoundError(absl::StrCat(path, ": not in the file"));
    Handle type(H5Dget_type(dataset.get()), H5Tclose), space(H5Dget_space(dataset.get()), H5Sclose);
    Handle creation(H5Dget_create_plist(dataset.get()), H5Pclose);
    if (!type.ok() || H5Tget_class(type.get()) != H5T_FLOAT) return Unusable(path, "is not floating-point");
    if (!creation.ok() || H5Pget_external_count(creation.get()) != 0) return Unusable(path, "lies in another file");
    const int rank = space.ok() ? H5Sget_simple_extent_ndims(space.get()) : -1;
    if (rank < 0 || rank > kMaxRank) return Unusable(path, "has too many dimensions");
    hsize_t dimensions[kMaxRank] = {};
    H5Sget_simple_extent_dims(space.get(), dimensions, nullptr);
    const hssize_t values = H5Sget_simple_extent_npoints(space.get());
    if (values < 0 || values > kMaxValues) return Unusable(path, "has too many values");
    for (int i = 0; i < rank; ++i) shape->push_back(static_cast<int64_t>(dimensions[i]));
    return dataset;
  }
};

Hdf5File::Hdf5File(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hdf5File::~Hdf5File() = default;

absl::StatusOr<std::unique_ptr<Hdf5File>> Hdf5File::Open(const std::string& path) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // what goes wrong is said by our own messages
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("open ", path));
  if (!S_ISREG(info.st_mode)) return Unusable(path, "is not a regular file");
  if (info.st_size > kMaxHdf5Bytes) return Unusable(path, absl::StrCat("is larger than ", kMaxHdf5Bytes, " bytes"));
  if (H5Fis_hdf5(path.c_str()) <= 0) return Unusable(path, "is not an HDF5 file; give Keras' .h5 weights file");
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file.ok()) return Unusable(path, "is a damaged or truncated HDF5 file; download it again");
  auto state =
      std::unique_ptr<State>(new State{std::move(file), AccessList(H5P_GROUP_ACCESS), AccessList(H5P_DATASET_ACCESS)});
  return std::unique_ptr<Hdf5File>(new Hdf5File(std::move(state)));
}

bool Hdf5File::HasGroup(const std::string& group) const {
  return Handle(H5Gopen2(state_->file.get(), group.c_str(), state_->group_access.get()), H5Gclose).ok();
}

absl::StatusOr<std::vector<std::string>> Hdf5File::ReadStrings(const std::string& group,
                                                               const std::string& attribute) const {
  Handle opened(H5Gopen2(state_->file.get(), group.c_str(), state_->group_access.get()), H5Gclose);
  if (!opened.ok()) return absl::NotFoundError(absl::StrCat("group ", group, ": not in the file"));
  const std::string what = absl::StrCat("attribute ", attribute, " of ", group);
  if (H5Aexists(opened.get(), attribute.c_str()) <= 0) return absl::NotFoundError(what + ": not in the file");
  Handle found(H5Aopen(opened.get(), attribute.c_str(), H5P_DEFAULT), H5Aclose);
  if (!found.ok()) return Unusable(what, "cannot be opened");
  auto strings = ReadStringAttribute(found.get());
  if (!strings.ok()) return Unusable(what, strings.status().message());
  return strings;
}

absl::StatusOr<std::vector<int64_t>> Hdf5File::ReadShape(const std::string& dataset) const {
  std::vector<int64_t> shape;
  RETURN_IF_ERROR(state_->OpenFloats(dataset, &shape).status());
  return shape;
}

absl::StatusOr<std::vector<float>> Hdf5File::ReadFloats(const std::string& dataset) const {
  std::vector<int64_t> shape;
  ASSIGN_OR_RETURN(const Handle opened, state_->OpenFloats(dataset, &shape));
  size_t count = 1;
  for (int64_t dimension : shape) count *= static_cast<size_t>(dimension);
  std::vector<float> values(count);
  if (H5Dread(opened.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
    return Unusable(dataset, "its data cannot be read: the file is damaged or truncated");
  }
  return values;
}

}  // namespace graft::server
