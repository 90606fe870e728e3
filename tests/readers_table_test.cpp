// Tables: records of RFC 4180, kinds of columns, dictionaries and hashing, a trained model's table on other files,
// weights and missing cells; the same by blocks and threads; and what malformed files and wrong options are refused
// with.
#include <gradus/models/data/detail/row_pieces.h>
#include <gradus/models/data/detail/table_reader.h>
#include <gradus/models/data/read.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "refusal.h"
#include "scratch_file.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace gradus {
namespace {

using Names = std::vector<std::string>;
using Counts = std::vector<std::int64_t>;

ReadRows parsed_table(std::string_view text, const TableOptions& options) {
  return read_table(Input::of_bytes("data.csv", text), options)->next(unlimited);
}

template <class E = IoError>
std::string refused_table(std::string_view text, const TableOptions& options) {
  return refusal<E>([&] { parsed_table(text, options); });
}

// All cells, a record in brackets: "[a|b][c|d]".
std::string cells(std::string_view text, const Dialect& dialect = {}) {
  CsvRecords records(text, dialect);
  std::string out;
  while (records.next()) {
    out += '[';
    for (const std::string_view cell : records.cells()) out += std::string(cell) + "|";
    out.back() = ']';
  }
  return out;
}

std::string mistake(std::string_view text) {
  try {
    cells(text);
  } catch (const Mistake& found) {
    return fmt::format("{}: {}", found.line, found.what);
  }
  return "nothing was thrown";
}

constexpr std::string_view people =
    "age,city,id,y,unused\n"
    "30,Rome,10,1,a\n"
    "0,Oslo,9,0,b\n"
    ",Rome,10,1,c\n";

const TableOptions said{.target = "y", .categorical = {"city", "id"}, .numeric = {"age"}, .ignored = {"unused"}};

std::string random_table(int rows, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text = "y,word,number,note,id\n";
  for (int i = 0; i < rows; ++i) {
    text += fmt::format("{},w{},{},", random() % 2, random() % 300, static_cast<double>(random() % 1000) / 8);
    text += random() % 5 == 0 ? "\"two\nlines, \"\"quoted\"\"\"" : "plain";
    text += fmt::format(",{}{}", random() % 1000, random() % 7 == 0 ? "\r\n" : "\n");
  }
  return text;
}

}  // namespace

TEST_CASE("records of RFC 4180") {
  CHECK(cells("a,b\nc,d\n") == "[a|b][c|d]");
  CHECK(cells("a,b\r\nc,d") == "[a|b][c|d]");
  CHECK(cells("a,b\r\nc,d\r") == "[a|b][c|d]");
  CHECK(cells("\n\na,b\n\r\n\nc,d\n\n") == "[a|b][c|d]");
  CHECK(cells(",\n,,\n") == "[|][||]");
  CHECK(cells("a,\n") == "[a|]");
  CHECK(cells("a,") == "[a|]");
  CHECK(cells("\"\"") == "[]");
  CHECK(cells("\"a\",\"b,c\"\n\"d\ne\",\"\"\"f\"\"\"\n") == "[a|b,c][d\ne|\"f\"]");
  CHECK(cells("\"\"\"\"\"\",\"x\"\"y\"\r\n") == "[\"\"|x\"y]");
  CHECK(cells(" a , \xc3\xa9\n") == "[a|\xc3\xa9]");
  CHECK(cells("a\rb,c\n") == "[a\rb|c]");
  CHECK(cells("a;b,c\n", {";", true}) == "[a|b,c]");
  CHECK(cells("a\t\"b\tc\"\n", {"\t", true}) == "[a|b\tc]");
  CHECK(cells("1::2::\"3\"::4:5\n", {"::", false}) == "[1|2|\"3\"|4:5]");

  CHECK(mistake("a,b\nc,\"d\ne\n") == "1: cell 2, \"d\\x0ae\\x0a\", begins with a quote that is not closed");
  CHECK(mistake("\"") == "0: cell 1, \"\", begins with a quote that is not closed");
  CHECK(mistake("a\n\"b\n\"c,d\n") == "2: cell 1 goes on with \"c,d\" after its closing quote");
  CHECK(mistake("a,5\" pipe\n") ==
        "0: cell 2, \"5\" pipe\", has a quote inside; write the whole cell in quotes and that one twice");
  CHECK(mistake(std::string("a,b\0c\n", 6)) == "0: cell 2 holds a NUL byte; is it text, in UTF-8?");
  CHECK(mistake(std::string("a,\"b\0c\"\n", 8)) == "0: cell 2 holds a NUL byte; is it text, in UTF-8?");
}

