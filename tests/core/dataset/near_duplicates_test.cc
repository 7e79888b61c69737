#include "core/dataset/near_duplicates.h"

#include <bit>
#include <random>

#include "tests/testing/status_matchers.h"

namespace graft::dataset {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

// Fingerprints of pictures that have nothing in common.
class Made {
 public:
  explicit Made(int pictures) {
    for (int i = 0; i < pictures; ++i) Add();
  }

  image::Fingerprint& Add() {
    image::Fingerprint& print = prints_.emplace_back();
    print.hash = random_();
    for (uint8_t& field : print.thumbnail) field = static_cast<uint8_t>(random_());
    return print;
  }
  // Like `of`, but for the first `bits` bits of every quarter.
  image::Fingerprint& AddLike(size_t of, int bits_per_quarter) {
    image::Fingerprint print = prints_[of];
    for (int quarter = 0; quarter < 4; ++quarter) {
      for (int bit = 0; bit < bits_per_quarter; ++bit) print.hash ^= uint64_t{1} << (16 * quarter + bit);
    }
    return prints_.emplace_back(print);
  }
  image::Fingerprint& operator[](size_t i) { return prints_[i]; }

  NearDuplicates Find(const NearDuplicateOptions& options = {}) const {
    std::vector<const image::Fingerprint*> pictures;
    for (const image::Fingerprint& print : prints_) pictures.push_back(&print);
    return FindNearDuplicates(pictures, options);
  }

 private:
  std::mt19937_64 random_{1};
  std::vector<image::Fingerprint> prints_;
};

TEST(NearDuplicatesTest, DifferentPicturesStayAlone) {
  const NearDuplicates found = Made(2000).Find();
  for (int i = 0; i < 2000; ++i) EXPECT_EQ(found.first_like[static_cast<size_t>(i)], i);
  EXPECT_EQ(found.without_contrast, 0);
  EXPECT_EQ(found.cut_short, 0);
}

TEST(NearDuplicatesTest, PicturesWithinSevenBitsAreAlwaysFound) {
  Made made(500);
  std::mt19937_64 random(2);
  for (size_t i = 0; i < 500; ++i) {
    image::Fingerprint& like = made.AddLike(i, 0);
    for (int flips = 0; flips < 7; ++flips) like.hash ^= uint64_t{1} << random() % 64;
  }
  const NearDuplicates found = made.Find();
  for (int i = 0; i < 500; ++i) EXPECT_EQ(found.first_like[static_cast<size_t>(500 + i)], i);
}

TEST(NearDuplicatesTest, TurnedPicturesAreFound) {
  // The thumbnail's turns are tested with pictures; here it is the same in all of them, as a symmetric one.
  for (image::Turn turn = 0; turn < image::kTurns; ++turn) {
    Made made(3);
    for (size_t i = 0; i < made[1].thumbnail.size(); ++i)
      made[1].thumbnail[i] = i == 0 || i == 15 || i == 240 || i == 255 ? 255 : 0;
    made.AddLike(1, 0);
    made[3].hash = image::TurnedHash(made[1].hash, turn);
    EXPECT_THAT(made.Find().first_like, ElementsAre(0, 1, 2, 1)) << turn;
  }
}

TEST(NearDuplicatesTest, ThumbnailsMustAgreeToo) {
  Made made(2);
  made[1].hash = made[0].hash;
  EXPECT_THAT(made.Find().first_like, ElementsAre(0, 1));
  made[1].thumbnail = made[0].thumbnail;
  EXPECT_THAT(made.Find().first_like, ElementsAre(0, 0));
  for (size_t i = 256; i < made[1].thumbnail.size(); ++i) made[1].thumbnail[i] = 128, made[0].thumbnail[i] = 140;
  EXPECT_THAT(made.Find().first_like, ElementsAre(0, 1)) << "another colour";
}

TEST(NearDuplicatesTest, TooManyBitsAreAnotherPicture) {
  Made made(1);
  made.AddLike(0, 1);
  EXPECT_THAT(made.Find({.max_hash_distance = 4}).first_like, ElementsAre(0, 0));
  EXPECT_THAT(made.Find({.max_hash_distance = 3}).first_like, ElementsAre(0, 1));
}

TEST(NearDuplicatesTest, LikenessIsHandedOn) {
  Made made(1);
  constexpr uint64_t kEvery = 0x0001000100010001;
  made.AddLike(0, 0).hash ^= kEvery ^ 0xF0;
  made.AddLike(1, 0).hash ^= kEvery << 1 ^ 0xF00;
  ASSERT_EQ(std::popcount(made[0].hash ^ made[2].hash), 16);
  EXPECT_THAT(made.Find({.max_hash_distance = 8}).first_like, ElementsAre(0, 0, 0));
}

TEST(NearDuplicatesTest, PicturesWithoutContrastAreNotCompared) {
  Made made(0);
  for (int i = 0; i < 3; ++i) {
    image::Fingerprint& print = made.Add();
    print.hash = 5;
    print.thumbnail.fill(200);
  }
  const NearDuplicates found = made.Find();
  EXPECT_THAT(found.first_like, ElementsAre(0, 1, 2));
  EXPECT_EQ(found.without_contrast, 3);
}

TEST(NearDuplicatesTest, ManyCopiesOfOnePictureCostNoComparisons) {
  Made made(1);
  for (int i = 0; i < 5000; ++i) made.AddLike(0, 0);
  const NearDuplicates found = made.Find({.max_comparisons = 10});
  EXPECT_THAT(found.first_like, Each(0));
  EXPECT_EQ(found.cut_short, 0);
}

TEST(NearDuplicatesTest, ManyPicturesWithOneHashAreComparedUpToTheLimit) {
  Made made(300);
  for (size_t i = 0; i < 300; ++i) made[i].hash = 0x123456789abcdef1;  // none of its turns shares a quarter with it
  const NearDuplicates found = made.Find({.max_comparisons = 100});
  EXPECT_EQ(found.cut_short, 200);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(found.first_like[static_cast<size_t>(i)], i);
}

}  // namespace
}  // namespace graft::dataset
