// One call for all formats: what a file's format is guessed to be, ratings in MovieLens' three forms, options that
// belong to another format.
#include <gradus/models/data/read.h>

#include <doctest/doctest.h>

#include "data_folder.h"
#include "folder.h"
#include "refusal.h"
#include "scratch_file.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace gradus {
namespace {

ReadRows parsed_text(std::string_view text, const ReadOptions& options = {}) {
  return open_rows(Input::of_bytes("data", text), options)->next(unlimited);
}

template <class E = IoError>
std::string refused_text(std::string_view text, const ReadOptions& options = {}) {
  return refusal<E>([&] { parsed_text(text, options); });
}

const ReadOptions as_ratings{.format = Format::movielens};

}  // namespace

TEST_CASE("formats by their names") {
  for (const Format format :
       {Format::guess, Format::libsvm, Format::libfm, Format::libffm, Format::movielens, Format::csv, Format::tsv})
    CHECK(format_named(to_string(format)) == format);
  CHECK_THROWS_WITH_AS(format_named("CSV"),
                       "there is no format \"CSV\"; guess, libsvm, libfm, libffm, movielens, csv and tsv are there",
                       ValueError);
}

TEST_CASE("formats by a file's name and first lines") {
  struct Case {
    const char* name;
    const char* lines;
    Format format;
  };
  const Case cases[] = {
      {"a.libsvm", "anything", Format::libsvm},
      {"a.SVM.gz", "", Format::libsvm},
      {"a.libfm", "1 1:1\n", Format::libfm},
      {"dir.csv/a.ffm", "", Format::libffm},
      {"a.csv", "1 1:1\n", Format::csv},
      {"a.csv", "userId,movieId,rating,timestamp\r\n1,2,3,4\n", Format::movielens},
      {"a.tsv.gz", "a\tb\n", Format::tsv},
      {"ua.base", "1\t2\t3\t874965758\n", Format::movielens},
      {"ratings.dat", "1::1193::5::978300760\n", Format::movielens},
      {"-", "userId,movieId,rating,timestamp\n", Format::movielens},
      {"a.txt", "1 1:1 7:2\n0\n", Format::libsvm},
      {"a.txt", "# 0:1\n\n+1 5:1 7:2 # 0:1\n-1 3:0\n", Format::libsvm},
      {"a.txt", "0\n0\n1 1:1 7:2\n-1 0:2 3:1\n", Format::libfm},
      {"a.txt", "0 3:5:1 4:6:2\n", Format::libffm},
      {"a.txt", "y,a,b\n1,2,3\n", Format::csv},
      {"a.txt", "y;a;b\n1;2;3\n", Format::csv},
      {"a.txt", "y\ta\tb,c\n1\t2\t3\n", Format::tsv},
      {"a.txt", "1,12:30,x\n", Format::csv},
  };
  for (const Case& c : cases) CHECK_MESSAGE(guess_format(c.name, c.lines) == c.format, c.name, ": ", c.lines);
  CHECK(
      refusal<ValueError>([] { guess_format("a.txt", "Dear reader\nhow are you\n"); }) ==
      "a.txt: its format cannot be told from its name or its first line, \"Dear reader\"; say which of libsvm, libfm, "
      "libffm, movielens, csv and tsv it is");
  CHECK(refused_text("") == "data: is empty");
}

TEST_CASE("any format, guessed, from any kind of file") {
  CHECK(parsed_text("1 1:1 2:1\n0 2:1\n").x.shape() == Shape{2, 2});
  CHECK(parsed_text("1 0:1 2:1\n0 2:1\n").x.shape() == Shape{2, 3});
  CHECK(parsed_text("1 3:0:1 4:2:1\n").columns.field->size() == 3);
  CHECK(parsed_text("y;a\n1;0,5\n", {.target = "y", .categorical = {"a"}}).columns.table->name(0) == "a=0,5");
  CHECK(parsed_text("y|a\n1|2\n", {.format = Format::csv, .target = "y", .delimiter = '|'}).x.item() == 2);
  CHECK(parsed_text("y\ta\n1\t2\n", {.target = "y"}).x.item() == 2);
  const std::string csv = "y,a\n1,2\n0,3\n";
  const ScratchFile packed(gzipped(csv), ".csv.gz");
  CHECK(read_rows(packed.path(), {.target = "y"}).x == parsed_text(csv, {.target = "y"}).x);
  // A line longer than what is looked at to guess.
  std::string long_line = "1";
  for (int i = 1; i < 10000; ++i) long_line += " " + std::to_string(i) + ":1";
  CHECK(parsed_text(long_line).x.shape() == Shape{1, 9999});
}

