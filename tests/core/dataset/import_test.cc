#include "core/dataset/import.h"

#include <filesystem>
#include <iostream>
#include <map>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/digest.h"
#include "core/base/errors.h"
#include "core/base/file.h"
#include "core/base/status_macros.h"
#include "core/store/transaction.h"
#include "tests/core/image/made_images.h"
#include "tests/testing/assets.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::dataset {
namespace {

using ::graft::testing::IsOk;
using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

struct File {
  std::string path, label, bytes;
  Split split = Split::kUnspecified;
  std::string group = {};
};

// A small picture of one colour; different numbers give different bytes (as JPEG, if 8 apart).
std::string Picture(int number, const std::string& extension = ".png") {
  const cv::Mat pixels(12, 16, CV_8UC3, cv::Scalar(number % 256, number / 256, 128));
  std::vector<uint8_t> bytes;
  cv::imencode(extension, pixels, bytes);
  return std::string(bytes.begin(), bytes.end());
}

std::vector<File> TwoClasses(int images_per_class = 4) {
  std::vector<File> files;
  for (int i = 0; i < images_per_class; ++i) {
    files.push_back({absl::StrCat("cat/", i, ".png"), "cat", Picture(i)});
    files.push_back({absl::StrCat("dog/", i, ".jpg"), "dog", Picture(100 + 8 * i, ".jpg")});
  }
  return files;
}

class ImportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(folder_ / "graft.db"));
    ASSERT_OK_AND_ASSIGN(blobs_, store::BlobStore::Open(folder_ / "blobs", database_.get()));
    datasets_ = std::make_unique<DatasetStore>(database_.get(), blobs_.get());
  }

  absl::StatusOr<std::unique_ptr<Import>> Start(const ImportOptions& options, const ImportLimits& limits = {}) {
    return Import::Start(options, limits, datasets_.get(), database_.get());
  }

  static AnnouncedFile Announced(const File& file) {
    return {.path = file.path,
            .label = file.label,
            .split = file.split,
            .sha256 = Sha256Hex(file.bytes),
            .size_bytes = static_cast<int64_t>(file.bytes.size()),
            .group = file.group};
  }

  // Sends the first `send` missing blobs.
  static absl::Status Send(Import& import, const std::vector<File>& files, int send = 1 << 30) {
    for (const File& file : files) RETURN_IF_ERROR(import.Announce({Announced(file)}));
    ASSIGN_OR_RETURN(const std::vector<std::string> missing, import.FinishAnnouncing());
    absl::flat_hash_map<std::string, std::string> bytes;
    for (const File& file : files) bytes[Sha256Hex(file.bytes)] = file.bytes;
    for (const std::string& sha256 : missing) {
      if (send-- == 0) return import.Flush();
      RETURN_IF_ERROR(import.AddBlob(sha256, bytes.at(sha256)));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<ImportResult> Push(const std::vector<File>& files, const ImportOptions& options = {"animals"}) {
    ASSIGN_OR_RETURN(const std::unique_ptr<Import> import, Start(options));
    RETURN_IF_ERROR(Send(*import, files));
    return import->Commit(nullptr);
  }

  absl::Status AnnounceOne(AnnouncedFile file, const ImportLimits& limits = {}) {
    ASSIGN_OR_RETURN(const std::unique_ptr<Import> import, Start({"animals"}, limits));
    return import->Announce({std::move(file)});
  }

  testing::TemporaryFolder folder_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::BlobStore> blobs_;
  std::unique_ptr<DatasetStore> datasets_;
};

TEST_F(ImportTest, CommittedVersionHasItsPhotos) {
  ASSERT_OK_AND_ASSIGN(const ImportResult result, Push(TwoClasses()));
  EXPECT_FALSE(result.already_existed);
  EXPECT_EQ(result.blobs_received, 8);
  EXPECT_EQ(result.version.number, 1);
  EXPECT_THAT(result.version.labels, ElementsAre("cat", "dog"));
  EXPECT_THAT(result.version.images_per_label, ElementsAre(4, 4));
  ASSERT_OK_AND_ASSIGN(const std::vector<Example> examples, datasets_->Examples(result.version));
  ASSERT_THAT(examples, SizeIs(8));
  EXPECT_EQ(examples[0].path, "cat/0.png");
  EXPECT_EQ(examples[7].path, "dog/3.jpg");
  EXPECT_EQ(examples[7].label, 1);
  EXPECT_EQ(examples[7].width, 16);
  EXPECT_EQ(examples[7].height, 12);
  EXPECT_EQ(blobs_->Get(examples[0].sha256).value(), Picture(0));
}

TEST_F(ImportTest, SameContentAgainIsTheSameVersion) {
  ASSERT_THAT(Push(TwoClasses()), IsOk());
  ASSERT_OK_AND_ASSIGN(const ImportResult again, Push(TwoClasses()));
  EXPECT_TRUE(again.already_existed);
  EXPECT_EQ(again.version.number, 1);
  EXPECT_EQ(again.blobs_received, 0);
  ASSERT_OK_AND_ASSIGN(const ImportResult more, Push(TwoClasses(5)));
  EXPECT_EQ(more.version.number, 2);
  EXPECT_EQ(more.blobs_received, 2);
}

TEST_F(ImportTest, InterruptedUploadGoesOnWhereItStopped) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<Import> first, Start({"animals"}));
  ASSERT_OK(Send(*first, TwoClasses(), 3));
  EXPECT_THAT(first->Commit(nullptr), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("5 announced")));
  first.reset();
  EXPECT_THAT(datasets_->Find({.name = "animals"}), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK_AND_ASSIGN(const ImportResult result, Push(TwoClasses()));
  EXPECT_EQ(result.blobs_received, 5);
}

