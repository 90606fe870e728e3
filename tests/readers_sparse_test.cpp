// Sparse text: what libsvm, libfm and libffm files give, by blocks and by threads the same; what malformed ones are
// refused with; and Criteo's sample, where it is found: in $GRADUS_DATA/criteo-small or ../shared/data/criteo-small.
#include <gradus/models/data/detail/libsvm.h>
#include <gradus/models/data/read.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "data_folder.h"
#include "refusal.h"
#include "scratch_file.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace gradus {
namespace {

using Options = SparseTextOptions;
const Options libsvm{};
const Options libfm{.form = SparseText::libfm};
const Options libffm{.form = SparseText::libffm};

ReadRows parsed_sparse(std::string_view text, const Options& options = {}) {
  return read_sparse_text(Input::of_bytes("data", text), options)->next(unlimited);
}

std::string refused_sparse(std::string_view text, const Options& options = {}) {
  return refusal<IoError>([&] { parsed_sparse(text, options); });
}

bool same(const ReadRows& a, const ReadRows& b) {
  return a.x == b.x && a.y == b.y && a.unseen == b.unseen && a.other_fields == b.other_fields &&
         !a.columns.field == !b.columns.field && (!a.columns.field || *a.columns.field == *b.columns.field);
}

// What a slow and simple program reads of well-formed lines: a check of the fast one.
std::string random_lines(int count, SparseText form, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += fmt::format("{}{:.3f}", random() % 2 == 0 ? "" : "-", static_cast<double>(random() % 9000) / 1000);
    std::uint64_t index = form == SparseText::libsvm ? 1 : 0;
    for (std::uint64_t left = random() % 30; left > 0; --left, ++index) {
      index += random() % 50;
      text += random() % 9 == 0 ? "\t " : " ";
      if (form == SparseText::libffm) text += fmt::format("{}:", index % 7);
      text += fmt::format("{}:{}", index,
                          random() % 3 == 0 ? "1" : fmt::format("{}", static_cast<float>(random() % 99) / 7));
    }
    if (random() % 50 == 0) text += " # of no meaning: 1:2";
    if (random() % 50 == 0) text += "\n";
    text += random() % 10 == 0 ? "\r\n" : "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("libsvm: indices from 1") {
  const ReadRows e = parsed_sparse("1 1:2 3:0.5\n-1\n+1 2:1\n");
  CHECK(e.x.type() == Type{float32, {3, 3}, Layout::csr});
  CHECK(e.x.to_dense() == Tensor({{2, 0, 0.5}, {0, 0, 0}, {0, 1, 0}}));
  CHECK(e.y == Tensor({{1}, {-1}, {1}}));
  CHECK(e.weight.size() == 0);
  CHECK(!e.columns.field);
  CHECK(!e.columns.table);
  CHECK(e.unseen.empty());
  CHECK(e.size() == 3);
}

TEST_CASE("libfm: indices from 0; libffm: fields as well") {
  CHECK(parsed_sparse("4 0:1.5 2:-7.9\n", libfm).x.to_dense() == Tensor({{1.5, 0, -7.9}}));
  const ReadRows e = parsed_sparse("1 0:0:1 2:3:0.5\n0 0:1:1\n", libffm);
  CHECK(e.x.to_dense() == Tensor({{1, 0, 0, 0.5}, {0, 1, 0, 0}}));
  REQUIRE(e.columns.field);
  CHECK(*e.columns.field == std::vector<Index>{0, 0, -1, 2});
}

TEST_CASE("what lines may look like") {
  const Tensor expected = parsed_sparse("1 1:2 3:4\n0 2:1\n").x;
  for (const char* text : {
           "1 1:2 3:4\n0 2:1",        // no final newline
           "1 1:2 3:4\r\n0 2:1\r\n",  // CRLF
           "1 1:2 3:4\r\n0 2:1\r",    // cut within it
           "\xef\xbb\xbf"
           "1 1:2 3:4\n0 2:1\n",                        // byte order mark
           "  1\t1:2  \t 3:4 \t\n0 2:1 \n",             // blanks
           "\n1 1:2 3:4\n\n \t\n0 2:1\n\r\n\n",         // empty lines
           "# first\n1 1:2 3:4#last\n #\n0 2:1 # 5:6",  // comments
           "1 3:4 1:2\n0 2:1\n",                        // not sorted
           "+1.0 1:2e0 3:+4\n-0 002:1.\n",              // numbers
       })
    CHECK_MESSAGE(parsed_sparse(text).x == expected, text);
  const ReadRows with_zeros = parsed_sparse("1 1:0 2:0.0 3:-0\n");
  CHECK(with_zeros.x.stored() == 3);
  CHECK(parsed_sparse("1 2147483647:1\n").x.dim(1) == 1);  // far apart: what occurs has a column
  CHECK(parsed_sparse("0.1 1:0.3651\n", {.dtype = float64}).x.at(0, 0) == 0.3651);
  CHECK(parsed_sparse("0.1 1:0.3651\n", {.dtype = float64}).y.item() == 0.1);
  CHECK(parsed_sparse("1e-60 1:-1e-300\n").y.item() == 0);
}

TEST_CASE("columns of a model: indices beyond them are left out and counted") {
  const ReadRows e = parsed_sparse("1 1:2 3:4 4:1\n0 9:1\n", {.columns = 3});
  CHECK(e.x.to_dense() == Tensor({{2, 0, 4}, {0, 0, 0}}));
  CHECK(e.unseen == std::vector<std::int64_t>{2});
  CHECK(parsed_sparse("1 1:1\n", {.columns = 5}).x.shape() == Shape{1, 5});
  CHECK(parsed_sparse("1 1:1\n", {.columns = 5}).unseen == std::vector<std::int64_t>{0});
}

TEST_CASE("duplicates and features of two fields, where they are allowed") {
  const ReadRows summed = parsed_sparse("1 3:1 1:2 3:4 2:1 3:8\n", {.duplicates = Duplicates::sum});
  CHECK(summed.x.to_dense() == Tensor({{2, 1, 13}}));
  const Options lenient{
      .form = SparseText::libffm, .duplicates = Duplicates::sum, .other_field = OtherField::keep_first};
  const ReadRows e = parsed_sparse("1 4:1:1 5:2:1\n1 5:1:2 5:1:1 4:2:1 6:0:1\n1 1:0:1 2:0:1\n", lenient);
  CHECK(e.x.to_dense() == Tensor({{0, 1, 1}, {1, 3, 1}, {2, 0, 0}}));
  CHECK(*e.columns.field == std::vector<Index>{6, 4, 5});
  // Of five that name another field, the sums of a line have one entry left.
  CHECK(e.other_fields == 4);
}

TEST_CASE("any number of threads and any blocks give the same") {
  for (const Options& options : {libsvm, libfm, libffm}) {
    Options lenient = options;
    lenient.other_field = OtherField::keep_first;
    lenient.columns = 1500;
    const std::string text = random_lines(20000, options.form, 5);
    REQUIRE(text.size() > (std::size_t{2} << 20));  // several pieces
    const ReadRows whole = parsed_sparse(text, lenient);
    CHECK(whole.size() == 20000);
    Options threaded = lenient;
    threaded.threads = 3;
    CHECK(same(parsed_sparse(text, threaded), whole));

    // By blocks, from a stream.
    const ScratchFile file(gzipped(text));
    const auto source = read_sparse_text(Input(file.path()), lenient);
    std::int64_t rows = 0, stored = 0, unseen = 0;
    for (;;) {
      const ReadRows block = source->next(777);
      if (block.size() == 0) break;
      CHECK(block.size() == std::min<std::int64_t>(777, 20000 - rows));
      for (std::int64_t i = 0; i < block.size(); i += 100) {
        CHECK(block.y.at(i, 0) == whole.y.at(rows + i, 0));
        for (int j = 0; j < 1500; j += 17) REQUIRE(block.x.at(i, j) == whole.x.at(rows + i, j));
      }
      rows += block.size();
      stored += block.x.stored();
      unseen += block.unseen[0];
    }
    CHECK(rows == 20000);
    CHECK(stored == whole.x.stored());
    CHECK(unseen == whole.unseen[0]);
    CHECK(source->next(10).size() == 0);
  }
}

TEST_CASE("the fast reader reads what a slow one reads") {
  const std::string text = random_lines(2000, SparseText::libsvm, 6);
  const ReadRows e = parsed_sparse(text);
  std::int64_t row = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream tokens(line.substr(0, line.find('#')));
    float y = 0, value = 0;
    if (!(tokens >> y)) continue;
    CHECK(static_cast<float>(e.y.at(row, 0)) == y);
    std::int64_t index = 0, count = 0;
    char colon = 0;
    for (; tokens >> index >> colon >> value; ++count) REQUIRE(static_cast<float>(e.x.at(row, index - 1)) == value);
    const auto& start = e.x.pattern()->row_start;
    CHECK(start[static_cast<std::size_t>(row + 1)] - start[static_cast<std::size_t>(row)] == count);
    ++row;
  }
  CHECK(row == 2000);
}

