#include "client/api/dataset_upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "client/api/channel.h"
#include "client/api/graft_client.h"
#include "core/base/digest.h"
#include "core/base/status_macros.h"
#include "tests/client/fake_server.h"
#include "tests/testing/status_matchers.h"

namespace graft::client {
namespace {

using graft::testing::FakeServer;
using graft::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class MemorySource : public UploadSource {
 public:
  void Add(const std::string& path, const std::string& bytes) {
    auto& file = files_.emplace_back();
    file.set_path(path);
    file.set_label("cat");
    file.set_sha256(Sha256Hex(bytes));
    file.set_size_bytes(static_cast<int64_t>(bytes.size()));
    blobs_[file.sha256()] = bytes;
  }
  void FailReads() { readable_ = false; }
  const std::map<std::string, std::string>& blobs() const { return blobs_; }

  const std::vector<v1::UploadDatasetRequest::File>& files() const override { return files_; }
  absl::Status ReadBlobs(const absl::flat_hash_set<std::string>& wanted, const BlobSink& sink) const override {
    if (!readable_) return absl::FailedPreconditionError("cat/1.jpg changed while it was uploaded");
    for (const auto& [sha256, bytes] : blobs_) {
      if (wanted.contains(sha256)) RETURN_IF_ERROR(sink(sha256, bytes));
    }
    return absl::OkStatus();
  }

 private:
  std::vector<v1::UploadDatasetRequest::File> files_;
  std::map<std::string, std::string> blobs_;
  bool readable_ = true;
};

class DatasetUploadTest : public ::testing::Test {
 protected:
  void AddPhotos(int count, size_t bytes) {
    for (int i = 0; i < count; ++i) {
      source_.Add(absl::StrCat("cat/", i, ".jpg"), absl::StrCat(i, "-", std::string(bytes, 'x')));
    }
  }

  absl::StatusOr<v1::UploadDatasetResponse::Complete> Upload(const std::string& name = "animals",
                                                             Cancellation* cancellation = nullptr) {
    ClientOptions options;
    options.retry.initial_delay = absl::Milliseconds(1);
    options.retry.max_delay = absl::Milliseconds(5);
    v1::UploadDatasetRequest::Start start;
    start.set_dataset(name);
    return GraftClient(Connect(server_.address()), options).UploadDataset(start, source_, observer_, cancellation);
  }

  FakeServer server_;
  MemorySource source_;
  UploadObserver observer_;
};

TEST_F(DatasetUploadTest, SendsEverythingToAnEmptyServer) {
  AddPhotos(10, 100);
  ASSERT_OK_AND_ASSIGN(const auto complete, Upload());
  EXPECT_EQ(complete.version().name(), "datasets/animals/versions/1");
  EXPECT_EQ(complete.blobs_received(), 10);
  EXPECT_EQ(server_.datasets().blobs(), source_.blobs());
  EXPECT_THAT(server_.datasets().files(), SizeIs(10));
}

TEST_F(DatasetUploadTest, SecondUploadSendsNoPhoto) {
  AddPhotos(10, 100);
  ASSERT_OK(Upload());
  ASSERT_OK_AND_ASSIGN(const auto complete, Upload());
  EXPECT_EQ(complete.blobs_received(), 0);
  EXPECT_EQ(server_.datasets().chunks_received(), 10);
}

TEST_F(DatasetUploadTest, SameContentUnderTwoPathsTravelsOnce) {
  source_.Add("cat/1.jpg", "same");
  source_.Add("cat/2.jpg", "same");
  ASSERT_OK(Upload());
  EXPECT_EQ(server_.datasets().chunks_received(), 1);
  EXPECT_THAT(server_.datasets().files(), SizeIs(2));
}

TEST_F(DatasetUploadTest, LargePhotosTravelInMessagesBelowOneMebibyte) {
  AddPhotos(2, 3 << 20);
  ASSERT_OK(Upload());
  EXPECT_EQ(server_.datasets().blobs(), source_.blobs());
  EXPECT_LT(server_.datasets().largest_message_bytes(), size_t{1} << 20);
  EXPECT_GE(server_.datasets().chunks_received(), 6);
}

TEST_F(DatasetUploadTest, LongListsAreAnnouncedInMessagesBelowOneMebibyte) {
  for (int i = 0; i < 12'000; ++i) source_.Add(absl::StrCat("cat/", i, "-", std::string(80, 'n'), ".jpg"), "same");
  ASSERT_OK(Upload());
  EXPECT_THAT(server_.datasets().files(), SizeIs(12'000));
  EXPECT_LT(server_.datasets().largest_message_bytes(), size_t{1} << 20);
}

TEST_F(DatasetUploadTest, BrokenStreamGoesOnWithWhatIsLeft) {
  AddPhotos(20, 100);
  server_.datasets().BreakStreamsAfterChunks({5, 7});
  int reconnects = 0;
  observer_.on_reconnecting = [&](const absl::Status&) { ++reconnects; };
  ASSERT_OK_AND_ASSIGN(const auto complete, Upload());
  EXPECT_EQ(complete.blobs_received(), 8);  // 20 - 5 - 7: none is sent twice
  EXPECT_EQ(server_.datasets().blobs(), source_.blobs());
  EXPECT_EQ(server_.datasets().streams(), 3);
  EXPECT_EQ(reconnects, 2);
}

TEST_F(DatasetUploadTest, StreamThatBreaksAtTheCommitIsCommittedAgain) {
  AddPhotos(3, 100);
  server_.datasets().BreakStreamsAtCommit(1);
  ASSERT_OK_AND_ASSIGN(const auto complete, Upload());
  EXPECT_EQ(complete.blobs_received(), 0);
  EXPECT_EQ(server_.datasets().chunks_received(), 3);
}

TEST_F(DatasetUploadTest, ServerThatBreaksEveryStreamIsGivenUp) {
  AddPhotos(3, 100);
  server_.datasets().BreakStreamsAfterChunks(std::vector<int>(100, 0));
  EXPECT_THAT(Upload(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(server_.datasets().streams(), RetryPolicy().max_attempts);
}

TEST_F(DatasetUploadTest, RefusalIsReturnedAtOnce) {
  AddPhotos(3, 100);
  EXPECT_THAT(Upload("BAD"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("start.dataset")));
  EXPECT_EQ(server_.datasets().streams(), 1);
}

TEST_F(DatasetUploadTest, UnreadableSourceEndsTheUpload) {
  AddPhotos(3, 100);
  source_.FailReads();
  EXPECT_THAT(Upload(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("cat/1.jpg")));
  EXPECT_THAT(server_.datasets().blobs(), IsEmpty());
}

TEST_F(DatasetUploadTest, ReportsProgressUpToTheEnd) {
  AddPhotos(5, 100);
  UploadProgress last;
  observer_.on_progress = [&](const UploadProgress& progress) {
    EXPECT_GE(progress.bytes_sent, last.bytes_sent);
    last = progress;
  };
  ASSERT_OK(Upload());
  EXPECT_EQ(last.blobs_missing, 5);
  EXPECT_EQ(last.blobs_stored, 5);
  EXPECT_EQ(last.bytes_sent, last.bytes_missing);
}

TEST_F(DatasetUploadTest, CancellationEndsTheUpload) {
  AddPhotos(5, 100);
  Cancellation cancellation;
  cancellation.Cancel();
  EXPECT_THAT(Upload("animals", &cancellation), StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace graft::client
