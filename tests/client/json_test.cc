#include "client/commands/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/errors.h"
#include "graft/v1/training.pb.h"

namespace graft::commands {
namespace {

using nlohmann::json;

TEST(ToJsonTest, ZeroesAppearAndUnsetMessagesDoNot) {
  v1::Job job;
  job.set_name("jobs/1");
  job.set_state(v1::JOB_STATE_SUCCEEDED);
  job.mutable_result()->set_images_from_cache(907);
  (*job.mutable_result()->mutable_phase_seconds())["train"] = 0.5;
  const auto value = json::parse(ToJson(job));
  EXPECT_EQ(value["state"], "JOB_STATE_SUCCEEDED");
  EXPECT_EQ(value["result"]["imagesComputed"], 0);
  EXPECT_EQ(value["result"]["imagesFromCache"], 907);
  EXPECT_EQ(value["result"]["phaseSeconds"]["train"], 0.5);
  EXPECT_FALSE(value.contains("error"));
}

TEST(ToJsonTest, IsOneLine) {
  v1::Job job;
  job.mutable_error()->set_message("two\nlines");
  EXPECT_EQ(ToJson(job).find('\n'), std::string::npos);
}

TEST(ToJsonTest, UnsetOptionalFieldsOfTheSpecStayUnset) {
  v1::TrainSpec spec;
  spec.set_seed(0);
  const auto value = json::parse(ToJson(spec));
  EXPECT_EQ(value["seed"], 0);
  EXPECT_FALSE(value.contains("epochs"));
}

TEST(ToJsonTest, ClassifiedPhotoHasNoError) {
  v1::FileClassification answer;
  answer.set_file("a.jpg");
  answer.set_model_version("models/animals/versions/3");
  answer.add_predictions()->set_label("cat");
  EXPECT_EQ(json::parse(ToJson(answer)), json::parse(R"({"file": "a.jpg", "modelVersion": "models/animals/versions/3",
      "predictions": [{"label": "cat", "probability": 0, "index": 0}]})"));
}

TEST(ToJsonTest, FailedPhotoHasFileAndErrorOnly) {
  v1::FileClassification answer;
  answer.set_file("a.jpg");
  answer.mutable_error()->set_code(3);
  answer.mutable_error()->set_message("image: not a picture");
  EXPECT_EQ(
      json::parse(ToJson(answer)),
      json::parse(R"({"file": "a.jpg", "error": {"code": 3, "message": "image: not a picture", "details": []}})"));
}

TEST(ToJsonTest, ErrorDetailOfUnknownTypeIsLeftOut) {
  v1::FileClassification answer;
  answer.set_file("a.jpg");
  answer.mutable_error()->set_message("new kind of trouble");
  answer.mutable_error()->add_details()->set_type_url("type.googleapis.com/graft.v9.Unknown");
  answer.mutable_error()->mutable_details(0)->set_value("x");
  EXPECT_EQ(json::parse(ToJson(answer))["error"]["message"], "new kind of trouble");
}

}  // namespace
}  // namespace graft::commands