TEST_F(ImportTest, WrongBytesAreRefusedAndMayBeSentAgain) {
  const std::vector<File> files = TwoClasses();
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Import> import, Start({"animals"}));
  ASSERT_OK(Send(*import, files, 0));
  const std::string sha256 = Sha256Hex(files[0].bytes);
  EXPECT_THAT(import->AddBlob(sha256, "other bytes"), StatusIs(absl::StatusCode::kAborted, HasSubstr(sha256)));
  EXPECT_OK(import->AddBlob(sha256, files[0].bytes));
  EXPECT_THAT(import->AddBlob(sha256, files[0].bytes), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ImportTest, UndecodableFilesAreQuarantinedWithTheirReason) {
  std::vector<File> files = TwoClasses(12);
  files.push_back({"cat/bad.png", "cat", Picture(50).substr(0, 60)});
  ASSERT_OK_AND_ASSIGN(const ImportResult result, Push(files));
  EXPECT_EQ(result.version.image_count, 24);
  ASSERT_OK_AND_ASSIGN(const Report report, datasets_->GetReport({.name = "animals"}));
  ASSERT_THAT(report.quarantined, SizeIs(1));
  EXPECT_EQ(report.quarantined[0].path, "cat/bad.png");
  EXPECT_EQ(report.quarantined[0].label, "cat");
  EXPECT_FALSE(report.quarantined[0].reason.empty());
  EXPECT_EQ(report.formats.at("png"), 12);
  EXPECT_EQ(report.formats.at("jpeg"), 12);
  EXPECT_EQ(report.median_width, 16);
  EXPECT_THAT(report.given_splits, IsEmpty());
}

TEST_F(ImportTest, TooManyUndecodableFilesFailNamingThem) {
  std::vector<File> files = TwoClasses();
  files.push_back({"cat/bad.png", "cat", "no image at all"});
  EXPECT_THAT(Push(files), StatusIs(absl::StatusCode::kInvalidArgument,
                                    AllOf(HasSubstr("1 of 9"), HasSubstr("5.0 %"), HasSubstr("cat/bad.png"))));
  EXPECT_THAT(datasets_->Find({.name = "animals"}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(Push(files, {"animals", 0.5}));
}

TEST_F(ImportTest, ClassWithoutDecodableImagesIsAnError) {
  std::vector<File> files = TwoClasses();
  files.push_back({"owl/1.png", "owl", "nothing"});
  files.push_back({"owl/2.png", "owl", "nothing either"});
  EXPECT_THAT(Push(files, {"animals", 1.0}),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("owl"), HasSubstr("0 decodable"))));
}

TEST_F(ImportTest, SameImageInSeveralPathsAndClassesIsKept) {
  std::vector<File> files = TwoClasses();
  files.push_back({"cat/copy.png", "cat", files[0].bytes});
  files.push_back({"dog/copy.png", "dog", files[0].bytes});
  ASSERT_OK_AND_ASSIGN(const ImportResult result, Push(files));
  EXPECT_EQ(result.version.image_count, 10);
  EXPECT_EQ(result.blobs_received, 8);
}

