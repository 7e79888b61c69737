#include "core/dataset/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"

namespace graft::dataset {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A version whose files hold, unless said otherwise, their own path.
struct Made {
  std::vector<std::string> labels;
  std::vector<Example> examples;

  Example& Add(const std::string& path, const std::string& label, const std::string& content = "") {
    const auto found = std::find(labels.begin(), labels.end(), label);
    const int index = static_cast<int>(found - labels.begin());
    if (found == labels.end()) labels.push_back(label);
    examples.push_back({.path = path, .label = index, .sha256 = Sha256Hex(content.empty() ? path : content)});
    return examples.back();
  }
};

// "path: what changed" of each change.
std::vector<std::string> Describe(const Made& before, const Made& after, Diff* counts = nullptr) {
  const Diff diff = DiffVersions({before.examples, before.labels}, {after.examples, after.labels});
  std::vector<std::string> lines;
  for (const Change& change : diff.changes) {
    const std::string from = change.before ? before.examples[*change.before].path : "nothing";
    const std::string to = change.after ? after.examples[*change.after].path : "nothing";
    lines.push_back(absl::StrCat(from == to ? from : absl::StrCat(from, " -> ", to), change.replaced ? " replaced" : "",
                                 change.renamed ? " renamed" : "", change.relabelled ? " relabelled" : "",
                                 change.moved_split ? " moved" : "", change.regrouped ? " regrouped" : ""));
  }
  if (counts != nullptr) *counts = diff;
  return lines;
}

TEST(DiffTest, EqualVersionsHaveNoChanges) {
  Made made;
  for (int i = 0; i < 5; ++i) made.Add(absl::StrCat(i), "cat");
  Diff diff;
  EXPECT_THAT(Describe(made, made, &diff), IsEmpty());
  EXPECT_EQ(diff.unchanged, 5);
}

TEST(DiffTest, NamesEveryKindOfChange) {
  Made before, after;
  before.Add("a", "cat");
  before.Add("b", "cat");
  before.Add("c", "cat");
  before.Add("d", "dog").given_split = Split::kTrain;
  before.Add("e", "dog").group = "one";
  before.Add("f", "dog");
  after.Add("b", "cat", "other bytes");
  after.Add("c", "dog");
  after.Add("d", "dog").given_split = Split::kTest;
  after.Add("e", "dog").group = "two";
  after.Add("f", "dog");
  after.Add("g", "dog");
  Diff diff;
  EXPECT_THAT(Describe(before, after, &diff),
              ElementsAre("a -> nothing", "b replaced", "c relabelled", "d moved", "e regrouped", "nothing -> g"));
  EXPECT_EQ(diff.added, 1);
  EXPECT_EQ(diff.removed, 1);
  EXPECT_EQ(diff.replaced, 1);
  EXPECT_EQ(diff.relabelled, 1);
  EXPECT_EQ(diff.moved_split, 1);
  EXPECT_EQ(diff.regrouped, 1);
  EXPECT_EQ(diff.unchanged, 1);
}

TEST(DiffTest, FileThatMovedToAnotherClassFolderIsRelabelled) {
  Made before, after;
  before.Add("cat/1", "cat", "one");
  before.Add("cat/2", "cat", "two");
  before.Add("train/dog/3", "dog", "three").given_split = Split::kTrain;
  after.Add("cat/2", "cat", "two");
  after.Add("dog/1", "dog", "one");
  after.Add("test/dog/3", "dog", "three").given_split = Split::kTest;
  Diff diff;
  EXPECT_THAT(Describe(before, after, &diff),
              ElementsAre("cat/1 -> dog/1 renamed relabelled", "train/dog/3 -> test/dog/3 renamed moved"));
  EXPECT_EQ(diff.added, 0);
  EXPECT_EQ(diff.removed, 0);
  EXPECT_EQ(diff.renamed, 2);
}

TEST(DiffTest, CopiesArePairedOneToOne) {
  Made before, after;
  before.Add("a", "cat", "same");
  before.Add("b", "cat", "same");
  before.Add("c", "cat", "same");
  after.Add("x", "cat", "same");
  after.Add("y", "cat", "same");
  EXPECT_THAT(Describe(before, after), ElementsAre("c -> nothing", "a -> x renamed", "b -> y renamed"));
  EXPECT_THAT(Describe(after, before), ElementsAre("x -> a renamed", "y -> b renamed", "nothing -> c"));
}

TEST(DiffTest, LabelsAreComparedByNameNotByIndex) {
  Made before, after;
  before.Add("1", "cat");
  before.Add("2", "dog");
  after.Add("0", "ape");
  after.Add("1", "cat");
  after.Add("2", "dog");
  EXPECT_THAT(Describe(before, after), ElementsAre("nothing -> 0"));
}

}  // namespace
}  // namespace graft::dataset
