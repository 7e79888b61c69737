#include "core/dataset/split.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "tests/testing/status_matchers.h"

namespace graft::dataset {
namespace {

using ::graft::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr SplitFractions kArticle{.train = 0.7, .validation = 0.15};

struct Photos {
  std::vector<Example> examples;
  std::vector<std::string> labels;
};

Photos MakePhotos(const std::vector<int>& images_per_label) {
  Photos photos;
  for (int label = 0; label < static_cast<int>(images_per_label.size()); ++label) {
    photos.labels.push_back(absl::StrCat("class", label));
    for (int i = 0; i < images_per_label[label]; ++i) {
      const std::string path = absl::StrCat(label, "/", i, ".jpg");
      photos.examples.push_back({.path = path, .label = label, .sha256 = Sha256Hex(path)});
    }
  }
  return photos;
}

std::map<Split, int> CountsOf(const std::vector<Split>& splits) {
  std::map<Split, int> counts;
  for (Split split : splits) ++counts[split];
  return counts;
}

std::vector<Split> Assign(const Photos& photos, uint32_t seed = 1, const SplitFractions& fractions = kArticle) {
  return AssignSplits(photos.examples, photos.labels, fractions, seed).value();
}

TEST(SplitTest, SizesAreThoseOfStratifiedScikitLearn) {
  const Photos photos = MakePhotos({193, 204, 300, 300, 300});  // animals5
  // train_test_split(test_size=0.15), then test_size=0.15/0.85 of the rest: 907, 195, 195.
  std::map<Split, int> counts = CountsOf(Assign(photos));
  EXPECT_NEAR(counts[Split::kTrain], 907, 2);
  EXPECT_NEAR(counts[Split::kValidation], 195, 2);
  EXPECT_NEAR(counts[Split::kTest], 195, 2);
}

TEST(SplitTest, EveryClassIsCutToWithinOneImageOfItsShare) {
  const std::vector<int> sizes = {10, 33, 7, 101, 58, 21};
  const Photos photos = MakePhotos(sizes);
  const std::vector<Split> splits = Assign(photos);
  for (int label = 0; label < static_cast<int>(sizes.size()); ++label) {
    std::map<Split, int> counts;
    for (size_t i = 0; i < splits.size(); ++i) counts[splits[i]] += photos.examples[i].label == label;
    EXPECT_NEAR(counts[Split::kTrain], 0.7 * sizes[label], 1) << label;
    EXPECT_NEAR(counts[Split::kValidation], 0.15 * sizes[label], 1) << label;
    EXPECT_NEAR(counts[Split::kTest], 0.15 * sizes[label], 1) << label;
  }
}

TEST(SplitTest, RoundingOfManySmallClassesEvensOut) {
  std::map<Split, int> counts = CountsOf(Assign(MakePhotos(std::vector<int>(100, 10))));
  EXPECT_NEAR(counts[Split::kTrain], 700, 2);
  EXPECT_NEAR(counts[Split::kValidation], 150, 2);
  EXPECT_NEAR(counts[Split::kTest], 150, 2);
}

TEST(SplitTest, SameSeedGivesTheSameSplitWhateverTheOrder) {
  Photos photos = MakePhotos({20, 30});
  const std::vector<Split> splits = Assign(photos, 7);
  EXPECT_EQ(Assign(photos, 7), splits);
  EXPECT_NE(Assign(photos, 8), splits);
  Photos reversed = photos;
  std::reverse(reversed.examples.begin(), reversed.examples.end());
  std::vector<Split> back = Assign(reversed, 7);
  std::reverse(back.begin(), back.end());
  EXPECT_EQ(back, splits);
}

TEST(SplitTest, SplitOfASeedNeverChanges) {
  // A stored split is compared by its hash across programs' versions: this value may only change with the method's
  // name.
  const Photos photos = MakePhotos({5, 6});
  EXPECT_EQ(HashOfSplit(photos.examples, Assign(photos, 42)),
            "34f577ece5184175146022a139ca76ab22f905ca66b7d4a6418d6482d424265c");
}

TEST(SplitTest, HashOfTheTestKnowsItsPhotosAlone) {
  Photos photos = MakePhotos({4, 4});
  const auto hash = [&](SplitIndices split) { return HashOfTestSplit(photos.examples, photos.labels, split); };
  const std::string before = hash({.train = {0, 1, 4}, .validation = {2}, .test = {3, 7}});
  EXPECT_EQ(hash({.train = {0}, .validation = {1}, .test = {3, 7}}), before);
  EXPECT_NE(hash({.train = {0, 1, 4}, .validation = {2}, .test = {3, 6}}), before);
  photos.labels[1] = "renamed";
  EXPECT_NE(hash({.test = {3, 7}}), before);
}

TEST(SplitTest, SmallestClassHasOneImageInEveryPart) {
  std::map<Split, int> counts = CountsOf(Assign(MakePhotos({3, 3})));
  EXPECT_EQ(counts[Split::kTrain], 2);
  EXPECT_EQ(counts[Split::kValidation], 2);
  EXPECT_EQ(counts[Split::kTest], 2);
  const Photos small = MakePhotos({30, 2});
  EXPECT_THAT(AssignSplits(small.examples, small.labels, kArticle, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("class1"), HasSubstr("2 distinct"))));
}

TEST(SplitTest, IdenticalImagesStayTogetherAcrossClasses) {
  Photos photos = MakePhotos({40, 40});
  for (int i = 0; i < 20; ++i) photos.examples[40 + i].sha256 = photos.examples[i].sha256;
  for (int i = 20; i < 30; ++i) photos.examples[i + 10].sha256 = photos.examples[i].sha256;
  const std::vector<Split> splits = Assign(photos);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(splits[40 + i], splits[i]);
  for (int i = 20; i < 30; ++i) EXPECT_EQ(splits[i + 10], splits[i]);
}

// Makes the examples [first, first + count) one cluster.
void Join(Photos& photos, int first, int count, int cluster) {
  for (int i = first; i < first + count; ++i) photos.examples[static_cast<size_t>(i)].cluster = cluster;
}

TEST(GroupedSplitTest, ClustersStayTogether) {
  Photos photos = MakePhotos({100, 200, 60});
  int cluster = 0;
  for (int first = 0; first + 5 < 360; first += 12) Join(photos, first, 2 + first % 5, ++cluster);
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const std::vector<Split> splits = Assign(photos, seed);
    std::map<int, std::set<Split>> parts;
    for (size_t i = 0; i < splits.size(); ++i) {
      if (photos.examples[i].cluster != 0) parts[photos.examples[i].cluster].insert(splits[i]);
    }
    for (const auto& [number, in] : parts) EXPECT_EQ(in.size(), 1u) << number;
    std::map<Split, int> counts = CountsOf(splits);
    EXPECT_NEAR(counts[Split::kTest], 54, 3) << seed;
    EXPECT_NEAR(counts[Split::kValidation], 54, 3) << seed;
  }
}

