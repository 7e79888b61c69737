#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "tests/server/services/server_test.h"
#include "tests/server/services/uploading.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

using Request = v1::UploadDatasetRequest;
using Response = v1::UploadDatasetResponse;
using Stub = v1::DatasetService::Stub;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class DatasetServiceTest : public ServerTest {
 protected:
  Uploading Open() { return Uploading(*datasets_, Context()); }
  // Started, announced and asked for all of `photos`.
  Uploading OpenAt(const std::vector<Photo>& photos, std::vector<std::string>* missing = nullptr) {
    Uploading upload = Open();
    upload.Start("animals");
    upload.Announce(photos);
    const std::vector<std::string> digests = upload.Announced();
    if (missing != nullptr) *missing = digests;
    return upload;
  }
  static std::string FieldOf(const absl::Status& status) {
    const auto detail = DetailOf(status);
    return detail && std::holds_alternative<FieldDetail>(*detail) ? std::get<FieldDetail>(*detail).field : "";
  }

  const std::vector<Photo> photos_ = TwoClasses(3);
};

TEST_F(DatasetServiceTest, UploadMakesAVersionThatIsFoundAndListed) {
  ASSERT_OK_AND_ASSIGN(const Response::Complete complete, Upload("animals", photos_));
  EXPECT_EQ(complete.version().name(), "datasets/animals/versions/1");
  EXPECT_EQ(complete.version().image_count(), 6);
  EXPECT_EQ(complete.blobs_received(), 6);
  ASSERT_EQ(complete.version().classes_size(), 2);
  EXPECT_EQ(complete.version().classes(0).label(), "cat");
  EXPECT_EQ(complete.version().classes(0).images(), 3);

  v1::GetDatasetRequest get;
  get.set_name("animals:1");
  v1::DatasetVersion version;
  ASSERT_OK(Call(&Stub::GetDataset, *datasets_, get, &version));
  EXPECT_EQ(version.digest(), complete.version().digest());
  v1::GetDatasetReportRequest report_request;
  report_request.set_name("datasets/animals");
  v1::DatasetReport report;
  ASSERT_OK(Call(&Stub::GetDatasetReport, *datasets_, report_request, &report));
  EXPECT_EQ(report.formats().at("png"), 6);
  EXPECT_EQ(report.sizes().max_height(), 110);
}

TEST_F(DatasetServiceTest, SameContentAgainIsTheSameVersion) {
  ASSERT_OK(Upload("animals", photos_));
  ASSERT_OK_AND_ASSIGN(const Response::Complete again, Upload("animals", photos_));
  EXPECT_TRUE(again.already_existed());
  EXPECT_EQ(again.version().number(), 1);
  EXPECT_EQ(again.blobs_received(), 0);
}

TEST_F(DatasetServiceTest, BlobsComeInChunks) {
  Uploading upload = OpenAt(photos_);
  for (const Photo& photo : photos_) {
    const std::string sha256 = Sha256Hex(photo.bytes);
    const size_t half = photo.bytes.size() / 2;
    upload.Chunk(sha256, 0, photo.bytes.substr(0, half));
    upload.Chunk(sha256, static_cast<int64_t>(half), photo.bytes.substr(half));
  }
  upload.Commit();
  ASSERT_OK(upload.Finish());
  EXPECT_EQ(upload.last().complete().version().image_count(), 6);
}

TEST_F(DatasetServiceTest, InterruptedUploadAsksOnlyForTheRest) {
  {
    std::vector<std::string> missing;
    Uploading upload = OpenAt(photos_, &missing);
    EXPECT_EQ(missing.size(), 6U);
    for (size_t i = 0; i < 4; ++i) upload.Blob(photos_[i].bytes);
    upload.HalfClose();
    EXPECT_THAT(upload.Finish(), StatusIs(absl::StatusCode::kCancelled, HasSubstr("what was stored stays")));
  }
  ASSERT_OK_AND_ASSIGN(const Response::Complete complete, Upload("animals", photos_));
  EXPECT_EQ(complete.blobs_received(), 2);
  EXPECT_EQ(complete.version().image_count(), 6);
}

TEST_F(DatasetServiceTest, UploadOfAVanishedClientMakesNoVersionAndFreesItsSlot) {
  for (int i = 0; i < 20; ++i) {
    Uploading upload = OpenAt(photos_);
    upload.Blob(photos_[0].bytes);
    upload.Cancel();
    EXPECT_THAT(upload.Finish(), StatusIs(absl::StatusCode::kCancelled));
  }
  v1::ListDatasetsResponse list;
  ASSERT_OK(Call(&Stub::ListDatasets, *datasets_, {}, &list));
  EXPECT_EQ(list.datasets_size(), 0);
}

TEST_F(DatasetServiceTest, WrongBytesAreAborted) {
  Uploading upload = OpenAt(photos_);
  std::string bytes = photos_[0].bytes;
  bytes[0] ^= 1;
  upload.Chunk(Sha256Hex(photos_[0].bytes), 0, bytes);
  EXPECT_THAT(upload.Finish(), StatusIs(absl::StatusCode::kAborted, HasSubstr(Sha256Hex(photos_[0].bytes))));
}

