// Splits: which rows are held out by time, by user, and as each user's last; the parts of a cross-validation; and what
// times are.
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/models/training/row_split.h>

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

namespace gradus {
namespace {

using Numbers = std::vector<Index>;

// Ten rows of four users, in no order of time; user 3 has a single one.
const SplitKeys keys{.user = {0, 1, 0, 2, 1, 0, 2, 3, 1, 0}, .time = {5, 1, 9, 2, 7, 3, 8, 4, 6, 5}};

TEST_CASE("a split by its name") {
  CHECK(row_split_named("random") == RowSplit{});
  CHECK(row_split_named("time:a:b") == RowSplit{SplitBy::time, "a:b"});
  CHECK(row_split_named("user") == RowSplit{SplitBy::user, ""});
  for (const std::string name :
       {"random", "time:when", "user", "user:customer", "leave-last-out", "leave-last-out:who"})
    CHECK(to_string(row_split_named(name)) == name);
  for (const std::string name : {"", "time", "time:", "user:", "random:x", "users", "last"})
    CHECK(refusal<ValueError>([&] { row_split_named(name); }) ==
          "the split \"" + name +
              "\" is none of random, time:COLUMN, user, user:COLUMN, leave-last-out and leave-last-out:COLUMN");
}

TEST_CASE("the latest rows are held out, and rows of one time stay together") {
  const DrawnRows three = hold_out(SplitBy::time, keys, 10, 0.3, 1);
  CHECK(three.drawn == Numbers{2, 4, 6});  // times 9, 7, 8
  CHECK(three.others == Numbers{0, 1, 3, 5, 7, 8, 9});
  // The border would fall between rows 0 and 9, which have the time 5.
  CHECK(hold_out(SplitBy::time, keys, 10, 0.5, 1).drawn == Numbers{2, 4, 6, 8});
  CHECK(hold_out(SplitBy::time, {}, 4, 0.5, 1).drawn == Numbers{2, 3});  // without times, as they stand
  CHECK(refusal<ValueError>([] {
          hold_out(SplitBy::time, {.time = {1, 1, 1, 1}}, 4, 0.5, 1);
        }) == "a split by time leaves 4 rows to learn from and 0 to test on");
}

TEST_CASE("all rows of some users are held out") {
  std::set<Numbers> seen;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const DrawnRows drawn = hold_out(SplitBy::user, keys, 10, 0.3, seed);
    std::set<Index> held, left;
    for (const Index row : drawn.drawn) held.insert(keys.user[static_cast<std::size_t>(row)]);
    for (const Index row : drawn.others) left.insert(keys.user[static_cast<std::size_t>(row)]);
    for (const Index user : held) CHECK(!left.contains(user));
    CHECK(drawn.drawn.size() + drawn.others.size() == 10);
    CHECK(drawn.drawn.size() >= 1);
    CHECK(drawn.drawn == hold_out(SplitBy::user, keys, 10, 0.3, seed).drawn);
    seen.insert(drawn.drawn);
  }
  CHECK(seen.size() > 3);
  CHECK(refusal<ValueError>([] {
          hold_out(SplitBy::user, {.user = {0, 0, 0}}, 3, 0.5, 1);
        }) == "a split by user leaves 3 rows to learn from and 0 to test on");
}

TEST_CASE("the last row of each user is held out") {
  const DrawnRows by_time = hold_out(SplitBy::leave_last_out, keys, 10, 0.5, 1);
  CHECK(by_time.drawn == Numbers{2, 4, 6});  // user 3 has but one
  CHECK(by_time.others == Numbers{0, 1, 3, 5, 7, 8, 9});
  CHECK(hold_out(SplitBy::leave_last_out, {.user = keys.user}, 10, 0.5, 1).drawn == Numbers{6, 8, 9});
  CHECK(refusal<ValueError>([] {
          hold_out(SplitBy::leave_last_out, {.user = {0, 1}}, 2, 0.5, 1);
        }) == "a split by leave-last-out leaves 2 rows to learn from and 0 to test on");
}

TEST_CASE("parts of a cross-validation") {
  for (const SplitBy by : {SplitBy::random, SplitBy::user}) {
    std::multiset<Index> tested;
    for (std::int64_t fold = 0; fold < 3; ++fold) {
      const DrawnRows part = fold_of(by, keys, 10, 3, fold, 1);
      CHECK(part.drawn.size() + part.others.size() == 10);
      tested.insert(part.drawn.begin(), part.drawn.end());
    }
    CHECK(tested == std::multiset<Index>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});  // each once
  }
  // In time: 1, 3, 5, 7 (times 1 to 4), 0 and 9 (5), 8, 4, 6, 2.
  const DrawnRows first = fold_of(SplitBy::time, keys, 10, 2, 0, 1), second = fold_of(SplitBy::time, keys, 10, 2, 1, 1);
  CHECK(first.others == Numbers{1, 3, 5});
  CHECK(first.drawn == Numbers{0, 7, 9});
  CHECK(second.others == Numbers{0, 1, 3, 5, 7, 9});
  CHECK(second.drawn == Numbers{2, 4, 6, 8});
  const DrawnRows last = fold_of(SplitBy::leave_last_out, keys, 10, 2, 1, 1);
  CHECK(last.drawn == Numbers{2, 4, 6});
  const DrawnRows before = fold_of(SplitBy::leave_last_out, keys, 10, 2, 0, 1);
  CHECK(before.drawn == Numbers{8, 9});               // the last but one of users 1 and 0
  CHECK(before.others == Numbers{0, 1, 3, 5, 6, 7});  // and what came before; all of users 2 and 3
}

TEST_CASE("times are numbers or dates") {
  KeptColumn column;
  for (const char* cell : {"1970-01-01", "1970-01-02T00:00:01Z", "2024-02-29 12:30", "17.5", "1970-01-01 00:00:00.25",
                           "1970-01-02T00:00:01Z"})
    column.add(cell);
  CHECK(times_of(column, "f") == std::vector<double>{0, 86401, 1709209800, 17.5, 0.25, 86401});
  for (const std::string cell : {"", "yesterday", "2023-02-29", "2024-1-1", "2024-01-01 25:00", "2024-01-01x"}) {
    KeptColumn wrong;
    wrong.add(cell);
    CHECK(refusal<ValueError>([&] { times_of(wrong, "f: column when"); }) ==
          "f: column when: \"" + cell +
              "\" is no time; a number or a date as 2024-01-31 or 2024-01-31 12:30:00 is expected");
  }
}

}  // namespace
}  // namespace gradus
