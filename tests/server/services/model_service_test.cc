#include "absl/strings/str_cat.h"
#include "core/base/errors.h"
#include "core/registry/evaluation_record.h"
#include "tests/server/services/server_test.h"
#include "tests/testing/status_matchers.h"

namespace graft::testing {
namespace {

using Stub = v1::ModelService::Stub;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

class ModelServiceTest : public ServerTest {
 protected:
  absl::StatusOr<v1::ModelVersion> Get(const std::string& name) {
    v1::GetModelVersionRequest request;
    request.set_name(name);
    v1::ModelVersion version;
    const absl::Status status = Call(&Stub::GetModelVersion, *models_, request, &version);
    return status.ok() ? absl::StatusOr<v1::ModelVersion>(version) : status;
  }
  absl::Status SetAlias(const std::string& name, const std::string& alias) {
    v1::SetAliasRequest request;
    request.set_name(name);
    request.set_alias(alias);
    v1::ModelVersion version;
    return Call(&Stub::SetAlias, *models_, request, &version);
  }
  absl::StatusOr<int> RollBack(const std::string& model, const std::string& alias, int from = 0) {
    v1::RollbackAliasRequest request;
    request.set_model(model);
    request.set_alias(alias);
    request.set_from(from);
    v1::ModelVersion version;
    const absl::Status status = Call(&Stub::RollbackAlias, *models_, request, &version);
    return status.ok() ? absl::StatusOr<int>(version.number()) : status;
  }
  absl::Status Delete(const std::string& name) {
    v1::DeleteModelVersionRequest request;
    request.set_name(name);
    v1::DeleteModelVersionResponse response;
    return Call(&Stub::DeleteModelVersion, *models_, request, &response);
  }
};

TEST_F(ModelServiceTest, VersionExplainsItself) {
  PublishModel("animals");
  ASSERT_OK_AND_ASSIGN(const v1::ModelVersion version, Get("animals"));
  EXPECT_EQ(version.name(), "models/animals/versions/1");
  EXPECT_THAT(version.labels(), ElementsAre("cat", "dog"));
  EXPECT_EQ(version.preprocess().height(), 224);
  EXPECT_EQ(version.preprocess().normalization(), "minus_one_to_one");
  EXPECT_EQ(version.spec().epochs(), 10);
  EXPECT_EQ(version.metrics().test_accuracy(), 0.875);
  EXPECT_EQ(version.temperature(), 1.25);
  EXPECT_EQ(version.metrics().model_version(), version.name());
  EXPECT_EQ(version.job(), "jobs/j1");
  EXPECT_GT(version.size_bytes(), 0);
  EXPECT_EQ(version.trainable(), "head");
  EXPECT_EQ(version.base_backbone_sha256(), version.backbone_sha256());
  EXPECT_EQ(version.backbone_size_bytes(), 0);
}

TEST_F(ModelServiceTest, AliasFollowsAndNamesAVersion) {
  PublishModel("animals");
  PublishModel("animals");
  ASSERT_OK(SetAlias("animals:1", "production"));
  ASSERT_OK_AND_ASSIGN(const v1::ModelVersion first, Get("animals@production"));
  EXPECT_EQ(first.number(), 1);
  EXPECT_THAT(first.aliases(), ElementsAre("production"));
  ASSERT_OK(SetAlias("models/animals/versions/2", "production"));
  ASSERT_OK_AND_ASSIGN(const v1::ModelVersion second, Get("models/animals/aliases/production"));
  EXPECT_EQ(second.number(), 2);
  EXPECT_THAT(SetAlias("animals:1", "No Alias"), StatusIs(kInvalid, HasSubstr("alias")));
  EXPECT_THAT(SetAlias("animals:9", "production"), StatusIs(kNotFound));
}

TEST_F(ModelServiceTest, ModelsAreListedByNameAndVersionsNewestFirst) {
  for (const char* model : {"b", "a", "c", "b", "b"}) PublishModel(model);
  v1::ListModelsRequest models;
  models.set_page_size(2);
  v1::ListModelsResponse page;
  ASSERT_OK(Call(&Stub::ListModels, *models_, models, &page));
  ASSERT_EQ(page.models_size(), 2);
  EXPECT_EQ(page.models(0).name(), "models/a");
  EXPECT_EQ(page.models(1).version_count(), 3);
  EXPECT_EQ(page.models(1).latest().number(), 3);
  models.set_page_token(page.next_page_token());
  ASSERT_OK(Call(&Stub::ListModels, *models_, models, &page));
  ASSERT_EQ(page.models_size(), 1);
  EXPECT_EQ(page.next_page_token(), "");

  v1::ListModelVersionsRequest versions;
  versions.set_model("b");
  versions.set_page_size(2);
  v1::ListModelVersionsResponse version_page;
  ASSERT_OK(Call(&Stub::ListModelVersions, *models_, versions, &version_page));
  ASSERT_EQ(version_page.versions_size(), 2);
  EXPECT_EQ(version_page.versions(0).number(), 3);
  versions.set_page_token(version_page.next_page_token());
  ASSERT_OK(Call(&Stub::ListModelVersions, *models_, versions, &version_page));
  ASSERT_EQ(version_page.versions_size(), 1);
  EXPECT_EQ(version_page.versions(0).number(), 1);
  versions.set_model("a");  // another list's token
  EXPECT_THAT(Call(&Stub::ListModelVersions, *models_, versions, &version_page),
              StatusIs(kInvalid, HasSubstr("page_token")));
  versions.set_model("b:1");
  EXPECT_THAT(Call(&Stub::ListModelVersions, *models_, versions, &version_page),
              StatusIs(kInvalid, HasSubstr("model")));
}

TEST_F(ModelServiceTest, RollbackReturnsToTheVersionBefore) {
  for (int i = 1; i <= 3; ++i) {
    PublishModel("animals");
    ASSERT_OK(SetAlias(absl::StrCat("animals:", i), "production"));
  }
  EXPECT_THAT(RollBack("models/animals", "production", 3), IsOkAndHolds(2));
  EXPECT_THAT(RollBack("animals", "production", 3), IsOkAndHolds(2));
  EXPECT_THAT(RollBack("animals", "production"), IsOkAndHolds(1));
  ASSERT_OK_AND_ASSIGN(const v1::ModelVersion version, Get("animals@production"));
  EXPECT_EQ(version.number(), 1);
  const absl::Status exhausted = RollBack("animals", "production").status();
  EXPECT_THAT(exhausted, StatusIs(kPrecondition));
  const auto detail = DetailOf(exhausted);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(std::get<PreconditionDetail>(*detail).subject, "animals@production");
}

TEST_F(ModelServiceTest, AliasStaysWhereItIsWhenItsNextVersionCannotBeLoaded) {
  for (int i = 1; i <= 2; ++i) {
    PublishModel("animals");
    ASSERT_OK(SetAlias(absl::StrCat("animals:", i), "production"));
  }
  classifier_->FailLoads(absl::DataLossError("animals:1: head.safetensors is damaged"));
  EXPECT_THAT(RollBack("animals", "production"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("animals:1")));
  EXPECT_THAT(SetAlias("animals:1", "production"), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(Get("animals@production")->number(), 2);
  classifier_->FailLoads(absl::OkStatus());
  EXPECT_THAT(RollBack("animals", "production"), IsOkAndHolds(1));
}

TEST_F(ModelServiceTest, RollbackChecksItsRequest) {
  PublishModel("animals");
  EXPECT_THAT(RollBack("animals", "production"), StatusIs(kNotFound, HasSubstr("production")));
  EXPECT_THAT(RollBack("plants", "production"), StatusIs(kNotFound, HasSubstr("plants")));
  EXPECT_THAT(RollBack("animals:1", "production"), StatusIs(kInvalid, HasSubstr("model")));
  EXPECT_THAT(RollBack("animals", ""), StatusIs(kInvalid, HasSubstr("alias")));
  EXPECT_THAT(RollBack("animals", "production", -1), StatusIs(kInvalid, HasSubstr("from")));
}

TEST_F(ModelServiceTest, AliasHistoryIsPagedNewestFirst) {
  for (int i = 1; i <= 2; ++i) PublishModel("animals");
  ASSERT_OK(SetAlias("animals:1", "production"));
  ASSERT_OK(SetAlias("animals:2", "production"));
  ASSERT_OK(SetAlias("animals:1", "canary"));
  ASSERT_THAT(RollBack("animals", "production"), IsOkAndHolds(1));
  ASSERT_OK(Delete("animals:2"));

  v1::ListAliasHistoryRequest request;
  request.set_model("animals");
  request.set_page_size(3);
  v1::ListAliasHistoryResponse page;
  ASSERT_OK(Call(&Stub::ListAliasHistory, *models_, request, &page));
  ASSERT_EQ(page.moves_size(), 3);
  EXPECT_EQ(page.moves(0).version(), "models/animals/versions/1");
  EXPECT_EQ(page.moves(0).previous(), "models/animals/versions/2");
  EXPECT_TRUE(page.moves(0).rollback());
  EXPECT_FALSE(page.moves(0).version_deleted());
  EXPECT_GT(page.moves(0).time().seconds(), 0);
  EXPECT_EQ(page.moves(1).alias(), "canary");
  EXPECT_EQ(page.moves(1).previous(), "");
  EXPECT_TRUE(page.moves(2).version_deleted());
  EXPECT_FALSE(page.moves(2).rollback());
  request.set_page_token(page.next_page_token());
  ASSERT_OK(Call(&Stub::ListAliasHistory, *models_, request, &page));
  ASSERT_EQ(page.moves_size(), 1);
  EXPECT_EQ(page.moves(0).previous(), "");
  EXPECT_EQ(page.next_page_token(), "");

  request.set_alias("canary");  // another list's token
  EXPECT_THAT(Call(&Stub::ListAliasHistory, *models_, request, &page), StatusIs(kInvalid, HasSubstr("page_token")));
  request.clear_page_token();
  ASSERT_OK(Call(&Stub::ListAliasHistory, *models_, request, &page));
  EXPECT_EQ(page.moves_size(), 1);
  request.set_model("plants");
  EXPECT_THAT(Call(&Stub::ListAliasHistory, *models_, request, &page), StatusIs(kNotFound));
}

TEST_F(ModelServiceTest, DeleteNamesWhatStandsInItsWay) {
  for (int i = 1; i <= 2; ++i) PublishModel("animals");
  ASSERT_OK(SetAlias("animals:1", "production"));
  EXPECT_THAT(Delete("animals:1"), StatusIs(kPrecondition, HasSubstr("production")));
  EXPECT_THAT(Delete("animals"), StatusIs(kInvalid, HasSubstr("animals:3")));
  EXPECT_THAT(Delete("animals@production"), StatusIs(kInvalid, HasSubstr("number")));
  EXPECT_THAT(Delete("animals:7"), StatusIs(kNotFound));
  EXPECT_THAT(Delete("plants:1"), StatusIs(kNotFound));
  ASSERT_OK(Delete("models/animals/versions/2"));
  EXPECT_THAT(classifier_->forgotten(), ElementsAre("animals:2"));
  EXPECT_THAT(Get("animals:2"), StatusIs(kNotFound, HasSubstr("deleted")));
  EXPECT_THAT(Delete("animals:2"), StatusIs(kNotFound));
}

TEST_F(ModelServiceTest, CompareKeepsTheOrderAskedFor) {
  PublishModel("a");
  PublishModel("b");
  v1::CompareModelVersionsRequest request;
  request.add_names("b:1");
  request.add_names("a");
  v1::CompareModelVersionsResponse response;
  ASSERT_OK(Call(&Stub::CompareModelVersions, *models_, request, &response));
  ASSERT_EQ(response.versions_size(), 2);
  EXPECT_EQ(response.versions(0).model(), "b");
  EXPECT_EQ(response.versions(1).model(), "a");
  request.add_names("c");
  EXPECT_THAT(Call(&Stub::CompareModelVersions, *models_, request, &response), StatusIs(kNotFound));
  request.clear_names();
  EXPECT_THAT(Call(&Stub::CompareModelVersions, *models_, request, &response), StatusIs(kInvalid, HasSubstr("names")));
  for (int i = 0; i < 101; ++i) request.add_names("a");
  EXPECT_THAT(Call(&Stub::CompareModelVersions, *models_, request, &response), StatusIs(kInvalid, HasSubstr("names")));
}

TEST_F(ModelServiceTest, ListsLeaveTheClassesOut) {
  PublishModel("animals", {.classes = {{.label = "cat"}, {.label = "dog"}}});
  EXPECT_EQ(Get("animals")->metrics().classes_size(), 2);
  EXPECT_EQ(Get("animals")->metrics().confusion_matrix().labels_size(), 2);
  v1::ListModelsResponse models;
  ASSERT_OK(Call(&Stub::ListModels, *models_, v1::ListModelsRequest(), &models));
  EXPECT_EQ(models.models(0).latest().metrics().test_accuracy(), 0.875);
  EXPECT_EQ(models.models(0).latest().metrics().classes_size(), 0);
  v1::ListModelVersionsRequest request;
  request.set_model("animals");
  v1::ListModelVersionsResponse versions;
  ASSERT_OK(Call(&Stub::ListModelVersions, *models_, request, &versions));
  EXPECT_EQ(versions.versions(0).metrics().classes_size(), 0);
  EXPECT_FALSE(versions.versions(0).metrics().has_confusion_matrix());
}

class CompareTest : public ModelServiceTest {
 protected:
  // A version that predicts `predictions` for photos of the classes 0, 0, 1, 1.
  void Publish(const std::string& model, std::vector<int> predictions, const std::string& test = "7e57") {
    const registry::EvaluationRecord record{.labels = {0, 0, 1, 1}, .predictions = std::move(predictions)};
    PublishModel(model, {.test_split_hash = test,
                         .classes = {{.label = "cat", .precision = 0.5, .recall = 0.25, .f1 = 1.0 / 3},
                                     {.label = "dog", .precision = 0.75, .recall = 0.5, .f1 = 0.6}},
                         .evaluation = registry::ToJson(record)});
  }
  absl::StatusOr<v1::CompareModelVersionsResponse> Compare(const v1::CompareModelVersionsRequest& request) {
    v1::CompareModelVersionsResponse response;
    const absl::Status status = Call(&Stub::CompareModelVersions, *models_, request, &response);
    return status.ok() ? absl::StatusOr<v1::CompareModelVersionsResponse>(response) : status;
  }
  static v1::CompareModelVersionsRequest Named(const std::vector<std::string>& names) {
    v1::CompareModelVersionsRequest request;
    for (const std::string& name : names) request.add_names(name);
    return request;
  }
};

TEST_F(CompareTest, OthersAreHeldAgainstTheFirst) {
  Publish("a", {0, 0, 1, 0});
  Publish("b", {0, 1, 0, 1});
  PutWeights("mobilenet_v2");
  ASSERT_OK_AND_ASSIGN(const auto response, Compare(Named({"a", "b"})));
  ASSERT_EQ(response.versions_size(), 2);
  EXPECT_EQ(response.versions(0).metrics().classes_size(), 0);
  ASSERT_EQ(response.costs_size(), 2);
  EXPECT_NEAR(static_cast<double>(response.costs(0).multiply_accumulates()), 0.2995e9, 0.0001e9);
  EXPECT_GE(response.costs(0).size_bytes(), response.versions(0).size_bytes());
  EXPECT_FALSE(response.costs(0).has_latency());
  ASSERT_EQ(response.comparisons_size(), 1);
  const v1::VersionComparison& comparison = response.comparisons(0);
  EXPECT_EQ(comparison.version(), "models/b/versions/1");
  EXPECT_EQ(comparison.baseline(), "models/a/versions/1");
  EXPECT_TRUE(comparison.same_test_split());
  EXPECT_EQ(comparison.mcnemar().only_version_right(), 1);
  EXPECT_EQ(comparison.mcnemar().only_baseline_right(), 2);
  EXPECT_TRUE(comparison.mcnemar().exact());
  EXPECT_EQ(comparison.mcnemar().p_value(), 1);
  ASSERT_EQ(comparison.classes_size(), 2);
  EXPECT_EQ(comparison.classes(0).label(), "cat");
  EXPECT_EQ(comparison.classes(0).f1(), 0);
}

TEST_F(CompareTest, UnequalTestSplitsAreRefusedUnlessAsked) {
  Publish("a", {0, 0, 1, 0});
  Publish("b", {0, 1, 0, 1}, "07e4");
  v1::CompareModelVersionsRequest request = Named({"a", "b"});
  EXPECT_THAT(Compare(request), StatusIs(kPrecondition, AllOf(HasSubstr("models/a/versions/1"),
                                                              HasSubstr("datasets/animals/versions/1 (split 5711)"),
                                                              HasSubstr("--any-split"))));
  request.set_any_test_split(true);
  ASSERT_OK_AND_ASSIGN(const auto response, Compare(request));
  EXPECT_EQ(response.costs_size(), 2);
  EXPECT_FALSE(response.comparisons(0).same_test_split());
  EXPECT_FALSE(response.comparisons(0).has_mcnemar());
  EXPECT_THAT(response.comparisons(0).mcnemar_missing(), HasSubstr("different photos"));
  EXPECT_EQ(response.comparisons(0).classes_size(), 0);
}

TEST_F(CompareTest, OldVersionsAreComparedAsFarAsTheyGo) {
  Publish("a", {0, 0, 1, 0});
  PublishModel("old", {.classes = {{.label = "cat", .precision = 0.75}}});
  ASSERT_OK_AND_ASSIGN(const auto response, Compare(Named({"a", "old"})));
  const v1::VersionComparison& comparison = response.comparisons(0);
  EXPECT_TRUE(comparison.same_test_split());
  EXPECT_FALSE(comparison.has_mcnemar());
  EXPECT_THAT(comparison.mcnemar_missing(), HasSubstr("models/old/versions/1 was published before"));
  ASSERT_EQ(comparison.classes_size(), 1);
  EXPECT_EQ(comparison.classes(0).precision(), 0.25);
  EXPECT_FALSE(comparison.classes(0).has_f1());
}

TEST_F(CompareTest, LatencyIsMeasuredWhereAsked) {
  Publish("a", {0, 0, 1, 0});
  v1::CompareModelVersionsRequest request = Named({"a"});
  request.set_measure_latency(true);
  ASSERT_OK_AND_ASSIGN(const auto response, Compare(request));
  EXPECT_TRUE(response.costs(0).has_latency());
  EXPECT_GE(classifier_->calls(), 2 + 2 * 32);
  EXPECT_EQ(classifier_->LastCall().priority, inference::Priority::kBatch);
  EXPECT_EQ(classifier_->LastCall().pixels.size(), size_t{224} * 224 * 3);
  for (int i = 0; i < 5; ++i) request.add_names("a");
  EXPECT_THAT(Compare(request), StatusIs(kInvalid, HasSubstr("names")));
}

TEST_F(ModelServiceTest, SuspectsAreThoseOfTheVersion) {
  const registry::Suspect suspect = {.path = "cat/1.jpg",
                                     .label = "cat",
                                     .predicted = "dog",
                                     .probability = 0.75,
                                     .label_probability = 0.25,
                                     .loss = 2};
  PublishModel("new", {.evaluation = registry::ToJson(registry::EvaluationRecord{.highest_loss = {suspect, suspect},
                                                                                 .disagreements = {suspect}})});
  PublishModel("old");
  v1::ListSuspectsRequest request;
  v1::ListSuspectsResponse response;
  request.set_name("new");
  ASSERT_OK(Call(&Stub::ListSuspects, *models_, request, &response));
  EXPECT_EQ(response.model_version(), "models/new/versions/1");
  EXPECT_EQ(response.dataset_version(), "datasets/animals/versions/1");
  EXPECT_EQ(response.highest_loss_size(), 2);
  ASSERT_EQ(response.disagreements_size(), 1);
  EXPECT_EQ(response.disagreements(0).path(), "cat/1.jpg");
  EXPECT_EQ(response.disagreements(0).predicted(), "dog");
  EXPECT_EQ(response.disagreements(0).loss(), 2);
  request.set_name("old");
  EXPECT_THAT(Call(&Stub::ListSuspects, *models_, request, &response),
              StatusIs(kPrecondition, HasSubstr("models/old/versions/1")));
  request.set_name("nobody");
  EXPECT_THAT(Call(&Stub::ListSuspects, *models_, request, &response), StatusIs(kNotFound));
}

TEST_F(ModelServiceTest, UnknownModelIsNotFound) {
  PublishModel("animals");
  EXPECT_THAT(Get("plants"), StatusIs(kNotFound, HasSubstr("plants")));
  EXPECT_THAT(Get("animals:2"), StatusIs(kNotFound));
  EXPECT_THAT(Get(""), StatusIs(kInvalid, HasSubstr("name")));
}

}  // namespace
}  // namespace graft::testing
