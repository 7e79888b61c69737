#include "core/registry/registry.h"

#include <filesystem>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/store/database.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::registry {
namespace {

namespace fs = std::filesystem;
using ::graft::testing::IsOk;
using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RegistryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(folder_ / "graft.db"));
    registry_ = std::make_unique<Registry>(database_.get(), folder_ / "models");
  }

  absl::StatusOr<Staged> Stage(const std::string& model, const std::string& head = "head") {
    return registry_->Stage(model, "mobilenet_v2", std::string(64, 'a'), "job1", {.head = head, .manifest = "{}"});
  }

  absl::StatusOr<int> PublishStaged(const Staged& staged, const std::string& alias = "") {
    absl::StatusOr<int> number = 0;
    const absl::Status written = database_->Write("publish", [&](store::Transaction& transaction) {
      number = registry_->Publish(transaction, staged, alias);
      return number.status();
    });
    return written.ok() ? number : absl::StatusOr<int>(written);
  }

  absl::StatusOr<int> Publish(const std::string& model, const std::string& alias = "") {
    absl::StatusOr<Staged> staged = Stage(model);
    return staged.ok() ? PublishStaged(*staged, alias) : absl::StatusOr<int>(staged.status());
  }

  int FoldersOf(const std::string& model) {
    int folders = 0;
    for (const auto& entry : fs::directory_iterator(folder_ / ("models/" + model))) folders += entry.is_directory();
    return folders;
  }

  testing::TemporaryFolder folder_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Registry> registry_;
};

TEST_F(RegistryTest, PublishedVersionIsFoundWithItsFiles) {
  EXPECT_EQ(Publish("animals").value(), 1);
  EXPECT_EQ(Publish("animals", "production").value(), 2);
  ASSERT_OK_AND_ASSIGN(const ModelVersion latest, registry_->Find({.name = "animals"}));
  EXPECT_EQ(latest.number, 2);
  EXPECT_EQ(latest.head_sha256, Sha256Hex("head"));
  EXPECT_EQ(latest.manifest, "{}");
  EXPECT_EQ(latest.job_id, "job1");
  EXPECT_THAT(latest.aliases, ElementsAre("production"));
  EXPECT_EQ(ReadFile(latest.head_path, 100).value(), "head");
  EXPECT_EQ(ReadFile(fs::path(latest.head_path).parent_path() / "manifest.json", 100).value(), "{}");
  EXPECT_EQ(registry_->ResolveNumber({.name = "animals", .number = 1}).value(), 1);
}

TEST_F(RegistryTest, StagedVersionIsInvisibleUntilPublished) {
  ASSERT_OK_AND_ASSIGN(const Staged staged, Stage("animals"));
  EXPECT_THAT(registry_->Find({.name = "animals"}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(PublishStaged(staged));
  EXPECT_OK(registry_->Find({.name = "animals"}));
}

TEST_F(RegistryTest, RolledBackPublishLeavesNothingBehind) {
  ASSERT_OK_AND_ASSIGN(const Staged staged, Stage("animals"));
  EXPECT_THAT(database_->Write("publish",
                               [&](store::Transaction& transaction) {
                                 EXPECT_OK(registry_->Publish(transaction, staged, "production"));
                                 return absl::InternalError("the step after it failed");
                               }),
              StatusIs(absl::StatusCode::kInternal));
  EXPECT_THAT(registry_->Find({.name = "animals"}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(PublishStaged(staged).value(), 1);
}

TEST_F(RegistryTest, RemovesOrphansButNeitherVersionsNorStagesInProgress) {
  ASSERT_THAT(Publish("animals"), IsOk());
  ASSERT_THAT(Stage("animals"), IsOk());  // let go of at once: nobody publishes it
  fs::create_directories(folder_ / "models/animals/.staging-old");
  ASSERT_OK_AND_ASSIGN(const Staged living, Stage("animals"));
  ASSERT_EQ(FoldersOf("animals"), 4);

  ASSERT_OK(registry_->RemoveOrphans());
  EXPECT_EQ(FoldersOf("animals"), 2);
  EXPECT_EQ(PublishStaged(living).value(), 2);
  ASSERT_OK_AND_ASSIGN(const ModelVersion published, registry_->Find({.name = "animals", .number = 2}));
  EXPECT_TRUE(fs::exists(published.head_path));
}

TEST_F(RegistryTest, RemoveOrphansOfNoModelsIsFine) {
  EXPECT_OK(registry_->RemoveOrphans());
}

TEST_F(RegistryTest, ConcurrentPublishesGetDistinctNumbers) {
  constexpr int kThreads = 8;
  std::vector<int> numbers(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] { numbers[i] = Publish("animals").value_or(0); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(std::set<int>(numbers.begin(), numbers.end()), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
}

TEST_F(RegistryTest, AliasMovesAndSurvives) {
  ASSERT_OK(Publish("animals", "production"));
  ASSERT_OK(Publish("animals"));
  EXPECT_EQ(registry_->Find({.name = "animals", .alias = "production"})->number, 1);
  ASSERT_OK_AND_ASSIGN(const ModelVersion moved, registry_->SetAlias({.name = "animals", .number = 2}, "production"));
  EXPECT_THAT(moved.aliases, ElementsAre("production"));
  EXPECT_EQ(registry_->Find({.name = "animals", .alias = "production"})->number, 2);
  EXPECT_THAT(registry_->Find({.name = "animals", .number = 1})->aliases, IsEmpty());
}

TEST_F(RegistryTest, NotFoundNamesWhatExists) {
  EXPECT_THAT(registry_->Find({.name = "animals"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no model has been published")));
  for (const char* model : {"a", "b", "c", "d", "e", "f", "animals"}) ASSERT_OK(Publish(model));
  ASSERT_OK(Publish("animals", "production"));
  EXPECT_THAT(registry_->Find({.name = "animols"}),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("animols"), HasSubstr("models are a"), HasSubstr("animals"), HasSubstr("..."))));
  EXPECT_THAT(registry_->Find({.name = "animals", .number = 9}),
              StatusIs(absl::StatusCode::kNotFound, AllOf(HasSubstr("animals:9"), HasSubstr("2, 1"))));
  EXPECT_THAT(registry_->Find({.name = "animals", .alias = "prod"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("production")));
  EXPECT_THAT(registry_->SetAlias({.name = "animals", .number = 9}, "x"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->SetAlias({.name = "animals"}, "No!"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(RegistryTest, ListsPageByPage) {
  for (const char* model : {"a", "b", "b", "b", "c"}) ASSERT_OK(Publish(model, "live"));
  ASSERT_OK_AND_ASSIGN(const auto models, registry_->ListModels("a", 1));
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].latest.model, "b");
  EXPECT_EQ(models[0].latest.number, 3);
  EXPECT_EQ(models[0].version_count, 3);
  EXPECT_EQ(models[0].aliases.at("live"), 3);

  ASSERT_OK_AND_ASSIGN(const auto versions, registry_->ListVersions("b", 3, 10));
  ASSERT_EQ(versions.size(), 2u);
  EXPECT_EQ(versions[0].number, 2);
  EXPECT_THAT(registry_->ListVersions("z", 0, 10), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK_AND_ASSIGN(const Registry::Counts counts, registry_->Count());
  EXPECT_EQ(counts.models, 3);
  EXPECT_EQ(counts.versions, 5);
}

}  // namespace
}  // namespace graft::registry