TEST(GroupedSplitTest, ClustersComeToEveryPart) {
  Photos photos = MakePhotos({200, 200});
  for (int i = 0; i < 100; ++i) Join(photos, 4 * i, 2, i + 1);
  std::map<Split, int> in_clusters;
  for (uint32_t seed = 0; seed < 10; ++seed) {
    const std::vector<Split> splits = Assign(photos, seed);
    for (size_t i = 0; i < splits.size(); ++i) in_clusters[splits[i]] += photos.examples[i].cluster != 0 ? 1 : 0;
  }
  EXPECT_NEAR(in_clusters[Split::kTest] / 2000.0, 0.15, 0.04);
  EXPECT_NEAR(in_clusters[Split::kValidation] / 2000.0, 0.15, 0.04);
}

TEST(GroupedSplitTest, ClustersAndGroupsThatTouchAreOne) {
  Photos photos = MakePhotos({100, 100});
  Join(photos, 0, 3, 1);
  photos.examples[2].group = photos.examples[7].group = "seven";
  photos.examples[7].cluster = photos.examples[150].cluster = 2;
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const std::vector<Split> splits = Assign(photos, seed);
    for (const size_t i : {1, 2, 7, 150}) EXPECT_EQ(splits[i], splits[0]) << seed << " " << i;
  }
}

TEST(GroupedSplitTest, ClustersOfOneImageKeepTheFirstMethod) {
  Photos photos = MakePhotos({20, 30});
  const std::vector<Split> before = Assign(photos, 3);
  photos.examples[1].sha256 = photos.examples[0].sha256;
  const std::vector<Split> same_bytes = Assign(photos, 3);
  Join(photos, 0, 2, 1);  // as the audit numbers files with the same bytes
  EXPECT_EQ(Assign(photos, 3), same_bytes);
  Join(photos, 5, 2, 2);
  EXPECT_NE(Assign(photos, 3), same_bytes);
}