TEST_CASE("ratings in three forms") {
  const Tensor x = Tensor({{1, 0, 0, 1}, {0, 1, 1, 0}, {1, 0, 1, 0}});  // users 9 and 10, items 2 and 30
  const std::pair<const char*, const char*> forms[] = {
      {"u.data", "9\t30\t5\t874965758\n10\t2\t3\t876893171\n9\t2\t1\t0\n"},
      {"ratings.dat", "9::30::5::874965758\r\n10::2::3::876893171\r\n9::2::1::0\r\n"},
      {"ratings.csv", "userId,movieId,rating,timestamp\n9,30,5.0,1\n10,2,3.0,1\n9,2,1,1"},
  };
  for (const auto& form : forms) {
    const ReadRows e = open_rows(Input::of_bytes(form.first, form.second))->next(unlimited);
    CHECK_MESSAGE(e.x.to_dense() == x, form.first);
    CHECK(e.y == Tensor({{5}, {3}, {1}}));
    CHECK(*e.columns.field == std::vector<Index>{0, 0, 1, 1});
    CHECK(e.columns.table->name(1) == "user=10");
    // A table goes with any of the forms.
    const ReadRows test = parsed_text("10::30::4::0\n11::2::4::0\n", {.columns = e.columns});
    CHECK(test.x.to_dense() == Tensor({{0, 1, 0, 1}, {0, 0, 1, 0}}));
    CHECK(test.unseen == std::vector<std::int64_t>{1, 0, 0, 0});
  }
  CHECK(parsed_text(forms[0].second, {.hash_bits = 8}).x.shape() == Shape{3, 256});
  CHECK(parsed_text("1\t2\t4.5\t881250949\n").y.item() == 4.5);
}

TEST_CASE("a folder of MovieLens is the file of ratings in it") {
  const Folder folder;
  const std::string path(folder / "");
  CHECK(refusal<IoError>([&] { read_rows(path); }) ==
        path + ": is a folder without MovieLens' u.data, ratings.dat or ratings.csv; a file is expected");
  std::ofstream(folder / "ratings.dat") << "9::30::5::874965758\n10::2::3::876893171\n";
  CHECK(read_rows(path).size() == 2);
}

TEST_CASE("malformed ratings") {
  const std::string columns = "\"user\", \"item\", \"rating\", \"timestamp\"";
  CHECK(refused_text("1\t2\t3\t881250949\n1\t2\t3\n") == "data:2: has 3 cells; 4 are expected: " + columns);
  CHECK(refused_text("1 2 3 4\n", as_ratings) == "data:1: has 1 cell; 4 are expected: " + columns);
  CHECK(refused_text("1::2::3::4\nx::2::3::4\n") == "data:2: column \"user\": \"x\" is not a whole number");
  CHECK(refused_text("1::2::3::4\n1::-2::3::4\n") == "data:2: column \"item\": \"-2\" is not a whole number");
  CHECK(refused_text("1\t2\tgood\t4\n", as_ratings) == "data:1: column \"rating\": \"good\" is not a number");
  CHECK(refused_text("userId,movieId,rating,timestamp\n") == "data: has a header but no examples");
  CHECK(refused_text("userId,movieId,rating,timestamp\n1,,3,4\n") == "data:2: column \"item\": is not a whole number");
  CHECK(refused_text("", as_ratings) == "data: is empty; records of " + columns + " are expected");
}

TEST_CASE("options of another format") {
  CHECK(refused_text<ValueError>("1 1:1\n", {.target = "y"}) ==
        "data: columns are named, but libsvm has no names for them");
  CHECK(refused_text<ValueError>("1\t2\t3\t881250949\n", {.target = "rating"}) ==
        "data: columns are named, but those of ratings are known: user, item, rating, timestamp");
  CHECK(refused_text<ValueError>("y,a\n1,2\n", {.target = "y", .delimiter = '\n'}) ==
        "data: the delimiter is \"\\x0a\"; a character that ends neither quotes nor lines is expected");
}

}  // namespace gradus