TEST_CASE("malformed libsvm") {
  const std::string last = "1 1:1\n";
  const std::pair<std::string, std::string> cases[] = {
      {"1 1:1 5 7:1\n", "data:1: \"5\" has no colon; index:value is expected"},
      {"1 1:1\n1 2:3:4\n",
       "data:2: \"2:3:4\" has 2 colons; index:value is expected; field:index:value is read with Format::libffm"},
      {"1 2::4\n",
       "data:1: \"2::4\" has 2 colons; index:value is expected; field:index:value is read with Format::libffm"},
      {"1 1:2:3:4\n", "data:1: \"1:2:3:4\" has 3 colons; index:value is expected"},
      {"\n#\n1 0:1\n", "data:3: the index of \"0:1\" is 0, but libsvm counts from 1; Format::libfm counts from 0"},
      {"1 -3:1\n", "data:1: the index of \"-3:1\" is negative; 1 to 18446744073709551615 is expected"},
      {"1 18446744073709551617:1\n",
       "data:1: the index of \"18446744073709551617:1\" is too large; 1 to 18446744073709551615 is expected"},
      {"1 a:1\n", "data:1: the index of \"a:1\" is not a whole number"},
      {"1 qid:7 1:1\n",
       "data:1: \"qid:7\" groups the rows of a query, which is not read; leave such pairs out, or write the "
       "groups as a column of a table for a ranking"},
      {"1 1.5:1\n", "data:1: the index of \"1.5:1\" is not a whole number"},
      {"1 +1:1\n", "data:1: the index of \"+1:1\" is not a whole number"},
      {"1 -:1\n", "data:1: the index of \"-:1\" is not a whole number"},
      {"1 :1\n", "data:1: the index of \":1\" is not a whole number"},
      {"1 1:\n", "data:1: the value \"\" of \"1:\" is not a number"},
      {"1 1: 2:1\n", "data:1: the value \"\" of \"1:\" is not a number"},
      {"1 1:x\n", "data:1: the value \"x\" of \"1:x\" is not a number"},
      {"1 1:nan\n", "data:1: the value \"nan\" of \"1:nan\" is not finite"},
      {"1 1:-inf\n", "data:1: the value \"-inf\" of \"1:-inf\" is not finite"},
      {"1 1:1e39\n", "data:1: the value \"1e39\" of \"1:1e39\" is too large for float32; at most 3.4e+38 is expected"},
      {"1 1:2abc\n", "data:1: the value \"2abc\" of \"1:2abc\" is not a number: \"abc\" follows it"},
      {"1 1:1,5\n", "data:1: the value \"1,5\" of \"1:1,5\" is not a number: \",5\" follows it"},
      {"1 4:1 2:1 4:2\n", "data:1: index 4 is there twice; Duplicates::sum adds up its values"},
      {"1 4:1 4:1\n", "data:1: index 4 is there twice; Duplicates::sum adds up its values"},
      {"nan 1:1\n", "data:1: the target \"nan\" is not finite"},
      {"1\n-Inf 1:1\n", "data:2: the target \"-Inf\" is not finite"},
      {"1e400 1:1\n", "data:1: the target \"1e400\" is too large for float32; at most 3.4e+38 is expected"},
      {"yes 1:1\n", "data:1: the target \"yes\" is not a number"},
      {"1,2 1:1\n", "data:1: the target \"1,2\" is not a number: \",2\" follows it"},
      {"1:1 2:1\n", "data:1: the line begins with \"1:1\" where its target is expected; write 0 if it is not known"},
      {std::string("1 1:1\n\0\0\n", 9), "data:2: the target \"\\x00\\x00\" is not a number"},
      {std::string("1 1:1\0002:1\n", 11),
       "data:1: \"1:1\\x002:1\" has 2 colons; index:value is expected; "
       "field:index:value is read with Format::libffm"},
      {std::string("1 1:1\000\n", 7),
       "data:1: the value \"1\\x00\" of \"1:1\\x00\" is not a number: \"\\x00\" follows it"},
      {"\x7f"
       "ELF\x02\x01\n",
       "data:1: the target \"\\x7fELF\\x02\\x01\" is not a number"},
      {"1 1:1\r2:1\n",
       "data:1: \"1:1\\x0d2:1\" has 2 colons; index:value is expected; field:index:value is read with "
       "Format::libffm"},
      {"", "data: has no examples; lines of target index:value ... are expected"},
      {"\n \n# nothing\n", "data: has no examples; lines of target index:value ... are expected"},
  };
  for (const auto& [text, message] : cases) {
    CHECK(refused_sparse(text) == message);
    if (!text.empty() && !message.starts_with("data: ")) CHECK(refused_sparse(text + last) == message);
  }
  // No newline at the end, so that nothing follows what is wrong.
  CHECK(refused_sparse("1 1:") == "data:1: the value \"\" of \"1:\" is not a number");
  CHECK(refused_sparse("-") == "data:1: the target \"-\" is not a number");
  CHECK(refused_sparse("1 1:3e38 1:3e38\n", {.duplicates = Duplicates::sum}) ==
        "data:1: the values of index 1 add up to more than float32 can hold");
}

