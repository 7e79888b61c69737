#include "core/dataset/split.h"

#include <algorithm>
#include <map>

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
