#include "client/api/graft_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/api/channel.h"
#include "core/base/errors.h"
#include "tests/client/fake_server.h"
#include "tests/testing/status_matchers.h"

namespace graft::client {
namespace {

using graft::testing::FakeServer;
using graft::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

ClientOptions FastRetries() {
  ClientOptions options;
  options.retry.initial_delay = absl::Milliseconds(1);
  options.retry.max_delay = absl::Milliseconds(5);
  return options;
}

class GraftClientTest : public ::testing::Test {
 protected:
  FakeServer server_;
  GraftClient client_{Connect(server_.address()), FastRetries()};
};

TEST_F(GraftClientTest, SubmitJobKeepsItsRequestIdOverRetries) {
  server_.training().FailSubmits({absl::UnavailableError("draining"), absl::UnavailableError("draining")});
  ASSERT_OK(client_.SubmitJob({}));
  const auto submits = server_.training().submits();
  ASSERT_THAT(submits, SizeIs(3));
  EXPECT_FALSE(submits[0].request_id().empty());
  EXPECT_EQ(submits[1].request_id(), submits[0].request_id());
  EXPECT_EQ(submits[2].request_id(), submits[0].request_id());
}

TEST_F(GraftClientTest, SubmitJobLeavesTheCallersRequestIdAlone) {
  v1::SubmitJobRequest request;
  request.set_request_id("nightly-7");
  ASSERT_OK(client_.SubmitJob(request));
  EXPECT_EQ(server_.training().submits().at(0).request_id(), "nightly-7");
}

TEST_F(GraftClientTest, TwoSubmitsHaveTwoRequestIds) {
  ASSERT_OK(client_.SubmitJob({}));
  ASSERT_OK(client_.SubmitJob({}));
  EXPECT_NE(server_.training().submits().at(0).request_id(), server_.training().submits().at(1).request_id());
}

TEST_F(GraftClientTest, RefusedCallIsNotRepeated) {
  server_.training().FailSubmits({InvalidField("spec.epochs", "must be 1 to 1000")});
  EXPECT_THAT(client_.SubmitJob({}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("spec.epochs")));
  EXPECT_THAT(server_.training().submits(), SizeIs(1));
}

TEST_F(GraftClientTest, ServerThatAsksToWaitIsAskedAgain) {
  server_.training().FailSubmits(
      {RetryLater(absl::StatusCode::kResourceExhausted, "queue is full", absl::Milliseconds(1))});
  EXPECT_OK(client_.SubmitJob({}));
  EXPECT_THAT(server_.training().submits(), SizeIs(2));
}

TEST_F(GraftClientTest, ServerThatStaysAwayIsGivenUp) {
  server_.training().FailSubmits(std::vector<absl::Status>(100, absl::UnavailableError("draining")));
  EXPECT_THAT(client_.SubmitJob({}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(server_.training().submits(), SizeIs(RetryPolicy().max_attempts));
}

TEST_F(GraftClientTest, ErrorsCarryTheirDetail) {
  v1::GetJobRequest request;
  request.set_name("jobs/none");
  const auto job = client_.GetJob(request);
  ASSERT_THAT(job, StatusIs(absl::StatusCode::kNotFound));
  const auto detail = DetailOf(job.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(std::get<ResourceDetail>(*detail).name, "jobs/none");
}

TEST_F(GraftClientTest, ListsFollowAllPages) {
  ASSERT_OK_AND_ASSIGN(const auto list, client_.ListDatasets());
  std::vector<std::string> names;
  for (const auto& version : list.datasets()) names.push_back(version.name());
  EXPECT_THAT(names, ElementsAre("datasets/set0/versions/1", "datasets/set1/versions/1", "datasets/set2/versions/1"));
  EXPECT_EQ(list.next_page_token(), "");
}

TEST(GraftClientWithoutServerTest, IsUnavailable) {
  std::string address;
  { address = FakeServer().address(); }
  GraftClient client(Connect(address), FastRetries());
  EXPECT_THAT(client.GetServerInfo(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(GraftClientTest, RollbackMovesOnceThoughItsAnswerIsLost) {
  server_.models().SetVersions(3);
  server_.models().LoseAnswers(2);
  v1::RollbackAliasRequest request;
  request.set_model("animals");
  request.set_alias("production");
  ASSERT_OK_AND_ASSIGN(const v1::ModelVersion version, client_.RollbackAlias(request));
  EXPECT_EQ(version.number(), 2);
  EXPECT_EQ(server_.models().production(), 2);
  const auto rollbacks = server_.models().rollbacks();
  ASSERT_THAT(rollbacks, SizeIs(3));
  for (const auto& rollback : rollbacks) EXPECT_EQ(rollback.from(), 3);
}

TEST_F(GraftClientTest, DeleteSucceedsThoughItsAnswerIsLost) {
  server_.models().SetVersions(2);
  server_.models().LoseAnswers(1);
  v1::DeleteModelVersionRequest request;
  request.set_name("animals:1");
  EXPECT_OK(client_.DeleteModelVersion(request));
  EXPECT_THAT(client_.DeleteModelVersion(request), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(GraftClientTest, AliasHistoryIsAllOfIt) {
  server_.models().SetHistory(2500);
  ASSERT_OK_AND_ASSIGN(const v1::ListAliasHistoryResponse history, client_.ListAliasHistory("animals", ""));
  EXPECT_EQ(history.moves_size(), 2500);
}

}  // namespace
}  // namespace graft::client
