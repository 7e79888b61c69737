#include "core/store/blob_store.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::store {
namespace {

namespace fs = std::filesystem;
using ::graft::testing::IsOkAndHolds;
using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Blob MakeBlob(const std::string& bytes) {
  return {Sha256Hex(bytes), bytes};
}

class BlobStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(folder_ / "graft.db"));
    ASSERT_OK_AND_ASSIGN(blobs_, BlobStore::Open(root_, database_.get()));
  }

  std::vector<fs::path> Segments() const {
    std::vector<fs::path> segments;
    for (const auto& entry : fs::directory_iterator(root_ + "/segments")) segments.push_back(entry.path());
    return segments;
  }

  const testing::TemporaryFolder folder_;
  const std::string root_ = folder_ / "blobs";
  std::unique_ptr<Database> database_;
  std::unique_ptr<BlobStore> blobs_;
};

TEST_F(BlobStoreTest, GivesBackWhatWasPutAlsoAfterReopening) {
  const Blob a = MakeBlob("first"), empty = MakeBlob(""), binary = MakeBlob(std::string("\0\xff\n", 3));
  ASSERT_OK(blobs_->Put({a, empty, binary}));
  ASSERT_OK_AND_ASSIGN(const auto reopened, BlobStore::Open(root_, database_.get()));
  for (const Blob& blob : {a, empty, binary}) {
    EXPECT_THAT(blobs_->Get(blob.sha256), IsOkAndHolds(blob.bytes));
    EXPECT_THAT(reopened->Get(blob.sha256), IsOkAndHolds(blob.bytes));
  }
}

TEST_F(BlobStoreTest, ManyPutsShareOneSegmentThatOnlyTheOwnerReads) {
  ASSERT_OK(blobs_->Put({MakeBlob("a")}));
  ASSERT_OK(blobs_->Put({MakeBlob("b"), MakeBlob("c")}));
  ASSERT_EQ(Segments().size(), 1u);
  EXPECT_EQ(fs::status(Segments()[0]).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(BlobStoreTest, KnownAndRepeatedBlobsAreStoredOnce) {
  const Blob a = MakeBlob("aaaa"), b = MakeBlob("bb");
  ASSERT_OK(blobs_->Put({a}));
  ASSERT_OK(blobs_->Put({a, b, b}));
  ASSERT_EQ(Segments().size(), 1u);
  EXPECT_EQ(fs::file_size(Segments()[0]), a.bytes.size() + b.bytes.size());
}

TEST_F(BlobStoreTest, MissingNamesEachUnknownDigestOnceInOrder) {
  const Blob known = MakeBlob("known"), x = MakeBlob("x"), y = MakeBlob("y");
  ASSERT_OK(blobs_->Put({known}));
  EXPECT_THAT(blobs_->Missing({y.sha256, known.sha256, x.sha256, y.sha256}),
              IsOkAndHolds(ElementsAre(y.sha256, x.sha256)));
}

TEST_F(BlobStoreTest, UnknownDigestIsNotFound) {
  EXPECT_THAT(blobs_->Get(Sha256Hex("never")), StatusIs(absl::StatusCode::kNotFound, HasSubstr(Sha256Hex("never"))));
}

TEST_F(BlobStoreTest, BytesThatAreNotTheirDigestAreRefusedWhole) {
  const Blob good = MakeBlob("good");
  EXPECT_THAT(blobs_->Put({good, {Sha256Hex("other"), "bytes"}}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(blobs_->Missing({good.sha256}), IsOkAndHolds(ElementsAre(good.sha256)));
}

TEST_F(BlobStoreTest, FlippedByteIsDataLossThatNamesDigestAndSegment) {
  const Blob blob = MakeBlob("some bytes");
  ASSERT_OK(blobs_->Put({blob}));
  const fs::path segment = Segments().at(0);
  std::fstream(segment, std::ios::in | std::ios::out | std::ios::binary).seekp(3).put('X');
  EXPECT_THAT(blobs_->Get(blob.sha256),
              StatusIs(absl::StatusCode::kDataLoss, AllOf(HasSubstr(blob.sha256), HasSubstr(segment.string()))));
}

TEST_F(BlobStoreTest, CutOrMissingSegmentIsDataLoss) {
  const Blob blob = MakeBlob("some bytes");
  ASSERT_OK(blobs_->Put({blob}));
  const fs::path segment = Segments().at(0);
  fs::resize_file(segment, 4);
  EXPECT_THAT(blobs_->Get(blob.sha256), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(blob.sha256)));
  fs::remove(segment);
  ASSERT_OK_AND_ASSIGN(const auto reopened, BlobStore::Open(root_, database_.get()));
  EXPECT_THAT(reopened->Get(blob.sha256), StatusIs(absl::StatusCode::kDataLoss, HasSubstr(segment.string())));
}

// What a crash between append and commit leaves.
TEST_F(BlobStoreTest, GarbageWithoutRowsDoesNoHarm) {
  const Blob before = MakeBlob("before"), after = MakeBlob("after");
  ASSERT_OK(blobs_->Put({before}));
  blobs_.reset();
  std::ofstream(Segments().at(0), std::ios::app) << "torn";
  std::ofstream(root_ + "/segments/stray.seg") << "garbage";
  ASSERT_OK_AND_ASSIGN(const auto reopened, BlobStore::Open(root_, database_.get()));
  ASSERT_OK(reopened->Put({after}));
  EXPECT_THAT(reopened->Get(before.sha256), IsOkAndHolds("before"));
  EXPECT_THAT(reopened->Get(after.sha256), IsOkAndHolds("after"));
}

TEST_F(BlobStoreTest, TwoStoresPutTheSameBlobsAtOnce) {
  ASSERT_OK_AND_ASSIGN(const auto other_database, Database::Open(folder_ / "graft.db"));
  ASSERT_OK_AND_ASSIGN(const auto other, BlobStore::Open(root_, other_database.get()));
  std::vector<Blob> all;
  for (int i = 0; i < 40; ++i) all.push_back(MakeBlob(absl::StrCat("blob ", i)));
  const auto put_one_by_one = [&all](BlobStore& store) {
    for (const Blob& blob : all) EXPECT_OK(store.Put({blob}));
  };
  std::thread thread([&] { put_one_by_one(*other); });
  put_one_by_one(*blobs_);
  thread.join();
  for (const Blob& blob : all) EXPECT_THAT(blobs_->Get(blob.sha256), IsOkAndHolds(blob.bytes));
}

}  // namespace
}  // namespace graft::store