TEST_F(DatasetServiceTest, BlobsBeforeAnErrorStay) {
  {
    Uploading upload = OpenAt(photos_);
    upload.Blob(photos_[0].bytes);
    upload.Chunk(Sha256Hex(photos_[1].bytes), 7, "gap");
    EXPECT_EQ(FieldOf(upload.Finish()), "chunk.offset");
  }
  std::vector<std::string> missing;
  Uploading next = OpenAt(photos_, &missing);
  EXPECT_EQ(missing.size(), 5U);
  next.Cancel();
  next.Finish().IgnoreError();
}

TEST_F(DatasetServiceTest, ChunksThatWereNotAskedForAreRefused) {
  const std::string first = Sha256Hex(photos_[0].bytes);
  {
    Uploading upload = OpenAt(photos_);
    upload.Blob("never announced");
    EXPECT_EQ(FieldOf(upload.Finish()), "chunk.sha256");
  }
  {
    Uploading upload = OpenAt(photos_);
    upload.Chunk(first, 0, photos_[0].bytes.substr(0, 5));
    upload.Blob(photos_[1].bytes);
    EXPECT_THAT(upload.Finish(), StatusIs(kInvalid, HasSubstr("one by one")));
  }
  {
    Uploading upload = OpenAt(photos_);
    upload.Chunk(first, 0, photos_[0].bytes + "more");
    EXPECT_THAT(upload.Finish(), StatusIs(kInvalid, AllOf(HasSubstr("chunk.data"), HasSubstr("beyond"))));
  }
  {
    Uploading upload = OpenAt(photos_);
    upload.Chunk(first, 0, "");
    EXPECT_EQ(FieldOf(upload.Finish()), "chunk.data");
  }
}

TEST_F(DatasetServiceTest, ChunkAboveOneMebibyteIsRefused) {
  std::vector<Photo> photos = photos_;
  photos[0].bytes.assign(3 << 20, 'x');
  Uploading upload = OpenAt(photos);
  upload.Chunk(Sha256Hex(photos[0].bytes), 0, photos[0].bytes.substr(0, 2 << 20));
  EXPECT_THAT(upload.Finish(), StatusIs(kInvalid, HasSubstr("1 MiB")));
}

TEST_F(DatasetServiceTest, MessagesOutOfOrderAreRefused) {
  {
    Uploading upload = Open();
    upload.Announce(photos_);
    EXPECT_EQ(FieldOf(upload.Finish()), "announce");
  }
  {
    Uploading upload = Open();
    upload.Start("animals");
    upload.Commit();
    EXPECT_EQ(FieldOf(upload.Finish()), "commit");
  }
  {
    Uploading upload = OpenAt(photos_);
    upload.Announce(photos_);
    EXPECT_EQ(FieldOf(upload.Finish()), "announce");
  }
  {
    Uploading upload = OpenAt(photos_);
    upload.Commit();
    EXPECT_THAT(upload.Finish(), StatusIs(kInvalid, HasSubstr("6 of the blobs")));
  }
  {
    Uploading upload = Open();
    upload.Write(Request());
    EXPECT_EQ(FieldOf(upload.Finish()), "message");
  }
}

TEST_F(DatasetServiceTest, StartAndFilesAreChecked) {
  {
    Uploading upload = Open();
    upload.Start("No Such Name!");
    EXPECT_EQ(FieldOf(upload.Finish()), "start.dataset");
  }
  {
    Uploading upload = Open();
    Request request;
    request.mutable_start()->set_dataset("animals");
    request.mutable_start()->set_max_undecodable_fraction(1.5);
    upload.Write(request);
    EXPECT_EQ(FieldOf(upload.Finish()), "start.max_undecodable_fraction");
  }
  {
    Uploading upload = Open();
    upload.Start("animals");
    std::vector<Photo> photos = photos_;
    photos[1].path = photos[0].path;
    upload.Announce(photos);
    EXPECT_EQ(FieldOf(upload.Finish()), "announce.files.path");
  }
}

TEST_F(DatasetServiceTest, NinthUploadIsToldToComeBack) {
  std::vector<std::unique_ptr<Uploading>> open;
  for (int i = 0; i < 8; ++i) {
    open.push_back(std::make_unique<Uploading>(*datasets_, Context()));
    open.back()->Start(absl::StrCat("set", i));
    open.back()->Announce(photos_);
    EXPECT_EQ(open.back()->Announced().size(), 6U);  // it has begun
  }
  const absl::Status refused = Open().Finish();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted));
  const auto detail = DetailOf(refused);
  ASSERT_TRUE(detail.has_value());
  EXPECT_TRUE(std::holds_alternative<RetryDetail>(*detail));
  for (const auto& upload : open) upload->Cancel();
  for (const auto& upload : open) upload->Finish().IgnoreError();
}