TEST(GroupedSplitTest, SplitOfASeedNeverChanges) {
  Photos photos = MakePhotos({9, 9});
  Join(photos, 2, 3, 1);
  Join(photos, 10, 2, 2);
  EXPECT_EQ(HashOfSplit(photos.examples, Assign(photos, 42)),
            "225eff7b1770b9349bd24986c84cad866f8bfa78a6a8ed4f1c44cc783a841128");
}

TEST(GroupedSplitTest, ClusterAcrossClassesStaysTogetherAndClassesKeepTheirShares) {
  Photos photos = MakePhotos({100, 100});
  for (int i = 95; i < 105; ++i) photos.examples[static_cast<size_t>(i)].cluster = 1;
  const std::vector<Split> splits = Assign(photos, 5);
  for (int i = 96; i < 105; ++i) EXPECT_EQ(splits[static_cast<size_t>(i)], splits[95]);
  std::map<Split, int> first = CountsOf({splits.begin(), splits.begin() + 100});
  EXPECT_NEAR(first[Split::kTest], 15, 1);
  EXPECT_NEAR(first[Split::kValidation], 15, 1);
}

TEST(GroupedSplitTest, EveryPartGetsAnImageOfAClassWithThreeUnits) {
  Photos photos = MakePhotos({30, 40});
  Join(photos, 0, 20, 1);
  Join(photos, 20, 9, 2);
  for (uint32_t seed = 0; seed < 50; ++seed) {
    const std::vector<Split> splits = Assign(photos, seed);
    std::map<Split, int> first = CountsOf({splits.begin(), splits.begin() + 30});
    EXPECT_EQ(first.size(), 3u) << seed;
    EXPECT_EQ(first[Split::kTrain], 20) << seed;
  }
  Join(photos, 20, 10, 2);
  EXPECT_THAT(AssignSplits(photos.examples, photos.labels, kArticle, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("class0"), HasSubstr("only 2 different"))));
}

TEST(GroupedSplitTest, GivenSplitsStayWhateverTheCluster) {
  Photos photos = MakePhotos({50, 50});
  Join(photos, 0, 4, 1);
  photos.examples[0].given_split = Split::kTest;
  photos.examples[60].given_split = Split::kTest;
  const std::vector<Split> splits = Assign(photos);
  EXPECT_EQ(splits[0], Split::kTest);
  EXPECT_NE(splits[1], Split::kTest) << "the test part was given";
  EXPECT_EQ(splits[1], splits[2]);
  EXPECT_EQ(splits[1], splits[3]);
}

std::vector<Split> AssignFold(const Photos& photos, int folds, int fold, uint32_t seed = 1) {
  return AssignSplits(photos.examples, photos.labels, kArticle, seed, {.count = folds, .test = fold}).value();
}

TEST(FoldsTest, EveryImageIsTestedOnce) {
  const Photos photos = MakePhotos({33, 50, 18});
  std::vector<int> tested(photos.examples.size(), 0);
  for (int fold = 1; fold <= 5; ++fold) {
    const std::vector<Split> splits = AssignFold(photos, 5, fold);
    for (size_t i = 0; i < splits.size(); ++i) tested[i] += splits[i] == Split::kTest ? 1 : 0;
    const std::map<Split, int> counts = CountsOf(splits);
    EXPECT_NEAR(counts.at(Split::kTest), 101 / 5.0, 1.5);
    EXPECT_NEAR(counts.at(Split::kValidation), 101 * 0.8 * 0.15 / 0.85, 2);
  }
  EXPECT_THAT(tested, ::testing::Each(1));
}

TEST(FoldsTest, EveryClassIsDealtEvenly) {
  const Photos photos = MakePhotos({33, 50, 18});
  for (int fold = 1; fold <= 5; ++fold) {
    const std::vector<Split> splits = AssignFold(photos, 5, fold);
    std::map<int, int> tested;
    for (size_t i = 0; i < splits.size(); ++i) tested[photos.examples[i].label] += splits[i] == Split::kTest ? 1 : 0;
    EXPECT_NEAR(tested[0], 33 / 5.0, 1);
    EXPECT_NEAR(tested[1], 50 / 5.0, 1);
    EXPECT_NEAR(tested[2], 18 / 5.0, 1);
  }
}

