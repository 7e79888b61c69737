#include "core/weights/safetensors_header.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_from_throw.h"

namespace graft::weights {
namespace {

constexpr char kMetadataKey[] = "__metadata__";

std::optional<DType> FindDType(absl::string_view name) {
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBf16, DType::kF64, DType::kI64, DType::kI32, DType::kI16,
                      DType::kI8, DType::kU8, DType::kBool}) {
    if (NameOf(dtype) == name) return dtype;
  }
  return std::nullopt;
}

// A streaming reader instead of a parsed document: only it sees duplicate keys, and it builds nothing but what the
// format has. Every callback returns false to stop.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  SafetensorsHeader TakeHeader() { return std::move(header_); }
  const std::string& error() const { return error_; }

  bool start_object(size_t) override {
    switch (place_) {
      case Place::kStart:
        place_ = Place::kTop;
        return true;
      case Place::kTop:
        if (name_ == kMetadataKey) {
          place_ = Place::kMetadata;
        } else {
          place_ = Place::kTensor;
          tensor_ = {};
        }
        return true;
      default:
        return Misplaced("an object");
    }
  }

  bool key(string_t& key) override {
    switch (place_) {
      case Place::kTop:
        return OpenEntry(std::move(key));
      case Place::kMetadata:
        metadata_key_ = std::move(key);
        return !header_.metadata.contains(metadata_key_) || Fail(absl::StrCat("duplicate key ", metadata_key_));
      default:
        return OpenField(key);
    }
  }

  bool end_object() override {
    switch (place_) {
      case Place::kTensor:
        place_ = Place::kTop;
        return CloseTensor();
      case Place::kMetadata:
        place_ = Place::kTop;
        return true;
      default:
        place_ = Place::kEnd;
        return true;
    }
  }

  bool string(string_t& value) override {
    if (place_ == Place::kMetadata) {
      header_.metadata.emplace(metadata_key_, std::move(value));
      return true;
    }
    if (place_ != Place::kTensor || field_ != "dtype") return Misplaced("a string");
    tensor_.dtype = FindDType(value);
    return tensor_.dtype.has_value() || Fail(absl::StrCat("unknown dtype '", value.substr(0, 16), "'"));
  }

  bool start_array(size_t) override {
    if (place_ != Place::kTensor || field_ == "dtype") return Misplaced("an array");
    place_ = Place::kNumbers;
    numbers_.emplace();
    return true;
  }

  bool end_array() override {
    place_ = Place::kTensor;
    (field_ == "shape" ? tensor_.shape : tensor_.offsets) = *std::exchange(numbers_, std::nullopt);
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::kNumbers) return Misplaced("a number");
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return Fail("a number is too large");
    if (numbers_->size() == kMaxRank) return Fail(absl::StrCat("more than ", kMaxRank, " numbers in '", field_, "'"));
    numbers_->push_back(static_cast<int64_t>(value));
    return true;
  }

  bool number_integer(number_integer_t) override { return Fail("a number is negative"); }
  bool number_float(number_float_t, const string_t&) override { return Fail("a number is not an integer"); }
  bool null() override { return Misplaced("null"); }
  bool boolean(bool) override { return Misplaced("a boolean"); }
  bool binary(binary_t&) override { return Misplaced("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    error_ = absl::StrCat("header is not valid JSON at byte ", position);
    return false;
  }

 private:
  enum class Place { kStart, kTop, kTensor, kNumbers, kMetadata, kEnd };
  struct Fields {
    std::optional<DType> dtype;
    std::optional<std::vector<int64_t>> shape, offsets;
  };

  bool Fail(absl::string_view reason) {
    error_ = name_.empty() ? std::string(reason) : absl::StrCat(name_.substr(0, 128), ": ", reason);
    return false;
  }
  bool Misplaced(absl::string_view what) { return Fail(absl::StrCat(what, " where the format has none")); }

  bool OpenEntry(std::string name) {
    name_ = std::move(name);
    field_.clear();
    if (header_.tensors.contains(name_) || (name_ == kMetadataKey && metadata_seen_)) return Fail("duplicate name");
    if (name_ == kMetadataKey) metadata_seen_ = true;
    if (header_.tensors.size() == kMaxTensors) return Fail(absl::StrCat("more than ", kMaxTensors, " tensors"));
    return true;
  }

  bool OpenField(const std::string& key) {
    field_ = key;
    const bool duplicate = (key == "dtype" && tensor_.dtype) || (key == "shape" && tensor_.shape) ||
                           (key == "data_offsets" && tensor_.offsets);
    if (duplicate) return Fail(absl::StrCat("duplicate key ", key));
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      return Fail(absl::StrCat("unknown key '", key.substr(0, 32), "'"));
    }
    return true;
  }

  bool CloseTensor() {
    if (!tensor_.dtype || !tensor_.shape || !tensor_.offsets) return Fail("needs dtype, shape and data_offsets");
    const std::vector<int64_t>& offsets = *tensor_.offsets;
    if (offsets.size() != 2 || offsets[0] > offsets[1]) return Fail("data_offsets is not [begin, end]");
    header_.tensors.emplace(name_, TensorHeader{*tensor_.dtype, std::move(*tensor_.shape), offsets[0], offsets[1]});
    return true;
  }

  SafetensorsHeader header_;
  Place place_ = Place::kStart;
  bool metadata_seen_ = false;
  std::string name_, field_, metadata_key_;
  Fields tensor_;
  std::optional<std::vector<int64_t>> numbers_;
  std::string error_;
};

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseHeader(absl::string_view json) {
  return StatusFromThrow(absl::StatusCode::kDataLoss, "read safetensors header",
                         [&]() -> absl::StatusOr<SafetensorsHeader> {
                           HeaderReader reader;
                           if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader)) {
                             return absl::DataLossError(reader.error());
                           }
                           return reader.TakeHeader();
                         });
}

}  // namespace graft::weights
