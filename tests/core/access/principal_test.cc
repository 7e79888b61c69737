#include "core/access/principal.h"

#include "tests/testing/status_matchers.h"

namespace graft::access {
namespace {

using ::graft::testing::StatusIs;

TEST(PrincipalTest, PrefixesAreOfTheNameAlone) {
  const Principal team = {.name = "team", .role = Role::kTrainer, .prefixes = {"team-", "shared"}};
  for (const char* name : {"team-a", "team-a:3", "team-a@production", "models/team-a/versions/3", "shared",
                           "datasets/shared-photos/versions/1"}) {
    EXPECT_TRUE(team.MayUse(name)) << name;
  }
  for (const char* name : {"", "team", "other", "models/other/versions/1", "x/team-a", "models/models/team-a",
                           "datasets/models/team-a", "Team-a", " team-a"}) {
    EXPECT_FALSE(team.MayUse(name)) << name;
  }
}

TEST(PrincipalTest, WithoutPrefixesEverythingAndNobodyNothing) {
  EXPECT_TRUE(Anonymous().MayUse("animals"));
  EXPECT_FALSE(Anonymous().limited());
  for (const char* name : {"animals", "models/animals", "/", "//", ""}) EXPECT_FALSE(Nobody().MayUse(name)) << name;
}

TEST(PrincipalTest, RolesHaveNames) {
  for (const Role role : {Role::kViewer, Role::kPredictor, Role::kTrainer, Role::kAdmin}) {
    EXPECT_THAT(ParseRole("role", NameOf(role)), ::graft::testing::IsOkAndHolds(role));
  }
  EXPECT_THAT(ParseRole("role", "root"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(NamesOf(static_cast<Roles>(Role::kTrainer) | static_cast<Roles>(Role::kAdmin)), "trainer or admin");
}

}  // namespace
}  // namespace graft::access
