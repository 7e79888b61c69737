#include "core/features/feature_file.h"

#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::features {
namespace {

using ::graft::testing::IsOkAndHolds;
using ::graft::testing::StatusIs;
using ::graft::testing::TemporaryFolder;
using ::testing::ElementsAre;

constexpr int kDimension = 3;
constexpr int64_t kHeaderBytes = 16;

Digest DigestOf(const std::string& text) {
  return *DigestFromHex(Sha256Hex(text));
}

class FeatureFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(const auto writer, FeatureFileWriter::Create(path_, kDimension));
    writer->Add(DigestOf("a"), {1, 2, 3});
    writer->Add(DigestOf("b"), {4, 5, 6});
    ASSERT_OK(writer->Flush());
    writer->Add(DigestOf("c"), {7, 8, 9});
    ASSERT_OK(writer->Flush());
  }
  std::vector<int64_t> WholeRecords() {
    std::vector<int64_t> records;
    const auto reader = FeatureFileReader::Open(path_, kDimension);
    EXPECT_OK(reader);
    EXPECT_OK((*reader)->Scan(0, [&](int64_t record, const Digest&) { records.push_back(record); }));
    return records;
  }
  void Flip(int64_t offset) {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(offset);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(offset);
    file.put(byte);
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "a.features";
};

TEST_F(FeatureFileTest, GivesBackWhatWasAdded) {
  EXPECT_THAT(WholeRecords(), ElementsAre(0, 1, 2));
  ASSERT_OK_AND_ASSIGN(const auto reader, FeatureFileReader::Open(path_, kDimension));
  EXPECT_THAT(reader->Count(), IsOkAndHolds(3));
  std::vector<float> values(kDimension);
  ASSERT_OK(reader->Read(2, absl::MakeSpan(values)));
  EXPECT_THAT(values, ElementsAre(7, 8, 9));
  EXPECT_THAT(reader->Read(3, absl::MakeSpan(values)), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(FeatureFileTest, TornTailIsDroppedAtEveryLength) {
  const int64_t record_bytes = RecordBytes(kDimension);
  for (int64_t cut = 1; cut < record_bytes; ++cut) {
    std::filesystem::resize_file(path_, kHeaderBytes + 3 * record_bytes - cut);
    EXPECT_THAT(WholeRecords(), ElementsAre(0, 1)) << cut << " bytes cut off";
  }
}

TEST_F(FeatureFileTest, DamagedRecordCostsOnlyItself) {
  const int64_t record_bytes = RecordBytes(kDimension);
  for (int64_t position = 0; position < record_bytes; ++position) {
    Flip(kHeaderBytes + record_bytes + position);
    EXPECT_THAT(WholeRecords(), ElementsAre(0, 2)) << "byte " << position;
    Flip(kHeaderBytes + record_bytes + position);
  }
  EXPECT_THAT(WholeRecords(), ElementsAre(0, 1, 2));
}

TEST_F(FeatureFileTest, AnotherDimensionOrADamagedHeaderIsDataLoss) {
  EXPECT_THAT(FeatureFileReader::Open(path_, kDimension + 1), StatusIs(absl::StatusCode::kDataLoss));
  Flip(0);
  EXPECT_THAT(FeatureFileReader::Open(path_, kDimension), StatusIs(absl::StatusCode::kDataLoss));
  std::filesystem::resize_file(path_, 5);
  EXPECT_THAT(FeatureFileReader::Open(path_, kDimension), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(FeatureFileTest, NeverWritesIntoAFileThatIsThere) {
  EXPECT_THAT(FeatureFileWriter::Create(path_, kDimension), StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST(DigestFromHexTest, RefusesWhatIsNoSha256) {
  EXPECT_THAT(DigestFromHex("abc"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(DigestFromHex(std::string(62, '0') + "ff")->back(), 0xff);
}

}  // namespace
}  // namespace graft::features