TEST(FoldsTest, DependOnTheSeedAlone) {
  Photos photos = MakePhotos({40, 40});
  const std::vector<Split> splits = AssignFold(photos, 4, 2, 7);
  EXPECT_EQ(AssignFold(photos, 4, 2, 7), splits);
  EXPECT_NE(AssignFold(photos, 4, 2, 8), splits);
  std::reverse(photos.examples.begin(), photos.examples.end());
  std::vector<Split> back = AssignFold(photos, 4, 2, 7);
  std::reverse(back.begin(), back.end());
  EXPECT_EQ(back, splits);
}

TEST(FoldsTest, ClustersAndGroupsStayInOneFold) {
  Photos photos = MakePhotos({60, 60});
  for (int i = 0; i < 10; ++i) Join(photos, 6 * i, 3, i + 1);
  for (int i = 60; i < 120; ++i) photos.examples[static_cast<size_t>(i)].group = absl::StrCat("g", i / 5);
  std::map<std::string, std::set<int>> folds_of;
  for (int fold = 1; fold <= 4; ++fold) {
    const std::vector<Split> splits = AssignFold(photos, 4, fold);
    for (size_t i = 0; i < splits.size(); ++i) {
      const Example& example = photos.examples[i];
      const std::string unit = example.cluster != 0 ? absl::StrCat(example.cluster) : example.group;
      if (!unit.empty() && splits[i] == Split::kTest) folds_of[unit].insert(fold);
    }
    EXPECT_NEAR(CountsOf(splits)[Split::kTest], 30, 5);
  }
  EXPECT_EQ(folds_of.size(), 22u);
  for (const auto& [unit, folds] : folds_of) EXPECT_EQ(folds.size(), 1u) << unit;
}

TEST(FoldsTest, RefusalsNameTheField) {
  const auto refused = [](const Photos& photos, const Folds& folds) {
    return AssignSplits(photos.examples, photos.labels, kArticle, 1, folds).status();
  };
  Photos photos = MakePhotos({10, 10});
  EXPECT_THAT(refused(photos, {1, 1}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("spec.folds")));
  EXPECT_THAT(refused(photos, {101, 1}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("spec.folds")));
  EXPECT_THAT(refused(photos, {5, 6}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("spec.fold")));
  EXPECT_THAT(refused(photos, {0, 1}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("spec.folds")));
  EXPECT_THAT(refused(photos, {11, 1}),
              StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("class0"), HasSubstr("11 folds"))));
  photos.examples[3].given_split = Split::kTest;
  EXPECT_THAT(refused(photos, {5, 1}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("test split of its own")));
}

TEST(SplitTest, GivenSplitsStayAndMissingOnesComeFromTrain) {
  Photos photos = MakePhotos({100, 100});
  for (Example& example : photos.examples) example.given_split = Split::kTrain;
  for (int i = 0; i < 10; ++i) photos.examples[i].given_split = photos.examples[100 + i].given_split = Split::kTest;
  const std::vector<Split> splits = Assign(photos);
  for (size_t i = 0; i < splits.size(); ++i) {
    EXPECT_EQ(splits[i] == Split::kTest, photos.examples[i].given_split == Split::kTest);
  }
  std::map<Split, int> counts = CountsOf(splits);
  EXPECT_NEAR(counts[Split::kValidation], 180 * 0.15 / 0.85, 1);

  for (int i = 10; i < 20; ++i) {
    photos.examples[i].given_split = photos.examples[100 + i].given_split = Split::kValidation;
  }
  const std::vector<Split> all_given = Assign(photos);
  for (size_t i = 0; i < all_given.size(); ++i) EXPECT_EQ(all_given[i], photos.examples[i].given_split);
}

TEST(SplitTest, FractionsOutOfRangeNameTheField) {
  EXPECT_THAT(CheckFractions({0, 0.1}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("spec.train_fraction")));
  EXPECT_THAT(CheckFractions({0.7, 0}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("spec.validation")));
  EXPECT_THAT(CheckFractions({0.7, 0.3}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("test split")));
}

}  // namespace
}  // namespace graft::dataset
