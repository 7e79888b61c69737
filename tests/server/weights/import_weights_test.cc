#include "server/weights/import_weights.h"

#include <hdf5.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/network/architecture.h"
#include "core/network/expected_tensors.h"
#include "core/weights/safetensors.h"
#include "server/weights/keras_file.h"
#include "tests/testing/assets.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::server {
namespace {

using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kBackbone[] = "mobilenet_v2";

using KerasWeights = std::map<std::string, std::map<std::string, std::vector<hsize_t>>>;  // layer, variable, shape

// What Keras would save for the backbone, in Keras' axes.
KerasWeights MobileNetWeights() {
  KerasWeights layers;
  for (const auto& [name, shape] : network::ExpectedTensors(*network::FindArchitecture(kBackbone))) {
    const size_t slash = name.find('/');
    std::vector<hsize_t> keras(shape.begin(), shape.end());
    if (absl::EndsWith(name, "/kernel")) keras = {keras[2], keras[3], keras[1], keras[0]};
    if (absl::EndsWith(name, "/depthwise_kernel")) keras = {keras[2], keras[3], keras[0], keras[1]};
    layers[name.substr(0, slash)][name.substr(slash + 1)] = keras;
  }
  return layers;
}

// As h5py does, an empty list becomes an empty array of numbers.
void WriteEmptyList(hid_t group, const char* name) {
  const hsize_t none = 0;
  const hid_t space = H5Screate_simple(1, &none, nullptr);
  H5Aclose(H5Acreate2(group, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(space);
}

void WriteStrings(hid_t group, const char* name, const std::vector<std::string>& strings) {
  if (strings.empty()) return WriteEmptyList(group, name);
  size_t width = 1;
  for (const std::string& text : strings) width = std::max(width, text.size());
  std::string buffer(width * strings.size(), '\0');
  for (size_t i = 0; i < strings.size(); ++i) std::memcpy(&buffer[i * width], strings[i].data(), strings[i].size());
  const hsize_t count = strings.size();
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &count, nullptr);
  H5Tset_size(type, width);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  const hid_t attribute = H5Acreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, type, buffer.data());
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

void WriteValues(hid_t group, const std::string& path, const std::vector<hsize_t>& shape) {
  size_t count = 1;
  for (hsize_t dimension : shape) count *= dimension;
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  const hid_t dataset = H5Dcreate2(group, path.c_str(), H5T_IEEE_F32LE, space, links, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(dataset);
  H5Sclose(space);
  H5Pclose(links);
}

// Keras' layout: <root>/<layer>/<layer>/<variable>:0 with the names in attributes.
void WriteKerasFile(const std::string& path, const KerasWeights& layers, const std::string& root = "/") {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t top = root == "/" ? H5Gopen2(file, "/", H5P_DEFAULT)
                                : H5Gcreate2(file, root.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  std::vector<std::string> layer_names;
  for (const auto& [layer, variables] : layers) {
    layer_names.push_back(layer);
    const hid_t group = H5Gcreate2(top, layer.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    std::vector<std::string> weight_names;
    for (const auto& [variable, shape] : variables) {
      weight_names.push_back(absl::StrCat(layer, "/", variable, ":0"));
      WriteValues(group, weight_names.back(), shape);
    }
    WriteStrings(group, "weight_names", weight_names);
    H5Gclose(group);
  }
  WriteStrings(top, "layer_names", layer_names);
  H5Gclose(top);
  H5Fclose(file);
}

class ImportWeightsTest : public ::testing::Test {
 protected:
  absl::StatusOr<weights::StoredWeights> ImportAfter(const std::function<void(KerasWeights&)>& change) {
    KerasWeights layers = MobileNetWeights();
    change(layers);
    WriteKerasFile(folder_ / "w.h5", layers);
    return ImportWeights(folder_ / "store", kBackbone, folder_ / "w.h5");
  }

  const testing::TemporaryFolder folder_;
};

TEST_F(ImportWeightsTest, KernelsTakeLibTorchsAxes) {
  ASSERT_OK_AND_ASSIGN(const auto stored, ImportAfter([](KerasWeights&) {}));
  EXPECT_THAT(stored.source, HasSubstr("w.h5 sha256:"));
  ASSERT_OK_AND_ASSIGN(const auto file, weights::Safetensors::Load(stored.path, stored.sha256));
  const auto value = [&](const char* name, size_t index) {
    float result = 0;
    std::memcpy(&result, file.tensors().at(name).data.data() + index * sizeof(float), sizeof(float));
    return result;
  };
  // [out=32, in=3, 3, 3] from Keras' [3, 3, in=3, out=32]: element (o, i, y, x) was number ((y * 3 + x) * 3 + i) * 32 +
  // o.
  EXPECT_EQ(value("Conv1/kernel", ((5 * 3 + 2) * 3 + 1) * 3 + 0), ((1 * 3 + 0) * 3 + 2) * 32 + 5);
  // [96, 1, 3, 3] from Keras' [3, 3, 96, 1].
  EXPECT_EQ(value("block_1_depthwise/depthwise_kernel", (7 * 3 + 2) * 3 + 1), (2 * 3 + 1) * 96 + 7);
  EXPECT_EQ(value("bn_Conv1/gamma", 9), 9);
}

TEST_F(ImportWeightsTest, LayersWithoutWeightsAreFine) {
  EXPECT_OK(ImportAfter([](KerasWeights& layers) { layers["Conv1_relu"] = {}; }));
}

TEST_F(ImportWeightsTest, TheTopIsReadOver) {
  ASSERT_OK_AND_ASSIGN(const auto without, ImportAfter([](KerasWeights&) {}));
  ASSERT_OK_AND_ASSIGN(const auto with, ImportAfter([](KerasWeights& layers) {
                         layers["predictions"] = {{"kernel", {1280, 1000}}, {"bias", {1000}}};
                       }));
  EXPECT_EQ(with.sha256, without.sha256);
}

TEST_F(ImportWeightsTest, WholeModelFilesAreUnderstood) {
  WriteKerasFile(folder_ / "model.h5", MobileNetWeights(), "/model_weights");
  EXPECT_OK(ImportWeights(folder_ / "store", kBackbone, folder_ / "model.h5"));
}

TEST_F(ImportWeightsTest, MissingTensorIsNamed) {
  EXPECT_THAT(ImportAfter([](KerasWeights& layers) { layers["bn_Conv1"].erase("beta"); }),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("missing bn_Conv1/beta [32]")));
}

TEST_F(ImportWeightsTest, MisshapenTensorIsNamedWithBothShapes) {
  EXPECT_THAT(ImportAfter([](KerasWeights& layers) {
                layers["block_3_expand"]["kernel"] = {3, 3, 24, 144};
              }),
              StatusIs(absl::StatusCode::kDataLoss,
                       HasSubstr("block_3_expand/kernel: expected [144, 24, 1, 1], got [144, 24, 3, 3]")));
  EXPECT_THAT(ImportAfter([](KerasWeights& layers) { layers["block_3_expand"]["kernel"] = {24}; }),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("got [24]")));
}

TEST_F(ImportWeightsTest, UnexpectedTensorIsNamed) {
  EXPECT_THAT(ImportAfter([](KerasWeights& layers) {
                layers["block_99"]["kernel"] = {1, 1, 2, 2};
              }),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("unexpected block_99/kernel [2, 2, 1, 1]")));
}

TEST_F(ImportWeightsTest, AnotherNetworksWeightsAreRefusedInOneMessage) {
  WriteKerasFile(folder_ / "w.h5", MobileNetWeights());
  EXPECT_THAT(ImportWeights(folder_ / "store", "resnet50_v2", folder_ / "w.h5"),
              StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr("missing conv1_conv"), HasSubstr("more"))));
}

