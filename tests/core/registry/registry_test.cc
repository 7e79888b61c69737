#include "core/registry/registry.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/store/connection.h"
#include "core/store/database.h"
#include "core/store/migrations.h"
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
using ::testing::Not;

class RegistryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(folder_ / "graft.db"));
    registry_ = std::make_unique<Registry>(database_.get(), folder_ / "models");
  }

  absl::StatusOr<Staged> Stage(const std::string& model, const std::string& head = "head") {
    return registry_->Stage(model, "mobilenet_v2", std::string(64, 'a'), "job1", {.head = head, .manifest = "{}"});
  }

  absl::StatusOr<Staged> StageFineTuned(const std::string& model, const std::string& backbone) {
    return registry_->Stage(model, "mobilenet_v2", Sha256Hex(backbone), "job1",
                            {.head = "head", .manifest = "{}", .backbone = backbone});
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

  ModelVersion Found(const std::string& model) {
    const auto version = registry_->Find({.name = model});
    EXPECT_OK(version);
    return version.value_or(ModelVersion{});
  }

  std::vector<int> NumbersOf(const std::string& model) {
    std::vector<int> numbers;
    const std::vector<ModelVersion> versions = registry_->ListVersions(model, 0, 100).value();
    for (const ModelVersion& version : versions) numbers.push_back(version.number);
    return numbers;
  }

  // "production 1", "production 1->2", "production 2=>1" (a rollback), newest first; "!" behind a deleted version.
  std::vector<std::string> HistoryOf(const std::string& model, const std::string& alias = "") {
    std::vector<std::string> history;
    const std::vector<AliasMove> moves = registry_->AliasHistory(model, alias, 0, 100).value();
    for (const AliasMove& move : moves) {
      const std::string from = move.from == 0 ? "" : absl::StrCat(move.from, move.is_rollback ? "=>" : "->");
      history.push_back(absl::StrCat(move.alias, " ", from, move.number, move.version_exists ? "" : "!"));
    }
    return history;
  }

  absl::StatusOr<int> RollBack(const std::string& model, std::optional<int> from = std::nullopt) {
    const absl::StatusOr<ModelVersion> version = registry_->RollBackAlias(model, "production", from);
    return version.ok() ? version->number : absl::StatusOr<int>(version.status());
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

TEST_F(RegistryTest, EvaluationIsKeptBesideTheHead) {
  ASSERT_OK(Publish("old"));
  EXPECT_FALSE(fs::exists(Found("old").evaluation_path));
  ASSERT_OK_AND_ASSIGN(const Staged staged,
                       registry_->Stage("new", "mobilenet_v2", std::string(64, 'a'), "job1",
                                        {.head = "head", .manifest = "{}", .evaluation = "{\"labels\":[]}"}));
  ASSERT_OK(PublishStaged(staged));
  const ModelVersion version = Found("new");
  EXPECT_EQ(ReadFile(version.evaluation_path, 100).value(), "{\"labels\":[]}");
  EXPECT_EQ(version.size_bytes, 4 + 2 + 13);
  ASSERT_OK(registry_->Delete("new", 1));
  EXPECT_FALSE(fs::exists(version.evaluation_path));
}

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

TEST_F(RegistryTest, FineTunedVersionHasItsBackboneInItsFolderAndTakesItAlong) {
  ASSERT_THAT(Publish("animals"), IsOk());
  ASSERT_OK_AND_ASSIGN(const Staged staged, StageFineTuned("animals", "tuned"));
  ASSERT_EQ(PublishStaged(staged).value(), 2);
  ASSERT_OK_AND_ASSIGN(const ModelVersion frozen, registry_->Find({.name = "animals", .number = 1}));
  EXPECT_EQ(frozen.backbone_path, "");
  EXPECT_EQ(frozen.backbone_size_bytes, 0);
  ASSERT_OK_AND_ASSIGN(const ModelVersion tuned, registry_->Find({.name = "animals", .number = 2}));
  EXPECT_EQ(tuned.backbone_sha256, Sha256Hex("tuned"));
  EXPECT_EQ(ReadFile(tuned.backbone_path, 100).value(), "tuned");
  EXPECT_EQ(tuned.backbone_size_bytes, 5);
  EXPECT_EQ(tuned.size_bytes, frozen.size_bytes + 5);

  ASSERT_OK(registry_->Delete("animals", 2));
  EXPECT_FALSE(fs::exists(tuned.backbone_path));
  EXPECT_TRUE(fs::exists(frozen.head_path));
}

TEST_F(RegistryTest, BackboneOfAnotherDigestIsNotStaged) {
  EXPECT_THAT(registry_->Stage("animals", "mobilenet_v2", std::string(64, 'a'), "job1",
                               {.head = "head", .manifest = "{}", .backbone = "tuned"}),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("digest")));
  EXPECT_FALSE(fs::exists(folder_ / "models/animals"));
}

// The worker dies after the files are in place and before the row is.
TEST_F(RegistryTest, KilledBetweenStagingAndPublishingLeavesNothingForEver) {
  const pid_t child = fork();
  if (child == 0) {
    const absl::StatusOr<Staged> staged = StageFineTuned("animals", "tuned");
    if (staged.ok()) raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  ASSERT_EQ(FoldersOf("animals"), 1);
  EXPECT_THAT(registry_->Find({.name = "animals"}), StatusIs(absl::StatusCode::kNotFound));

  ASSERT_OK(registry_->RemoveOrphans());
  EXPECT_TRUE(fs::is_empty(folder_ / "models/animals"));
  ASSERT_OK_AND_ASSIGN(const Staged again, StageFineTuned("animals", "tuned"));
  EXPECT_EQ(PublishStaged(again).value(), 1);
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

TEST_F(RegistryTest, NotFoundNamesTheVersionsAndAliasesOfAModel) {
  EXPECT_THAT(registry_->Find({.name = "animals"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("graft model list")));
  for (const char* model : {"a", "b", "c", "d", "e", "f", "animals"}) ASSERT_OK(Publish(model));
  ASSERT_OK(Publish("animals", "production"));
  EXPECT_THAT(registry_->Find({.name = "animols"}),
              StatusIs(absl::StatusCode::kNotFound, AllOf(HasSubstr("animols"), Not(HasSubstr("animals")))))
      << "callers may not be meant to know the others";
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

TEST_F(RegistryTest, DeletedVersionIsGoneForGoodAndItsNumberTooAfterReopening) {
  for (int i = 0; i < 3; ++i) ASSERT_OK(Publish("animals"));
  ASSERT_EQ(FoldersOf("animals"), 3);
  ASSERT_OK(registry_->Delete("animals", 3));
  EXPECT_EQ(FoldersOf("animals"), 2);

  registry_.reset();
  database_.reset();
  SetUp();
  EXPECT_THAT(NumbersOf("animals"), ElementsAre(2, 1));
  EXPECT_EQ(registry_->ResolveNumber({.name = "animals"}).value(), 2);
  const VersionReference deleted = {.name = "animals", .number = 3};
  EXPECT_THAT(registry_->ResolveNumber(deleted),
              StatusIs(absl::StatusCode::kNotFound, AllOf(HasSubstr("animals:3"), HasSubstr("deleted"))));
  EXPECT_THAT(registry_->Find(deleted), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->SetAlias(deleted, "production"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(registry_->Delete("animals", 3), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(Publish("animals").value(), 4);
}

TEST_F(RegistryTest, ReadFollowsAnAliasThatMovesOnWhileItsVersionIsDeleted) {
  ASSERT_OK_AND_ASSIGN(const int first, Publish("animals", "production"));
  std::vector<int> read;
  const auto find = [&](int number) -> absl::StatusOr<int> {
    read.push_back(number);
    if (number == first) {  // as if another process came between the two reads
      EXPECT_OK(Publish("animals", "production"));
      EXPECT_OK(registry_->Delete("animals", first));
    }
    const absl::StatusOr<ModelVersion> version = registry_->Find({.name = "animals", .number = number, .alias = {}});
    return version.ok() ? absl::StatusOr<int>(version->number) : version.status();
  };

  EXPECT_THAT(ReadResolved(*registry_, {.name = "animals", .number = {}, .alias = "production"}, find), IsOk());
  EXPECT_THAT(read, ElementsAre(first, first + 1));

  // What is named by its number stays what it is: gone.
  EXPECT_THAT(ReadResolved(*registry_, {.name = "animals", .number = first, .alias = {}}, find),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(RegistryTest, DeleteOfWhatNeverWasIsNotFound) {
  EXPECT_THAT(registry_->Delete("animals", 1), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK(Publish("animals"));
  const absl::Status status = registry_->Delete("animals", 2);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, HasSubstr("versions are 1")));
  EXPECT_THAT(std::string(status.message()), ::testing::Not(HasSubstr("deleted")));
}

TEST_F(RegistryTest, VersionBehindAnAliasIsNotDeleted) {
  ASSERT_OK(Publish("animals", "production"));
  ASSERT_OK(registry_->SetAlias({.name = "animals", .number = 1}, "canary"));
  ASSERT_OK(Publish("animals"));
  EXPECT_THAT(registry_->Delete("animals", 1),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("canary, production"), HasSubstr("graft model promote"))));
  EXPECT_EQ(registry_->Find({.name = "animals", .alias = "production"})->number, 1);
  EXPECT_EQ(FoldersOf("animals"), 2);
  ASSERT_OK(registry_->SetAlias({.name = "animals", .number = 2}, "production"));
  ASSERT_OK(registry_->SetAlias({.name = "animals", .number = 2}, "canary"));
  EXPECT_OK(registry_->Delete("animals", 1));
}

TEST_F(RegistryTest, ModelWithoutVersionsIsNotListedAndGoesOnCounting) {
  ASSERT_OK(Publish("animals"));
  ASSERT_OK(Publish("plants"));
  ASSERT_OK(registry_->Delete("animals", 1));
  ASSERT_OK_AND_ASSIGN(const auto models, registry_->ListModels("", 10));
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].latest.model, "plants");
  EXPECT_THAT(NumbersOf("animals"), IsEmpty());
  EXPECT_THAT(registry_->Find({.name = "animals"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("all its versions have been deleted")));
  EXPECT_THAT(registry_->Find({.name = "ferns"}),
              StatusIs(absl::StatusCode::kNotFound, ::testing::Not(HasSubstr("animals"))));
  EXPECT_EQ(registry_->Count()->models, 1);
  EXPECT_EQ(Publish("animals").value(), 2);
}

TEST_F(RegistryTest, FilesThatACrashLeftBehindADeleteGoAtTheNextStart) {
  ASSERT_OK(Publish("animals"));
  ASSERT_OK(Publish("animals"));
  const fs::path version = fs::path(registry_->Find({.name = "animals", .number = 1})->head_path).parent_path();
  fs::copy(version, folder_ / "saved");
  ASSERT_OK(registry_->Delete("animals", 1));
  fs::rename(folder_ / "saved", version);  // as if the process had ended after the commit
  ASSERT_EQ(FoldersOf("animals"), 2);
  ASSERT_OK(registry_->RemoveOrphans());
  EXPECT_FALSE(fs::exists(version));
  EXPECT_EQ(FoldersOf("animals"), 1);
}

TEST_F(RegistryTest, ReadersOfAnAliasNeverMissWhileVersionsComeAndGo) {
  ASSERT_OK(Publish("animals", "production"));
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        EXPECT_OK(registry_->ResolveNumber({.name = "animals", .alias = "production"}));
        EXPECT_OK(registry_->Find({.name = "animals"}));
      }
    });
  }
  for (int i = 1; i <= 20; ++i) {
    EXPECT_OK(Publish("animals", "production"));
    EXPECT_OK(registry_->Delete("animals", i));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_THAT(NumbersOf("animals"), ElementsAre(21));
}

TEST_F(RegistryTest, RollbacksGoEverFurtherBack) {
  for (int i = 0; i < 3; ++i) ASSERT_OK(Publish("animals", "production"));
  EXPECT_EQ(RollBack("animals").value(), 2);
  EXPECT_EQ(RollBack("animals").value(), 1);
  EXPECT_THAT(RollBack("animals"), StatusIs(absl::StatusCode::kFailedPrecondition,
                                            AllOf(HasSubstr("animals@production"), HasSubstr("version 1"))));
  EXPECT_EQ(registry_->Find({.name = "animals", .alias = "production"})->number, 1);
  ASSERT_OK(registry_->SetAlias({.name = "animals", .number = 3}, "production"));
  EXPECT_EQ(RollBack("animals").value(), 1);
  EXPECT_THAT(HistoryOf("animals"),
              ElementsAre("production 3=>1", "production 1->3", "production 2=>1", "production 3=>2", "production 2->3",
                          "production 1->2", "production 1"));
}

TEST_F(RegistryTest, RollbackSkipsDeletedVersions) {
  for (int i = 0; i < 3; ++i) ASSERT_OK(Publish("animals", "production"));
  ASSERT_OK(registry_->Delete("animals", 2));
  EXPECT_EQ(RollBack("animals").value(), 1);
  EXPECT_THAT(HistoryOf("animals"),
              ElementsAre("production 3=>1", "production 2->3", "production 1->2!", "production 1"));
  ASSERT_OK(registry_->SetAlias({.name = "animals", .number = 3}, "production"));
  ASSERT_OK(registry_->Delete("animals", 1));
  EXPECT_THAT(RollBack("animals"), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(RegistryTest, RollbackTargetIsWhereARollbackLeads) {
  EXPECT_THAT(registry_->RollbackTarget("animals", "production", std::nullopt), StatusIs(absl::StatusCode::kNotFound));
  for (int i = 0; i < 2; ++i) ASSERT_OK(Publish("animals", "production"));
  EXPECT_EQ(registry_->RollbackTarget("animals", "production", std::nullopt).value(), 1);
  EXPECT_EQ(registry_->RollbackTarget("animals", "production", 2).value(), 1);
  ASSERT_EQ(RollBack("animals", 2).value(), 1);
  EXPECT_EQ(registry_->RollbackTarget("animals", "production", 2).value(), 1);  // done already
  EXPECT_THAT(registry_->RollbackTarget("animals", "production", std::nullopt),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(RegistryTest, RepeatedRollbackFromTheSameVersionMovesOnce) {
  for (int i = 0; i < 3; ++i) ASSERT_OK(Publish("animals", "production"));
  EXPECT_EQ(RollBack("animals", 3).value(), 2);
  EXPECT_EQ(RollBack("animals", 3).value(), 2);
  EXPECT_THAT(HistoryOf("animals"), ::testing::SizeIs(4));
  EXPECT_THAT(RollBack("animals", 1),
              StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("version 2"), HasSubstr("not 1"))));
}

TEST_F(RegistryTest, RollbackOfWhatIsNotThereIsNotFound) {
  EXPECT_THAT(RollBack("animals"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("animals")));
  ASSERT_OK(Publish("animals", "live"));
  EXPECT_THAT(RollBack("animals"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("aliases are live")));
}

TEST_F(RegistryTest, SettingAnAliasAgainIsNoMove) {
  ASSERT_OK(Publish("animals", "production"));
  ASSERT_OK(registry_->SetAlias({.name = "animals", .number = 1}, "production"));
  EXPECT_THAT(HistoryOf("animals"), ElementsAre("production 1"));
  EXPECT_THAT(RollBack("animals"), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(RegistryTest, HistoryIsPagedPerAliasAndOfTheModelAlone) {
  for (const char* alias : {"a", "b", "a", "b"}) ASSERT_OK(Publish("animals", alias));
  ASSERT_OK(Publish("plants", "a"));
  EXPECT_THAT(HistoryOf("animals"), ElementsAre("b 2->4", "a 1->3", "b 2", "a 1"));
  EXPECT_THAT(HistoryOf("animals", "a"), ElementsAre("a 1->3", "a 1"));
  ASSERT_OK_AND_ASSIGN(const auto first, registry_->AliasHistory("animals", "", 0, 3));
  ASSERT_OK_AND_ASSIGN(const auto second, registry_->AliasHistory("animals", "", first.back().sequence, 3));
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].number, 1);
  EXPECT_GT(second[0].time, absl::UnixEpoch());
  EXPECT_THAT(registry_->AliasHistory("ferns", "", 0, 3), StatusIs(absl::StatusCode::kNotFound));
}

// A database from before rollbacks: its history has no links yet.
TEST_F(RegistryTest, RollbackKnowsTheMovesOfAnOlderProgram) {
  constexpr int kMigrationsBefore = 4;
  const std::string path = folder_ / "old.db";
  ASSERT_EQ(mknod(path.c_str(), S_IFREG | 0600, 0), 0);
  {
    ASSERT_OK_AND_ASSIGN(const auto sql, store::Connect(path, store::Access::kWrite));
    ASSERT_OK(store::Migrate(*sql, absl::MakeSpan(store::CompiledMigrations()).subspan(0, kMigrationsBefore)));
    *sql << "INSERT INTO models (name, last_number) VALUES ('animals', 3)";
    for (int number = 1; number <= 3; ++number) {
      *sql << "INSERT INTO model_versions VALUES ('animals', " << number << ", 0, 'b', 's', 'h', 'f" << number
           << "', 'j', '{}', 1)";
      for (const char* alias : {"production", "other"}) {
        *sql << "INSERT INTO model_alias_history (model, alias, number, time_us) VALUES ('animals', '" << alias << "', "
             << number << ", 0)";
      }
    }
    *sql << "INSERT INTO model_aliases VALUES ('animals', 'production', 3)";
  }
  ASSERT_OK_AND_ASSIGN(database_, store::Database::Open(path));
  registry_ = std::make_unique<Registry>(database_.get(), folder_ / "models");
  EXPECT_EQ(RollBack("animals").value(), 2);
  EXPECT_EQ(RollBack("animals").value(), 1);
  EXPECT_THAT(RollBack("animals"), StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace graft::registry