TEST_CASE("columns that are said") {
  const ReadRows e = parsed_table(people, said);
  // Features: age, Oslo, Rome, 9, 10.
  CHECK(e.x.to_dense() == Tensor({{30, 0, 1, 0, 1}, {0, 1, 0, 1, 0}, {0, 0, 1, 0, 1}}));
  CHECK(e.x.dtype() == float32);
  CHECK(e.y == Tensor({{1}, {0}, {1}}));
  CHECK(e.weight.size() == 0);
  REQUIRE(e.columns.field);
  CHECK(*e.columns.field == std::vector<Index>{0, 1, 1, 2, 2});
  REQUIRE(e.columns.table);
  CHECK(e.columns.table->features() == 5);
  CHECK(e.columns.table->name(0) == "age");
  CHECK(e.columns.table->name(1) == "city=Oslo");
  CHECK(e.columns.table->name(4) == "id=10");
  CHECK_THROWS_WITH_AS(e.columns.table->name(5), "feature 5 is asked for; 0 to 4 are there", ValueError);
  CHECK(e.unseen == Counts(5, 0));
  CHECK(e.missing == Counts{1, 0, 0, 0, 0});
}

TEST_CASE("columns that are not said are numeric where all their cells are numbers") {
  const ReadRows e = parsed_table("a,b,c,d,y\n1,1, 2 ,,0\n,x,-1e3,,1\n", {.target = "y"});
  const auto kind = [&](const char* name) {
    return to_string(e.columns.table->columns()[static_cast<std::size_t>(e.columns.table->find(name))].kind);
  };
  CHECK(kind("a") == "numeric");
  CHECK(kind("b") == "categorical");
  CHECK(kind("c") == "numeric");
  CHECK(kind("d") == "categorical");  // of nothing but empty cells
  CHECK(kind("y") == "target");
  CHECK(e.x.to_dense() == Tensor({{1, 1, 0, 2, 1}, {0, 0, 1, -1000, 1}}));  // a, b=1, b=x, c, d=
  CHECK(e.missing == Counts{1, 0, 0, 0, 0});
}

TEST_CASE("weights, other delimiters, byte order marks, float64") {
  const ReadRows e =
      parsed_table("\xef\xbb\xbfy;w;x\n1;0.5;0,1\n2;2;0,1\n",
                   {.dialect = {";", true}, .target = "y", .weight = "w", .categorical = {"x"}, .dtype = float64});
  CHECK(e.weight == Tensor({{0.5}, {2}}, float64));
  CHECK(e.columns.table->name(0) == "x=0,1");
  CHECK(e.x.dtype() == float64);
  CHECK(e.y.dtype() == float64);
}

TEST_CASE("the order of categories") {
  Names names{"10", "b", "9", "010", "a", "", "2147483648000000000000", "1.5", "B"};
  std::sort(names.begin(), names.end(), before);
  CHECK(names == Names{"9", "010", "10", "2147483648000000000000", "", "1.5", "B", "a", "b"});
}

TEST_CASE("a trained model's table on another file") {
  const auto table = parsed_table(people, said).columns.table;
  const TableOptions with_table{.table = table};
  // Other order, another column, no unused one; a city and an id that were never seen.
  const ReadRows e = parsed_table("extra,y,id,age,city\n?,0,9,5,Paris\n?,1,10,6,Rome\n?,1,11,,Paris\n", with_table);
  CHECK(e.columns.table == table);
  CHECK(e.x.to_dense() == Tensor({{5, 0, 0, 1, 0}, {6, 0, 1, 0, 1}, {0, 0, 0, 0, 0}}));
  CHECK(e.unseen == Counts{0, 2, 1, 0, 0});
  CHECK(e.missing == Counts{1, 0, 0, 0, 0});

  const std::string no_target = "id,age,city\n9,5,Rome\n";
  CHECK(refused_table(no_target, with_table) ==
        "data.csv: has no column \"y\", which the model has as target; the columns are \"id\", \"age\", \"city\"");
  const ReadRows without = parsed_table(no_target, {.table = table, .need_target = false});
  CHECK(without.x.to_dense() == Tensor({{5, 0, 1, 1, 0}}));
  CHECK(without.y.size() == 0);
  CHECK(refused_table("id,age,y\n9,5,1\n", with_table) ==
        "data.csv: has no column \"city\", which the model has as categorical; the columns are \"id\", \"age\", \"y\"");
  CHECK(refused_table<ValueError>(people, {.target = "y", .table = table}) ==
        "data.csv: columns are named although a feature table says what they are");
}

