#include "core/base/ids.h"

#include <set>

#include "tests/testing/status_matchers.h"

namespace graft {
namespace {

using ::graft::testing::StatusIs;

TEST(IdsTest, NewIdsAreUniqueNames) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = NewId();
    EXPECT_OK(ValidateName("id", id));
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(IdsTest, NamesAreChecked) {
  for (const char* good : {"a", "animals5", "a-b_c", "0"}) EXPECT_OK(ValidateName("n", good));
  EXPECT_OK(ValidateName("n", std::string(63, 'a')));
  for (const std::string& bad :
       {std::string(), std::string("A"), std::string("../x"), std::string("a/b"), std::string("-a"), std::string("a-"),
        std::string("a b"), std::string(64, 'a'), std::string("a\0b", 3)}) {
    EXPECT_THAT(ValidateName("n", bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

TEST(VersionReferenceTest, ShorthandAndResourceNamesAgree) {
  for (const char* text : {"cats:3", "models/cats/versions/3"}) {
    ASSERT_OK_AND_ASSIGN(VersionReference reference, ParseVersionReference("model", "models", text));
    EXPECT_EQ(reference.name, "cats");
    EXPECT_EQ(reference.number, 3);
  }
  for (const char* text : {"cats@production", "models/cats/aliases/production"}) {
    ASSERT_OK_AND_ASSIGN(VersionReference reference, ParseVersionReference("model", "models", text));
    EXPECT_EQ(reference.alias, "production");
    EXPECT_FALSE(reference.number.has_value());
  }
  for (const char* text : {"cats", "models/cats"}) {
    ASSERT_OK_AND_ASSIGN(VersionReference reference, ParseVersionReference("model", "models", text));
    EXPECT_EQ(reference.name, "cats");
    EXPECT_FALSE(reference.number.has_value() || reference.alias.has_value());
  }
  EXPECT_EQ(VersionName("models", "cats", 3), "models/cats/versions/3");
}

TEST(VersionReferenceTest, MalformedOnesNameTheField) {
  for (const char* text : {"", ":", "cats:", "cats:0", "cats:-1", "cats:x", "cats@", "models/", "models/cats/3",
                           "../etc", "cats:99999999999", "models/cats/versions/1/x", "datasets/cats"}) {
    EXPECT_THAT(ParseVersionReference("model", "models", text),
                StatusIs(absl::StatusCode::kInvalidArgument, ::testing::StartsWith("model: ")))
        << text;
  }
}

}  // namespace
}  // namespace graft