TEST_F(ImportTest, AnnouncedFilesAreChecked) {
  const AnnouncedFile good = Announced({"cat/1.png", "cat", "x"});
  EXPECT_OK(AnnounceOne(good));
  const auto expect_refused = [&](const char* field, auto change) {
    AnnouncedFile file = good;
    change(file);
    const absl::Status status = AnnounceOne(file);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
    const std::optional<ErrorDetail> detail = DetailOf(status);
    ASSERT_TRUE(detail && std::holds_alternative<FieldDetail>(*detail));
    EXPECT_EQ(std::get<FieldDetail>(*detail).field, absl::StrCat("announce.files.", field));
  };
  expect_refused("path", [](AnnouncedFile& file) { file.path = ""; });
  expect_refused("path", [](AnnouncedFile& file) { file.path = "/etc/passwd"; });
  expect_refused("path", [](AnnouncedFile& file) { file.path = "a/../b"; });
  expect_refused("path", [](AnnouncedFile& file) { file.path = std::string("a\0b", 3); });
  expect_refused("path", [](AnnouncedFile& file) { file.path = std::string(1025, 'a'); });
  expect_refused("label", [](AnnouncedFile& file) { file.label = ""; });
  expect_refused("label", [](AnnouncedFile& file) { file.label = std::string(256, 'a'); });
  expect_refused("label", [](AnnouncedFile& file) { file.label = "\xC0\xAF"; });
  expect_refused("label", [](AnnouncedFile& file) { file.label = "\xED\xA0\x80"; });
  expect_refused("label", [](AnnouncedFile& file) { file.label = "a\nb"; });
  expect_refused("group", [](AnnouncedFile& file) { file.group = std::string(256, 'a'); });
  expect_refused("group", [](AnnouncedFile& file) { file.group = "\xC0\xAF"; });
  expect_refused("group", [](AnnouncedFile& file) { file.group = "a\nb"; });
  expect_refused("sha256", [](AnnouncedFile& file) { file.sha256[0] = 'G'; });
  expect_refused("size_bytes", [](AnnouncedFile& file) { file.size_bytes = 0; });
  expect_refused("size_bytes", [](AnnouncedFile& file) { file.size_bytes = (20 << 20) + 1; });
}