TEST_CASE("hashed categories") {
  // Fixed for ever: models keep no dictionary to tell them by.
  CHECK(category_hash("", "") == 0xb9034ad37056f5fb);
  CHECK(category_hash("city", "Rome") == 0x28db0b4cad3ba8ce);
  CHECK(category_hash("caf\xc3\xa9", "\xff") == 0x98a3cd1461ffd444);
  CHECK(category_hash("city", "Rome") != category_hash("town", "Rome"));
  CHECK(category_hash("ab", "c") != category_hash("a", "bc"));

  TableOptions hashed = said;
  hashed.hash_bits = 4;
  const ReadRows e = parsed_table(people, hashed);
  CHECK(e.x.shape() == Shape{3, 17});  // age, then 16
  CHECK(!e.columns.field);
  const auto rome = static_cast<std::int64_t>(1 + category_hash("city", "Rome") % 16);
  const auto ten = static_cast<std::int64_t>(1 + category_hash("id", "10") % 16);
  CHECK(e.x.at(0, 0) == 30);
  CHECK(e.x.at(0, rome) == (rome == ten ? 2 : 1));
  CHECK(e.x.at(2, ten) == (rome == ten ? 2 : 1));
  CHECK(e.columns.table->name(3) == "hashed 2");
  CHECK(e.columns.table->columns()[1].categories.empty());
  // One bit: collisions within a row add up.
  hashed.hash_bits = 1;
  const ReadRows small = parsed_table(people, hashed);
  for (std::int64_t i = 0; i < 3; ++i) CHECK(small.x.at(i, 1) + small.x.at(i, 2) == 2);
  // Nothing is unseen.
  CHECK(parsed_table("age,city,id,y\n1,Paris,77,0\n", {.table = e.columns.table}).unseen == Counts(5, 0));
  hashed.hash_bits = 31;
  CHECK(refused_table<ValueError>(people, hashed) == "hash_bits is 31; 0 (a dictionary) to 30 are expected");
}