TEST_F(DatasetServiceTest, ListPagesByName) {
  for (const char* name : {"c", "a", "b"}) ASSERT_OK(Upload(name, photos_));
  v1::ListDatasetsRequest request;
  request.set_page_size(2);
  v1::ListDatasetsResponse page;
  ASSERT_OK(Call(&Stub::ListDatasets, *datasets_, request, &page));
  ASSERT_EQ(page.datasets_size(), 2);
  EXPECT_EQ(page.datasets(1).dataset(), "b");
  request.set_page_token(page.next_page_token());
  ASSERT_OK(Call(&Stub::ListDatasets, *datasets_, request, &page));
  ASSERT_EQ(page.datasets_size(), 1);
  EXPECT_EQ(page.datasets(0).dataset(), "c");
  EXPECT_EQ(page.next_page_token(), "");
  request.set_page_size(1001);
  EXPECT_EQ(FieldOf(Call(&Stub::ListDatasets, *datasets_, request, &page)), "page_size");
}

TEST_F(DatasetServiceTest, ReportHoldsTheAudit) {
  std::vector<Photo> photos = photos_;
  photos.push_back({"dog/copy.png", "dog", photos[0].bytes});
  ASSERT_OK(Upload("animals", photos));
  v1::GetDatasetReportRequest request;
  request.set_name("animals");
  v1::DatasetReport report;
  ASSERT_OK(Call(&Stub::GetDatasetReport, *datasets_, request, &report));
  ASSERT_TRUE(report.has_audit());
  ASSERT_EQ(report.audit().exact_duplicates().first_size(), 1);
  EXPECT_EQ(report.audit().exact_duplicates().first(0).files(1).path(), "dog/copy.png");
  ASSERT_EQ(report.audit().label_conflicts().cluster_count(), 1);
  EXPECT_EQ(report.audit().label_conflicts().first(0).file_count(), 2);
  EXPECT_EQ(report.audit().near_duplicates().cluster_count(), 0);
  EXPECT_NEAR(report.audit().imbalance(), 4.0 / 3, 1e-9);
}

TEST_F(DatasetServiceTest, DiffPagesThroughTheChanges) {
  ASSERT_OK(Upload("animals", photos_));
  std::vector<Photo> photos = TwoClasses(5);  // four more
  photos[0].label = "dog";
  photos[1].group = "one";
  ASSERT_OK(Upload("animals", photos));
  v1::DiffDatasetVersionsRequest request;
  request.set_from("animals:1");
  request.set_to("animals");
  request.set_page_size(4);
  v1::DiffDatasetVersionsResponse page;
  ASSERT_OK(Call(&Stub::DiffDatasetVersions, *datasets_, request, &page));
  EXPECT_EQ(page.from(), "datasets/animals/versions/1");
  EXPECT_EQ(page.to(), "datasets/animals/versions/2");
  EXPECT_EQ(page.added(), 4);
  EXPECT_EQ(page.relabelled(), 1);
  EXPECT_EQ(page.regrouped(), 1);
  EXPECT_EQ(page.unchanged(), 4);
  EXPECT_EQ(page.change_count(), 6);
  ASSERT_EQ(page.changes_size(), 4);
  EXPECT_EQ(page.changes(0).before().label(), "cat");
  EXPECT_EQ(page.changes(0).after().label(), "dog");
  EXPECT_FALSE(page.changes(2).has_before());
  request.set_page_token(page.next_page_token());
  ASSERT_OK(Call(&Stub::DiffDatasetVersions, *datasets_, request, &page));
  EXPECT_EQ(page.changes_size(), 2);
  EXPECT_EQ(page.next_page_token(), "");
}

TEST_F(DatasetServiceTest, DiffRefusalsNameTheField) {
  ASSERT_OK(Upload("animals", photos_));
  v1::DiffDatasetVersionsRequest request;
  request.set_from("animals:1");
  request.set_to("animals:9");
  v1::DiffDatasetVersionsResponse page;
  EXPECT_THAT(Call(&Stub::DiffDatasetVersions, *datasets_, request, &page),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("animals:9")));
  request.set_to("No Name");
  EXPECT_EQ(FieldOf(Call(&Stub::DiffDatasetVersions, *datasets_, request, &page)), "to");
  request.set_to("animals:1");
  request.set_page_size(1001);
  EXPECT_EQ(FieldOf(Call(&Stub::DiffDatasetVersions, *datasets_, request, &page)), "page_size");
  request.set_page_size(10);
  request.set_page_token("bm90IG91cnM");
  EXPECT_EQ(FieldOf(Call(&Stub::DiffDatasetVersions, *datasets_, request, &page)), "page_token");
}

TEST_F(DatasetServiceTest, UnknownDatasetIsNotFound) {
  v1::GetDatasetRequest request;
  request.set_name("plants");
  v1::DatasetVersion version;
  const absl::Status unknown = Call(&Stub::GetDataset, *datasets_, request, &version);
  EXPECT_THAT(unknown, StatusIs(absl::StatusCode::kNotFound, HasSubstr("plants")));
  const auto detail = DetailOf(unknown);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(std::get<ResourceDetail>(*detail).type, "dataset");
}

}  // namespace
}  // namespace graft::testing
