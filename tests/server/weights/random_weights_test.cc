#include "core/network/architecture.h"
#include "core/network/expected_tensors.h"
#include "core/weights/safetensors.h"
#include "server/weights/import_weights.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::server {
namespace {

using ::graft::testing::StatusIs;

TEST(RandomWeightsTest, SameSeedSameFile) {
  const testing::TemporaryFolder folder;
  ASSERT_OK_AND_ASSIGN(const auto first, PutRandomWeights(folder.path(), "mobilenet_v2", 7));
  ASSERT_OK_AND_ASSIGN(const auto again, PutRandomWeights(folder.path(), "mobilenet_v2", 7));
  ASSERT_OK_AND_ASSIGN(const auto other, PutRandomWeights(folder.path(), "mobilenet_v2", 8));
  EXPECT_EQ(first.sha256, again.sha256);
  EXPECT_NE(first.sha256, other.sha256);
  EXPECT_EQ(first.source, "random:7");
}

TEST(RandomWeightsTest, HoldsWhatTheBackboneExpects) {
  const testing::TemporaryFolder folder;
  for (const char* backbone : {"mobilenet_v2", "efficientnet_v2_b0"}) {
    ASSERT_OK_AND_ASSIGN(const auto stored, PutRandomWeights(folder.path(), backbone, 1));
    ASSERT_OK_AND_ASSIGN(const auto file, weights::Safetensors::Load(stored.path, stored.sha256));
    ASSERT_OK_AND_ASSIGN(const auto architecture, network::FindArchitecture(backbone));
    std::map<std::string, network::Shape> shapes;
    for (const auto& [name, view] : file.tensors()) shapes[name] = view.shape;
    EXPECT_OK(network::CheckTensors(network::ExpectedTensors(architecture), shapes));
  }
}

TEST(RandomWeightsTest, UnknownBackboneIsRefused) {
  const testing::TemporaryFolder folder;
  EXPECT_THAT(PutRandomWeights(folder.path(), "vgg16", 1), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace graft::server
