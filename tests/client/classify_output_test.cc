#include "client/commands/classify_output.h"

#include <gtest/gtest.h>

namespace graft::commands {
namespace {

v1::FileClassification Answer(const std::string& file) {
  v1::FileClassification answer;
  answer.set_file(file);
  answer.set_model_version("models/animals/versions/3");
  for (const auto& [label, probability] : {std::pair("cat", 0.75), std::pair("big \"dog\", wet", 0.25)}) {
    auto& prediction = *answer.add_predictions();
    prediction.set_label(label);
    prediction.set_probability(probability);
  }
  return answer;
}

TEST(ClassifyOutputTest, CsvHasARowPerPredictionAndQuotesWhatNeedsIt) {
  EXPECT_EQ(CsvHeader(), "file,model_version,rank,label,probability,error\n");
  EXPECT_EQ(ToCsv(Answer("a, b.jpg")),
            "\"a, b.jpg\",models/animals/versions/3,1,cat,0.75,\n"
            "\"a, b.jpg\",models/animals/versions/3,2,\"big \"\"dog\"\", wet\",0.25,\n");
}

TEST(ClassifyOutputTest, CsvOfAFailureIsOneRow) {
  v1::FileClassification answer;
  answer.set_file("two\nlines.jpg");
  answer.mutable_error()->set_message("image: is \"odd\"");
  EXPECT_EQ(ToCsv(answer), "\"two\nlines.jpg\",,,,,\"image: is \"\"odd\"\"\"\n");
}

TEST(ClassifyOutputTest, LineForPeopleHasNoControlCharacters) {
  EXPECT_EQ(RenderPredictions(Answer("a\x1b[31m.jpg")), "a?[31m.jpg: cat 75.0%, big \"dog\", wet 25.0%");
}

}  // namespace
}  // namespace graft::commands