TEST_F(ImportWeightsTest, WhatIsNotHdf5IsRefused) {
  std::ofstream(folder_ / "text.h5") << "not a weights file";
  EXPECT_THAT(ImportWeights(folder_ / "store", kBackbone, folder_ / "text.h5"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is not an HDF5 file")));
  EXPECT_THAT(ImportWeights(folder_ / "store", kBackbone, folder_ / "absent.h5"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent.h5")));
  EXPECT_THAT(ImportWeights(folder_ / "store", kBackbone, folder_.path()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("regular file")));
}

TEST_F(ImportWeightsTest, TruncatedFileIsRefusedAndNothingIsStored) {
  WriteKerasFile(folder_ / "w.h5", MobileNetWeights());
  const auto size = std::filesystem::file_size(folder_ / "w.h5");
  for (const auto kept : {size / 10, size / 2, size - 1}) {
    std::filesystem::copy_file(folder_ / "w.h5", folder_ / "cut.h5", std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(folder_ / "cut.h5", kept);
    EXPECT_THAT(ImportWeights(folder_ / "store", kBackbone, folder_ / "cut.h5"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("damaged or truncated")))
        << kept;
  }
  EXPECT_THAT(weights::CurrentWeights(folder_ / "store", kBackbone), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ImportWeightsTest, Hdf5OfAnotherLayoutIsRefused) {
  H5Fclose(H5Fcreate((folder_ / "empty.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  EXPECT_THAT(ImportWeights(folder_ / "store", kBackbone, folder_ / "empty.h5"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("layer_names")));
}

TEST_F(ImportWeightsTest, LinksIntoOtherFilesAreNotFollowed) {
  WriteKerasFile(folder_ / "other.h5", MobileNetWeights());
  WriteKerasFile(folder_ / "w.h5", MobileNetWeights());
  const hid_t file = H5Fopen((folder_ / "w.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Ldelete(file, "/Conv1/Conv1/kernel:0", H5P_DEFAULT);
  H5Lcreate_external((folder_ / "other.h5").c_str(), "/Conv1/Conv1/kernel:0", file, "/Conv1/Conv1/kernel:0",
                     H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  EXPECT_THAT(ImportWeights(folder_ / "store", kBackbone, folder_ / "w.h5"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/Conv1/Conv1/kernel:0")));
}

TEST_F(ImportWeightsTest, PublishedLayoutsAreReadWithAndWithoutTop) {
  REQUIRE_ASSET(with_top, "weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5");
  REQUIRE_ASSET(no_top, "weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5");
  ASSERT_OK_AND_ASSIGN(const auto a, ImportWeights(folder_ / "store", kBackbone, with_top));
  ASSERT_OK_AND_ASSIGN(const auto b, ImportWeights(folder_ / "store", kBackbone, no_top));
  EXPECT_EQ(a.sha256, b.sha256);
  EXPECT_THAT(ReadKerasWeights(no_top, kBackbone, {.with_top = true}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("missing predictions/kernel [1000, 1280]")));
}

}  // namespace
}  // namespace graft::server
