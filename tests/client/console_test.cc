#include "client/terminal/console.h"

#include <gtest/gtest.h>

#include <sstream>

namespace graft::terminal {
namespace {

TEST(ConsoleTest, AnswersGoToOutAndErrorsToErr) {
  std::ostringstream out, err;
  Console console(out, err, {});
  console.Answer("answer");
  console.Say("progress\n");
  console.Error("no such model");
  EXPECT_EQ(out.str(), "answer\nprogress\n");
  EXPECT_EQ(err.str(), "graft: no such model\n");
}

TEST(ConsoleTest, MessagesLeaveOutToTheAnswersWhenAsked) {
  std::ostringstream out, err;
  Console console(out, err, {});
  console.SendMessagesToErr();
  console.Say("progress");
  console.Answer("{}");
  EXPECT_EQ(out.str(), "{}\n");
  EXPECT_EQ(err.str(), "progress\n");
}

TEST(ConsoleTest, LiveLineIsErasedBeforeTheNextLine) {
  std::ostringstream out, err;
  {
    Console console(out, err, {.live = true});
    console.Live("50%");
    console.Error("x");
    console.Live("60%");
  }
  EXPECT_EQ(err.str(), "\r\x1b[K50%\r\x1b[Kgraft: x\n\r\x1b[K60%\r\x1b[K");
}

TEST(ConsoleTest, WithoutATerminalNothingIsLiveOrColored) {
  std::ostringstream out, err;
  Console console(out, err, {});
  console.Live("50%");
  EXPECT_EQ(err.str(), "");
  EXPECT_EQ(console.Green("ok"), "ok");
}

TEST(ConsoleTest, ColorsWrapTheText) {
  std::ostringstream out, err;
  Console console(out, err, {.color = true});
  EXPECT_EQ(console.Red("bad"), "\x1b[31mbad\x1b[0m");
}

}  // namespace
}  // namespace graft::terminal
