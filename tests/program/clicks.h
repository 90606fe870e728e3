// A small table to train on, and what a command says in one line.
#pragma once

#include "run_program.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

namespace gradus {

using Words = std::vector<std::string>;

inline const std::string clicks =
    "user,item,age,clicked\n"
    "a,x,20,1\nb,y,30,0\na,y,20,1\nc,x,40,0\na,x,20,1\nb,x,30,0\nc,y,40,1\nb,y,30,0\na,y,20,1\nc,x,40,0\n";

// "2: what standard error says", or "0: what standard output says".
inline std::string said(const Folder& folder, const Words& words) {
  const Finished done = run_fm(folder, words);
  return fmt::format("{}: {}", done.code, done.code == 0 ? done.out : done.err);
}

inline void train_clicks(const Folder& folder, const Words& more = {}) {
  write_text(folder / "clicks.csv", clicks);
  Words words{"train", "clicks.csv", "--model", "m", "--epochs", "3", "--quiet", "--threads", "1"};
  words.insert(words.end(), more.begin(), more.end());
  const Finished done = run_fm(folder, words);
  REQUIRE_MESSAGE(done.code == 0, done.err);
}

}  // namespace gradus