TEST_CASE("any number of threads and any blocks give the same") {
  const std::string text = random_table(100'000, 4);
  REQUIRE(text.size() > (std::size_t{2} << 20));
  const ReadRows whole = parsed_table(text, {.target = "y"});
  CHECK(whole.x.shape() == Shape{100'000, 300 + 1 + 2 + 1000});
  const ReadRows threaded = parsed_table(text, {.target = "y", .threads = 3});
  CHECK(threaded.x == whole.x);
  CHECK(threaded.y == whole.y);
  CHECK(*threaded.columns.table == *whole.columns.table);

  const ScratchFile file(gzipped(text), ".csv.gz");
  const auto source = open_rows(file.path(), {.columns = whole.columns});
  std::int64_t rows = 0, stored = 0;
  for (;;) {
    const ReadRows block = source->next(33'333);
    if (block.size() == 0) break;
    CHECK(block.size() == std::min<std::int64_t>(33'333, 100'000 - rows));
    for (std::int64_t i = 0; i < block.size(); i += 1000) {
      CHECK(block.y.at(i, 0) == whole.y.at(rows + i, 0));
      for (int j = 0; j < 304; ++j) REQUIRE(block.x.at(i, j) == whole.x.at(rows + i, j));
    }
    rows += block.size();
    stored += block.x.stored();
  }
  CHECK(rows == 100'000);
  CHECK(stored == whole.x.stored());
}

TEST_CASE("feature tables as JSON") {
  const FeatureTable table({{"a \"b\"", ColumnKind::categorical, {"x", "caf\xc3\xa9", "10", "9", ""}},
                            {"y", ColumnKind::target},
                            {"w", ColumnKind::weight},
                            {"\xe9t\xe9", ColumnKind::categorical, {std::string("\xff\x80 \x7f\n", 5)}},  // Latin-1
                            {"n", ColumnKind::numeric},
                            {"i", ColumnKind::ignored}});
  const std::string json = to_json(table);
  CHECK(feature_table_from_json(json) == table);
  CHECK(to_json(feature_table_from_json(json)) == json);
  CHECK(json.starts_with(R"({"version":1,"hash_bits":0,"columns":[{"name":"a \"b\"","kind":"categorical",)"
                         R"("categories":["9","10","","café","x"]})"));
  CHECK(json.find(R"({"name":{"bytes":"été"},"kind":"categorical","categories":[{"bytes":")") != std::string::npos);
  const FeatureTable hashed({{"c", ColumnKind::categorical}, {"y", ColumnKind::target}}, 20);
  CHECK(feature_table_from_json(to_json(hashed)) == hashed);
  CHECK(hashed.features() == 1 << 20);

  const auto refused_json = [](std::string_view text) {
    return refusal<IoError>([&] { feature_table_from_json(text, "model.json"); });
  };
  const std::string is_not = "model.json: is not a feature table: ";
  const std::pair<std::string, std::string> cases[] = {
      {"", "it is not JSON"},
      {"{", "it is not JSON"},
      {"\"\xff\"", "it is not JSON"},
      {"[]", "an object is expected"},
      {"{}", "\"version\" is missing"},
      {R"({"version": "1"})", "\"version\" is not a whole number"},
      {R"({"version": 2})", "its version is 2; 1 is expected"},
      {R"({"version": 1})", "\"hash_bits\" is missing"},
      {R"({"version": 1, "hash_bits": 31})", "hash_bits is 31; 0 to 30 are expected"},
      {R"({"version": 1, "hash_bits": 0, "columns": {}})", "\"columns\" is not a list"},
      {R"({"version": 1, "hash_bits": 0, "columns": [1]})", "\"name\" is missing"},
      {R"({"version": 1, "hash_bits": 0, "columns": [{"name": 1}]})", "\"bytes\" is missing"},
      {R"({"version": 1, "hash_bits": 0, "columns": [{"name": {"bytes": 1}}]})", "\"bytes\" is not a text"},
      {R"({"version": 1, "hash_bits": 0, "columns": [{"name": {"bytes": "€"}}]})",
       "\"bytes\" holds a character beyond 255"},
      {R"({"version": 1, "hash_bits": 0, "columns": [{"name": "a", "kind": "b"}]})", "column \"a\" is of kind \"b\""},
      {R"({"version": 1, "hash_bits": 0, "columns": [{"name": "a", "kind": "numeric", "categories": ["x"]}]})",
       "column \"a\" is numeric but lists categories"},
      {R"({"version": 1, "hash_bits": 3, "columns": [{"name": "a", "kind": "categorical", "categories": ["x"]}]})",
       "column \"a\" is hashed categorical but lists categories"},
      {R"({"version": 1, "hash_bits": 0, "columns": [{"name": "a", "kind": "categorical", "categories": ["x", "x"]}]})",
       "column \"a\" lists category \"x\" twice"},
      {R"({"version": 1, "hash_bits": 0, "columns": [{"name": "a", "kind": "target"}, {"name": "b", "kind": "target"}]})",
       "column \"b\" would be a second target; one is expected"},
      {R"({"version": 1, "hash_bits": 0, "columns": [{"name": "a", "kind": "target"}, {"name": "a", "kind": "ignored"}]})",
       "there are two columns \"a\""},
  };
  for (const auto& [text, message] : cases) CHECK(refused_json(text) == is_not + message);
}

TEST_CASE("malformed tables") {
  const TableOptions y{.target = "y"};
  const std::pair<std::string, std::string> cases[] = {
      {"", "data.csv: is empty; a record that names the columns is expected"},
      {"\n\r\n", "data.csv: is empty; a record that names the columns is expected"},
      {"a,y\n", "data.csv: has a header but no examples"},
      {"a,y", "data.csv: has a header but no examples"},
      {"a,y\n\n\n", "data.csv: has a header but no examples"},
      {"a,b,a,y\n1,2,3,4\n", "data.csv:1: two columns are named \"a\""},
      {"a,y\n1,2\n\n1,2,3\n", "data.csv:4: has 3 cells; 2 are expected: \"a\", \"y\""},
      {"a,y\n1,2\n1\n", "data.csv:3: has 1 cell; 2 are expected: \"a\", \"y\""},
      {"a,y\n\"1\n\n\",2\n3\n", "data.csv:5: has 1 cell; 2 are expected: \"a\", \"y\""},
      {"a,\"y\n1,2\n", "data.csv:1: cell 2, \"y\\x0a1,2\\x0a\", begins with a quote that is not closed"},
      {"a,y\n1,2\nx,\"3\n", "data.csv:3: cell 2, \"3\\x0a\", begins with a quote that is not closed"},
      {"a,y\n\"1\"2,3\n", "data.csv:2: cell 1 goes on with \"2,3\" after its closing quote"},
      {"a,y\n1\"2,3\n",
       "data.csv:2: cell 1, \"1\"2,3\", has a quote inside; write the whole cell in quotes and that one twice"},
      {std::string("a,y\n1,\0002\n", 9), "data.csv:2: cell 2 holds a NUL byte; is it text, in UTF-8?"},
      {"a,y\n1,2\n1,ten\n", "data.csv:3: column \"y\": \"ten\" is not a number; .targets takes it for a class"},
      {"a,y\n1,\n", "data.csv:2: column \"y\": is empty; a number is expected"},
      {"a,y\n1,nan\n", "data.csv:2: column \"y\": \"nan\" says that nothing is known; a number is expected"},
      {"a,y\n1,1e39\n", "data.csv:2: column \"y\": \"1e39\" is too large for float32; at most 3.4e+38 is expected"},
      {"a,y\n1,3 apples\n", "data.csv:2: column \"y\": \"3 apples\" is not a number: \" apples\" follows it"},
  };
  for (const auto& [text, message] : cases) CHECK(refused_table(text, y) == message);

  const TableOptions numeric{.target = "y", .weight = "w", .numeric = {"a"}};
  CHECK(refused_table("a,w,y\n1,1,1\nx,1,1\n", numeric) == "data.csv:3: column \"a\": \"x\" is not a number");
  CHECK(refused_table("a,w,y\ninf,1,1\n", numeric) == "data.csv:2: column \"a\": \"inf\" is not finite");
  CHECK(refused_table("a,w,y\n1,-1,1\n", numeric) ==
        "data.csv:2: column \"w\": \"-1\" is negative; weights are 0 or more");
  CHECK(refused_table("a,w,y\n1,,1\n", numeric) == "data.csv:2: column \"w\": is empty; a number is expected");
}

TEST_CASE("options that do not fit the table") {
  const std::string columns = "; the columns are \"age\", \"city\", \"id\", \"y\", \"unused\"";
  CHECK(refused_table<ValueError>(people, {}) == "data.csv: no target column is named" + columns);
  CHECK(refused_table<ValueError>(people, {.target = "Y"}) ==
        "data.csv: there is no column \"Y\" to be target" + columns);
  CHECK(refused_table<ValueError>(people, {.target = "y", .weight = "w"}) ==
        "data.csv: there is no column \"w\" to be weight" + columns);
  CHECK(refused_table<ValueError>(people, {.target = "y", .categorical = {"town"}}) ==
        "data.csv: there is no column \"town\" to be categorical" + columns);
  CHECK(refused_table<ValueError>(people, {.target = "y", .numeric = {"age"}, .ignored = {"city", "age"}}) ==
        "data.csv: column \"age\" is to be numeric and ignored; one is expected");
  CHECK(refused_table<ValueError>(people, {.target = "y", .dtype = boolean}) ==
        "data.csv: dtype is bool; examples are read as float32 or float64");
  CHECK(refused_table<ValueError>("y,a\n1,2\n", {.target = "y", .ignored = {"a"}}) ==
        "data.csv: no column is left to learn from; the columns are \"y\", \"a\"");
  CHECK(parsed_table(people, {.categorical = {"id"}, .need_target = false}).y.size() == 0);
}

}  // namespace gradus