TEST_CASE("malformed libffm") {
  const std::pair<std::string, std::string> cases[] = {
      {"1 1:1\n",
       "data:1: \"1:1\" has 1 colon; field:index:value is expected; index:value is read with Format::libsvm "
       "or libfm"},
      {"1 7\n", "data:1: \"7\" has no colon; field:index:value is expected"},
      {"1 0:1:2:3\n", "data:1: \"0:1:2:3\" has 3 colons; field:index:value is expected"},
      {"1 a:1:1\n", "data:1: the field of \"a:1:1\" is not a whole number"},
      {"1 -1:1:1\n", "data:1: the field of \"-1:1:1\" is negative; 0 to 2147483646 is expected"},
      {"1 2147483647:1:1\n", "data:1: the field of \"2147483647:1:1\" is too large; 0 to 2147483646 is expected"},
      {"1 1::1\n", "data:1: the index of \"1::1\" is not a whole number"},
      {"1 1:1:one\n", "data:1: the value \"one\" of \"1:1:one\" is not a number"},
      {"1 2:5:1\n\n1 3:4:1\n0 3:5:1\n",
       "data:4: feature 5 is in field 3 here but in field 2 on line 1; each feature has one field, and "
       "OtherField::keep_first lets it stay in its first"},
      {"1 2:5:1 3:5:1\n",
       "data:1: index 5 is there twice, in fields 2 and 3; OtherField::keep_first adds up its values in the first"},
      {"1 2:5:1 2:5:1\n", "data:1: index 5 is there twice; Duplicates::sum adds up its values"},
      {"1 2:5:1 3:5:1 4:1:1 3:5:1\n",
       "data:1: index 5 is there several times, in fields 2 and 3; Duplicates::sum with OtherField::keep_first adds up "
       "its values in the first"},
      {"1 2:5:1 3:5:1 4:9000000000:1\n",
       "data:1: index 5 is there twice, in fields 2 and 3; OtherField::keep_first adds up its values in the first"},
      {"", "data: has no examples; lines of target field:index:value ... are expected"},
  };
  for (const auto& [text, message] : cases) CHECK(refused_sparse(text, libffm) == message);
  CHECK(refused_sparse("1 2:5:1 3:5:1\n", {.form = SparseText::libffm, .duplicates = Duplicates::sum}) ==
        "data:1: index 5 is there twice, in fields 2 and 3; OtherField::keep_first adds up its values in the first");
  const Options first{.form = SparseText::libffm, .other_field = OtherField::keep_first};
  CHECK(parsed_sparse("1 2:5:1 3:5:2 2:0:4\n", first).x.to_dense() == Tensor({{4, 0, 0, 0, 0, 3}}));
  CHECK(refused_sparse("1 2:5:1 3:5:1 2:5:1\n", first) ==
        "data:1: index 5 is there twice; Duplicates::sum adds up its values");
  const ReadRows hashed = parsed_sparse("1 2:5:1 3:5:1\n", {.form = SparseText::libffm, .hash_bits = 3});
  CHECK(hashed.x.stored() == 1);
}