TEST_F(ImportTest, LimitsAreNamed) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Import> import, Start({"animals"}, {.max_files = 1}));
  ASSERT_OK(import->Announce({Announced({"cat/1.png", "cat", "x"})}));
  EXPECT_THAT(import->Announce({Announced({"cat/1.png", "cat", "y"})}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("twice")));
  EXPECT_THAT(import->Announce({Announced({"cat/2.png", "cat", "y"})}),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("limit of 1")));
  EXPECT_THAT(AnnounceOne(Announced({"cat/1.png", "cat", "xyz"}), {.max_total_bytes = 2}),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("limit of 2")));
  EXPECT_THAT(import->FinishAnnouncing(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1 classes")));
  EXPECT_THAT(Start({"No!"}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Start({"animals", 1.5}), StatusIs(absl::StatusCode::kInvalidArgument));
}

// Each limit at its edge: a data set that reaches it is taken, one beyond it is refused.
TEST_F(ImportTest, LimitsAreInclusive) {
  const auto announce = [this](const std::vector<File>& files, const ImportLimits& limits) -> absl::Status {
    ASSIGN_OR_RETURN(const std::unique_ptr<Import> import, Start({"animals"}, limits));
    for (const File& file : files) RETURN_IF_ERROR(import->Announce({Announced(file)}));
    return import->FinishAnnouncing().status();
  };
  const std::vector<File> files = {
      {"a/1.png", "a", "1234"}, {"a/2.png", "a", "56"}, {"b/1.png", "b", "7"}, {"b/2.png", "b", "8"}};
  for (const int spare : {1, 0}) {
    EXPECT_OK(announce(files, {.max_files = 4 + spare}));
    EXPECT_OK(announce(files, {.max_file_bytes = 4 + spare}));
    EXPECT_OK(announce(files, {.max_total_bytes = 8 + spare}));
    EXPECT_OK(announce(files, {.max_classes = 2 + spare}));
    EXPECT_OK(announce(files, {.min_classes = 2 - spare}));
    EXPECT_OK(announce(files, {.min_images_per_class = 2 - spare}));
  }
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;
  EXPECT_THAT(announce(files, {.max_files = 3}), StatusIs(kExhausted, HasSubstr("limit of 3")));
  EXPECT_THAT(announce(files, {.max_file_bytes = 3}), StatusIs(kInvalid, HasSubstr("a/1.png")));
  EXPECT_THAT(announce(files, {.max_total_bytes = 7}), StatusIs(kExhausted, HasSubstr("limit of 7")));
  EXPECT_THAT(announce(files, {.max_classes = 1}), StatusIs(kInvalid, HasSubstr("the limit is 1")));
  EXPECT_THAT(announce(files, {.min_classes = 3}), StatusIs(kInvalid, HasSubstr("3 are needed")));
  EXPECT_THAT(announce(files, {.min_images_per_class = 3}), StatusIs(kInvalid, HasSubstr("3 are needed")));
}

TEST_F(ImportTest, NotFoundNamesTheVersionsOfADataSet) {
  EXPECT_THAT(datasets_->Find({.name = "animals"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("graft dataset list")));
  ASSERT_THAT(Push(TwoClasses()), IsOk());
  EXPECT_THAT(datasets_->Find({.name = "animal"}), StatusIs(absl::StatusCode::kNotFound, Not(HasSubstr("animals"))));
  EXPECT_THAT(datasets_->Find({.name = "animals", .number = 7}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("versions are 1")));
  EXPECT_THAT(datasets_->Find({.name = "animals", .alias = "x"}), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ImportTest, ListShowsTheLatestVersions) {
  ASSERT_THAT(Push(TwoClasses(), {"a"}), IsOk());
  ASSERT_THAT(Push(TwoClasses(), {"b"}), IsOk());
  ASSERT_THAT(Push(TwoClasses(5), {"b"}), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::vector<Version> versions, datasets_->List("", 10));
  ASSERT_THAT(versions, SizeIs(2));
  EXPECT_EQ(versions[1].number, 2);
  EXPECT_THAT(datasets_->List("a", 10).value(), SizeIs(1));
  EXPECT_THAT(datasets_->List("", 1).value(), SizeIs(1));
}

TEST_F(ImportTest, SplitIsStoredOnceAndCoversEveryImage) {
  ASSERT_OK_AND_ASSIGN(const ImportResult result, Push(TwoClasses(20)));
  ASSERT_OK_AND_ASSIGN(const SplitIndices first, datasets_->OpenSplit(result.version, 0.7, 0.15, 1));
  ASSERT_OK_AND_ASSIGN(const SplitIndices again, datasets_->OpenSplit(result.version, 0.7, 0.15, 1));
  EXPECT_EQ(first.hash, again.hash);
  EXPECT_EQ(first.train, again.train);
  EXPECT_EQ(first.test, again.test);
  EXPECT_EQ(first.train.size() + first.validation.size() + first.test.size(), 40u);
  EXPECT_EQ(first.train.size(), 28u);
  ASSERT_OK_AND_ASSIGN(const SplitIndices other, datasets_->OpenSplit(result.version, 0.7, 0.15, 2));
  EXPECT_NE(other.hash, first.hash);
  int rows = 0;
  ASSERT_OK(database_->Read("count splits", [&](store::Transaction& transaction) {
    transaction.sql() << "SELECT COUNT(*) FROM dataset_splits", soci::into(rows);
    return absl::OkStatus();
  }));
  EXPECT_EQ(rows, 2);
}

TEST_F(ImportTest, SplitOfEachFoldIsStored) {
  ASSERT_OK_AND_ASSIGN(const ImportResult result, Push(TwoClasses(20)));
  std::set<std::string> hashes;
  for (int round = 0; round < 2; ++round) {
    for (int fold = 1; fold <= 4; ++fold) {
      ASSERT_OK_AND_ASSIGN(const SplitIndices split,
                           datasets_->OpenSplit(result.version, 0.7, 0.15, 1, {.count = 4, .test = fold}));
      EXPECT_EQ(split.test.size(), 10u);
      hashes.insert(split.hash);
    }
  }
  EXPECT_EQ(hashes.size(), 4u);
  hashes.insert(datasets_->OpenSplit(result.version, 0.7, 0.15, 1)->hash);
  EXPECT_EQ(hashes.size(), 5u);
}

TEST_F(ImportTest, GivenSplitsAreReportedAndKept) {
  std::vector<File> files = TwoClasses(10);
  for (size_t i = 0; i < files.size(); ++i) files[i].split = i < 4 ? Split::kTest : Split::kTrain;
  ASSERT_OK_AND_ASSIGN(const ImportResult result, Push(files));
  EXPECT_EQ(datasets_->GetReport({.name = "animals"})->given_splits.at(Split::kTest), 4);
  ASSERT_OK_AND_ASSIGN(const SplitIndices split, datasets_->OpenSplit(result.version, 0.7, 0.15, 1));
  EXPECT_THAT(split.test, ElementsAre(0, 1, 10, 11));
  EXPECT_FALSE(split.validation.empty());
}

// Two classes of flat pictures, and one picture three times: as it is, without loss in another format, and mirrored,
// half as large and compressed in the other class.
std::vector<File> WithDuplicates() {
  std::vector<File> files = TwoClasses(10);
  const image::Image scene = image::testing::Scene(1);
  cv::Mat mirrored;
  cv::resize(image::testing::ToMat(scene), mirrored, {}, 0.5, 0.5, cv::INTER_AREA);
  cv::flip(mirrored, mirrored, 1);
  files.push_back({"cat/scene.png", "cat", image::testing::Encode(scene, ".png")});
  files.push_back({"cat/scene.bmp", "cat", image::testing::Encode(scene, ".bmp")});
  files.push_back({"dog/mirrored.jpg", "dog", image::testing::Encode(image::testing::FromMat(mirrored), ".jpg")});
  files.push_back({"dog/other.png", "dog", image::testing::Encode(image::testing::Scene(2), ".png")});
  return files;
}

TEST_F(ImportTest, AuditFindsTheSamePictureInOtherFiles) {
  ASSERT_THAT(Push(WithDuplicates()), IsOk());
  ASSERT_OK_AND_ASSIGN(const Report report, datasets_->GetReport({.name = "animals"}));
  ASSERT_TRUE(report.audit.has_value());
  ASSERT_EQ(report.audit->exact_duplicates.clusters, 1);
  EXPECT_EQ(report.audit->exact_duplicates.first[0].files[0].path, "cat/scene.bmp");
  EXPECT_EQ(report.audit->exact_duplicates.first[0].files[1].path, "cat/scene.png");
  ASSERT_EQ(report.audit->near_duplicates.clusters, 1);
  EXPECT_EQ(report.audit->near_duplicates.files, 3);
  ASSERT_EQ(report.audit->label_conflicts.clusters, 1);
  EXPECT_EQ(report.audit->label_conflicts.first[0].files[2].path, "dog/mirrored.jpg");
  EXPECT_EQ(report.audit->without_contrast, 20);
}

TEST_F(ImportTest, NearDuplicatesStayOnOneSideOfASplit) {
  ASSERT_OK_AND_ASSIGN(const ImportResult result, Push(WithDuplicates()));
  ASSERT_OK_AND_ASSIGN(const std::vector<Example> examples, datasets_->Examples(result.version));
  for (uint32_t seed = 0; seed < 10; ++seed) {
    ASSERT_OK_AND_ASSIGN(const SplitIndices split, datasets_->OpenSplit(result.version, 0.7, 0.15, seed));
    for (const std::vector<int>* part : {&split.train, &split.validation, &split.test}) {
      const auto in_cluster = std::count_if(part->begin(), part->end(),
                                            [&](int i) { return examples[static_cast<size_t>(i)].cluster != 0; });
      EXPECT_THAT(in_cluster, ::testing::AnyOf(0, 3)) << seed;
    }
  }
}

TEST_F(ImportTest, GroupsStayOnOneSideOfASplit) {
  std::vector<File> files = TwoClasses(20);
  ASSERT_OK_AND_ASSIGN(const ImportResult without, Push(files));
  for (size_t i = 0; i < files.size(); ++i) files[i].group = absl::StrCat("animal ", i / 4);
  ASSERT_OK_AND_ASSIGN(const ImportResult result, Push(files));
  EXPECT_EQ(result.version.number, 2) << "other groups are other content";
  EXPECT_NE(result.version.digest, without.version.digest);
  ASSERT_OK_AND_ASSIGN(const std::vector<Example> examples, datasets_->Examples(result.version));
  ASSERT_OK_AND_ASSIGN(const SplitIndices split, datasets_->OpenSplit(result.version, 0.7, 0.15, 1));
  std::map<std::string, std::set<const std::vector<int>*>> parts;
  for (const std::vector<int>* part : {&split.train, &split.validation, &split.test}) {
    EXPECT_FALSE(part->empty());
    for (const int i : *part) parts[examples[static_cast<size_t>(i)].group].insert(part);
  }
  EXPECT_EQ(parts.size(), 10u);
  for (const auto& [group, in] : parts) EXPECT_EQ(in.size(), 1u) << group;
}

TEST_F(ImportTest, VersionOfAnOlderProgramIsAuditedWhenItsFilesComeAgain) {
  ASSERT_OK_AND_ASSIGN(const ImportResult before, Push(WithDuplicates()));
  ASSERT_OK_AND_ASSIGN(const std::vector<Example> examples, datasets_->Examples(before.version));
  ASSERT_OK(database_->Write("pretend to be older", [&](store::Transaction& transaction) {
    transaction.sql() << "UPDATE image_facts SET pixel_sha256 = '', perceptual_hash = 0, thumbnail = ''";
    transaction.sql() << "UPDATE dataset_versions SET audit = ''";
    transaction.sql() << "UPDATE dataset_examples SET cluster = 0";
    return absl::OkStatus();
  }));
  EXPECT_FALSE(datasets_->GetReport({.name = "animals"})->audit.has_value());
  EXPECT_THAT(datasets_->OpenSplit(before.version, 0.7, 0.15, 1), IsOk());
  ASSERT_OK_AND_ASSIGN(const ImportResult again, Push(WithDuplicates()));
  EXPECT_TRUE(again.already_existed);
  ASSERT_OK_AND_ASSIGN(const Report report, datasets_->GetReport({.name = "animals"}));
  ASSERT_TRUE(report.audit.has_value());
  EXPECT_EQ(report.audit->near_duplicates.files, 3);
  ASSERT_OK_AND_ASSIGN(const std::vector<Example> audited, datasets_->Examples(again.version));
  for (size_t i = 0; i < examples.size(); ++i) EXPECT_EQ(audited[i].cluster, examples[i].cluster) << audited[i].path;
}

std::vector<File> PhotosIn(const std::string& root, int per_class) {
  std::vector<File> files;
  for (const auto& folder : std::filesystem::directory_iterator(root)) {
    if (!folder.is_directory()) continue;
    int taken = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (!absl::EndsWithIgnoreCase(entry.path().string(), ".jpg") || taken++ >= per_class) continue;
      const std::string label = folder.path().filename().string();
      files.push_back({absl::StrCat(label, "/", entry.path().filename().string()), label,
                       ReadFile(entry.path().string(), 20 << 20).value()});
    }
  }
  return files;
}

TEST_F(ImportTest, RealPhotosAreImportedAndDecodedOnce) {
  REQUIRE_ASSET(root, "datasets/monkeys5");
  const std::vector<File> files = PhotosIn(root, 8);
  ASSERT_THAT(files, SizeIs(40));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Import> import, Start({"monkeys"}));
  ASSERT_OK(Send(*import, files));
  int checked = 0;
  ASSERT_OK_AND_ASSIGN(const ImportResult result,
                       import->Commit([&](const ImportProgress& progress) { checked = progress.images_checked; }));
  EXPECT_EQ(checked, 40);
  EXPECT_EQ(result.version.image_count, 40);
  EXPECT_THAT(result.version.labels, SizeIs(5));

  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Import> again, Start({"more-monkeys"}));
  ASSERT_OK(Send(*again, files));
  int first_report = -1;
  ASSERT_THAT(again->Commit([&](const ImportProgress& progress) {
    if (first_report < 0) first_report = progress.images_checked;
  }),
              IsOk());
  EXPECT_EQ(first_report, 40) << "all images were known before the first was decoded";
}

// The figure of docs: run with --gtest_also_run_disabled_tests --gtest_filter=*MeasureAnimals5.
TEST_F(ImportTest, DISABLED_MeasureAnimals5) {
  REQUIRE_ASSET(root, "datasets/animals5");
  const std::vector<File> files = PhotosIn(root, 1000);
  ImportResult result;
  for (const char* round : {"first", "second"}) {
    const absl::Time start = absl::Now();
    ASSERT_OK_AND_ASSIGN(result, Push(files));
    std::cout << round << " import of " << files.size() << " photos: " << absl::Now() - start << "\n";
  }
  for (const char* round : {"first", "second"}) {
    const absl::Time start = absl::Now();
    ASSERT_OK_AND_ASSIGN(const SplitIndices split, datasets_->OpenSplit(result.version, 0.7, 0.15, 1));
    std::cout << round << " OpenSplit " << split.train.size() << "/" << split.validation.size() << "/"
              << split.test.size() << ": " << absl::Now() - start << "\n";
  }
}

}  // namespace
}  // namespace graft::dataset
