#include "client/commands/photo_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/testing/status_matchers.h"
#include "tests/testing/temporary_folder.h"

namespace graft::commands {
namespace {

using graft::testing::IsOkAndHolds;
using graft::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PhotoFilesTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& bytes = "x") {
    const std::string path = folder_ / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << bytes;
    return path;
  }
  graft::testing::TemporaryFolder folder_;
};

TEST_F(PhotoFilesTest, FoldersAreSearchedAtAnyDepthInOrder) {
  const std::string b = Write("b.JPG"), deep = Write("a/deep/c.webp"), png = Write("a/z.png");
  Write("a/notes.txt");
  Write("a/.hidden.jpg");
  Write(".cache/d.jpg");
  Write("__MACOSX/e.jpg");
  Write("a/@eaDir/f.jpg");
  EXPECT_THAT(ListPhotos({folder_.path()}), IsOkAndHolds(ElementsAre(deep, png, b)));
}

TEST_F(PhotoFilesTest, FilesStayAsGiven) {
  const std::string text = Write("notes.txt");
  EXPECT_THAT(ListPhotos({"-", text, "/nowhere.jpg"}), IsOkAndHolds(ElementsAre("-", text, "/nowhere.jpg")));
}

TEST_F(PhotoFilesTest, FolderWithoutPhotosIsAnError) {
  Write("notes.txt");
  EXPECT_THAT(ListPhotos({folder_.path()}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(folder_.path())));
}

TEST_F(PhotoFilesTest, StandardInputIsNamedOnce) {
  EXPECT_THAT(ListPhotos({"-", "-"}), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("once")));
}

TEST_F(PhotoFilesTest, ReadsFilesAndStandardInput) {
  std::istringstream in(std::string("bytes\0with zero", 15));
  EXPECT_THAT(ReadPhoto(Write("a.jpg", "photo"), in), IsOkAndHolds("photo"));
  EXPECT_THAT(ReadPhoto("-", in), IsOkAndHolds(std::string("bytes\0with zero", 15)));
  EXPECT_THAT(ReadPhoto("-", in), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
}

TEST_F(PhotoFilesTest, MissingFileIsNamed) {
  std::istringstream in;
  EXPECT_THAT(ReadPhoto("/nowhere.jpg", in), StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nowhere.jpg")));
}

}  // namespace
}  // namespace graft::commands