TEST_CASE("of several mistakes the first is told, with its line, whatever the threads and blocks") {
  std::string text = random_lines(10000, SparseText::libsvm, 7);
  const auto lines = std::count(text.begin(), text.end(), '\n');
  text += "1 wrong\n" + random_lines(20000, SparseText::libsvm, 8) + "1 0:1\n";
  const std::string message = fmt::format("data:{}: \"wrong\" has no colon; index:value is expected", lines + 1);
  for (const int threads : {1, 2, 4}) CHECK(refused_sparse(text, {.threads = threads}) == message);
  const auto source = read_sparse_text(Input::of_bytes("data", text), {});
  CHECK(refusal<IoError>([&] {
          while (source->next(100).size() > 0) {
          }
        }) == message);
}

TEST_CASE("options that do not fit") {
  CHECK(refusal<ValueError>([] { parsed_sparse("1\n", {.columns = -1}); }) ==
        "data: columns are -1; 0 (found out) to 2147483647 are expected");
  CHECK(refusal<ValueError>([] { parsed_sparse("1\n", {.columns = std::int64_t{1} << 31}); }) ==
        "data: columns are 2147483648; 0 (found out) to 2147483647 are expected");
  CHECK(refusal<ValueError>([] { parsed_sparse("1\n", {.dtype = int32}); }) ==
        "data: dtype is int32; examples are read as float32 or float64");
}

TEST_CASE("Criteo's sample in libffm's form") {
  const std::filesystem::path file = data_folder("criteo-small") / "small_train.txt";
  if (!std::filesystem::exists(file)) {
    MESSAGE("skipped: there is no ", file.string(), "; set GRADUS_DATA to the folder that holds criteo-small");
    return;
  }
  // Its indices are hashes: some features are of two fields, a few of them on one line.
  ReadOptions options;
  const std::string message = refusal<IoError>([&] { read_rows(file.string(), options); });
  CHECK(message.starts_with(file.string() + ":"));
  CHECK(message.ends_with("; OtherField::keep_first adds up its values in the first"));
  options.other_field = OtherField::keep_first;
  const ReadRows e = read_rows(file.string(), options);
  CHECK(e.x.shape() == Shape{200, 9991});
  CHECK(e.other_fields > 0);
  double positive = 0;
  for (const double y : e.y) positive += y;
  CHECK(positive == 48);
}

}  // namespace gradus
