// What is found out of a table's columns: kinds by cells and names, numbers as people write them, unknown cells,
// headers, several values in a cell, several files; and indices of sparse text that lie far apart.
#include <gradus/models/data/detail/column_tally.h>
#include <gradus/models/data/detail/libsvm.h>
#include <gradus/models/data/detail/table_reader.h>
#include <gradus/models/data/read.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "refusal.h"

#include <string>
#include <utility>
#include <vector>

namespace gradus {
namespace {

ReadRows parsed_columns(std::string_view text, const TableOptions& options) {
  return read_table(Input::of_bytes("data.csv", text), options)->next(unlimited);
}

std::string refused_columns(std::string_view text, const TableOptions& options) {
  return refusal<IoError>([&] { parsed_columns(text, options); });
}

// A table of the column "x" with these cells, and a target.
std::string column(const std::string& name, const std::vector<std::string>& cells) {
  std::string text = name + ",y\n";
  for (const std::string& cell : cells) text += "\"" + cell + "\",1\n";
  return text;
}

// What is found out of that column.
std::string found(const std::string& name, const std::vector<std::string>& cells, const CellForm& form = {}) {
  const ReadRows e = parsed_columns(column(name, cells), {.target = "y", .form = form});
  REQUIRE(e.findings);
  return to_string(e.findings->front());
}

}  // namespace

TEST_CASE("whole numbers are categories where the name or the numbers say that they tell things apart") {
  for (const char* const name : {"userid", "userId", "user_id", "USER ID", "uid", "iid", "movieid", "customer",
                                 "Article", "zip_code", "zip-code", "studentid", "item_ids", "shops", "id"})
    CHECK_MESSAGE(names_things(name), name);
  for (const char* const name :
       {"age", "price", "quantity", "item_count", "user_age", "paid", "humid", "valid", "width", ""})
    CHECK_MESSAGE(!names_things(name), name);
  CHECK(found("userid", {"7", "8", "7"}) == "userid (category: whole numbers, 2 different)");
  CHECK(found("userid", {"7.5", "8", "7"}) == "userid (numeric: 7 to 8)");
  CHECK(found("age", {"7", "8", "7"}) == "age (numeric: 7 to 8)");
  CHECK(found("x", {"007", "008", "007"}) == "x (category: numbers with leading zeros, 2 different)");
  CHECK(found("x", {"10023", "10024", "10023", "10024"}) == "x (category: whole numbers of 5 digits, 2 different)");
  CHECK(found("x", {"10023", "10024", "10025", "10026"}) == "x (numeric: 10023 to 10026)");
  CHECK(found("x", {"a", "b", "a"}) == "x (category: text, 2 different)");
}

TEST_CASE("moments are amounts, and that is said") {
  const std::string advice = "; an amount as it stands: .normalize scales it, .ignored leaves it out)";
  CHECK(found("t", {"881250949", "891250949"}) == "t (numeric: timestamps in seconds, 881250949 to 891250949" + advice);
  CHECK(found("t", {"1106591832000", "1352102871000"}) ==
        "t (numeric: timestamps in milliseconds, 1106591832000 to 1352102871000" + advice);
  CHECK(found("t", {"20240131", "20231201"}) == "t (numeric: dates as yyyymmdd, 20231201 to 20240131" + advice);
  CHECK(found("t", {"1999", "2024"}) == "t (numeric: years, 1999 to 2024" + advice);
  CHECK(names_time("clicked_at"));
  CHECK(!names_time("attic"));
}

TEST_CASE("a column in which nearly each row has its own category is told") {
  std::vector<std::string> cells;
  for (int i = 0; i < 30; ++i) cells.push_back(fmt::format("2024-01-{:02} 12:{:02}", i + 1, i));
  CHECK(found("when", cells) ==
        "when (category: text, 30 different; nearly each row has a category of its own, of which nothing is learnt: "
        ".ignored leaves it out)");
}

TEST_CASE("unknown cells leave a column numeric") {
  for (const char* const word : {"", "NA", "N/A", "n/a", "<NA>", "NaN", "nan", "NULL", "null", "None", "\\N", "?", "-"})
    CHECK_MESSAGE(found("x", {"1.5", word, "2"}) == "x (numeric: 1.5 to 2, 1 missing)", word);
  const ReadRows e = parsed_columns("x,y\n1,1\n-999,1\nold,1\n", {.target = "y", .form = {.missing = {"-999", "old"}}});
  CHECK(e.x.to_dense() == Tensor({{1}, {0}, {0}}));
  CHECK(e.missing.front() == 2);
  // The model's other files are read alike.
  CHECK(parsed_columns("x\n-999\nNA\n3\n", {.table = e.columns.table, .need_target = false}).missing.front() == 2);
  CHECK(feature_table_from_json(to_json(*e.columns.table)) == *e.columns.table);
}

TEST_CASE("numbers as people write them") {
  CHECK(found("x", {"$9.99", "$1,200.00", ""}) == "x (numeric: 9.99 to 1200, 1 missing)");
  CHECK(found("x", {"9.99 \u20ac", "-3 \u20ac"}) == "x (numeric: -3 to 9.99)");
  CHECK(found("x", {"1,200.00", "9.99"}) == "x (numeric: 9.99 to 1200)");
  CHECK(found("x", {"12%", "3.5%"}) == "x (numeric: 3.5 to 12)");
  CHECK(found("x", {"9,99", "1.200,50", "3"}, {.decimal = ','}) == "x (numeric: 3 to 1200.5)");
  CHECK(found("x", {"1,2", "a", "3"}) == "x (category: text, 3 different)");
  const std::string other = ", or name the column in .categorical or .ignored";
  CHECK(refused_columns(column("x", {"1", "9,99"}), {.target = "y"}) ==
        "data.csv:3: column \"x\": \"9,99\" is a number if commas are decimal marks: say .decimal ','" + other);
  CHECK(refused_columns(column("x", {"1,5", "9.99"}), {.target = "y", .form = {.decimal = ','}}) ==
        "data.csv:3: column \"x\": \"9.99\" is a number if points are decimal marks: leave out .decimal" + other);
  CHECK(refused_columns(column("x", {"$1", "2 \u20ac"}), {.target = "y"})
            .starts_with("data.csv:2: column \"x\": \"$1\" has"));
  CHECK(refused_columns("x,y\n1,\"2,5\"\n", {.target = "y"}) ==
        "data.csv:2: column \"y\": \"2,5\" is a number if commas are decimal marks: say .decimal ','");
}

TEST_CASE("headers") {
  const TableOptions y{.target = "y"};
  CHECK(
      refused_columns("1,5,0.2\n0,3,0.9\n", y) ==
      "data.csv:1: the first record, \"1\", \"5\", \"0.2\", is nothing but numbers, not the names of columns; write a "
      "line of names first, or say .no_header, and columns are called 1, 2, 3");
  const ReadRows e = parsed_columns("1,5,0.2\n0,3,0.9\n", {.target = "1", .form = {.no_header = true}});
  CHECK(e.x.to_dense() == Tensor({{5, 0.2F}, {3, 0.9F}}));
  CHECK(e.columns.table->name(0) == "2");
  CHECK(parsed_columns("7,8,9\n", {.table = e.columns.table}).x.to_dense() ==
        Tensor({{8, 9}}));  // as the model's files are
  CHECK(to_string(parsed_columns(",a,y\n0,2,1\n1,2,1\n", y).findings->front()) ==
        "\"\" (left out: nameless, counts the rows)");
  CHECK(to_string(parsed_columns("a,y,\n2,1,\n2,1,\n", y).findings->back()) == "\"\" (left out: nameless and empty)");
  CHECK(to_string(parsed_columns(",a,y\n5,2,1\n5,2,1\n", y).findings->front()) == "\"\" (numeric: 5 to 5)");
  CHECK(parsed_columns(" a , y \n x y , 1\n", y).columns.table->name(0) == "a=x y");
  CHECK(refused_columns("x,y\nZo\xeb,1\n", y) ==
        "data.csv:2: column \"x\": \"Zo\\xeb\" is not UTF-8 text; save the file as UTF-8");
}

TEST_CASE("several values in a cell") {
  const std::string_view films = "genres,y\nAction|Drama,1\nDrama | War|Drama,0\nNA,1\n";
  const ReadRows e = parsed_columns(films, {.target = "y", .multi = {"genres"}});
  CHECK(e.x.to_dense() == Tensor({{1, 1, 0}, {0, 1, 1}, {0, 0, 0}}));  // Action, Drama, War
  CHECK(e.missing.front() == 1);
  CHECK(*e.columns.field == std::vector<Index>{0, 0, 0});
  CHECK(to_string(e.findings->front()) == "genres (category: values separated by \"|\", 3 different)");
  CHECK(feature_table_from_json(to_json(*e.columns.table)) == *e.columns.table);
  const ReadRows next = parsed_columns("genres\nWar|Noir\n", {.table = e.columns.table, .need_target = false});
  CHECK(next.x.to_dense() == Tensor({{0, 0, 1}}));
  CHECK(next.unseen.front() == 1);
  CHECK(parsed_columns("g,y\na b,1\n", {.target = "y", .multi = {"g"}, .separator = "|"}).columns.table->name(0) ==
        "g=a b");
}

TEST_CASE("several files are one, whatever the order of their columns") {
  const auto both = [](std::string_view second) {
    std::vector<Input> inputs;
    inputs.push_back(Input::of_bytes("a.csv", "u,n,y\na,1,0\nb,2,1\n"));
    inputs.push_back(Input::of_bytes("b.csv", second));
    return open_rows(std::move(inputs), {.format = Format::csv, .target = "y"})->next(unlimited);
  };
  const ReadRows e = both("y,n,u\n1,3,c\n");
  CHECK(e.x.to_dense() == Tensor({{1, 0, 0, 1}, {0, 1, 0, 2}, {0, 0, 1, 3}}));
  CHECK(e.y == Tensor({{0}, {1}, {1}}));
  CHECK(refusal<IoError>([&] { both("y,n,u\n1,3,c\nx\n"); }) ==
        "b.csv:3: has 1 cell; 3 are expected: \"y\", \"n\", \"u\"");
  CHECK(refusal<IoError>([&] { both("y,n,v\n1,3,c\n"); }) ==
        "b.csv: has a column \"v\" that a.csv has not; its columns are \"u\", \"n\", \"y\"");
}

TEST_CASE("targets that are words, and such as are not known") {
  CHECK(parsed_columns("x,y\n1,True\n2,false\n3,YES\n4,n\n", {.target = "y"}).y == Tensor({{1}, {0}, {1}, {0}}));
  const auto table = parsed_columns("x,y\n1,0\n", {.target = "y"}).columns.table;
  CHECK(parsed_columns("x,y\n5,\n", {.table = table, .need_target = false}).x.to_dense() == Tensor({{5}}));
  CHECK(refused_columns("x,y\n5,NA\n", {.table = table}) ==
        "data.csv:2: column \"y\": \"NA\" says that nothing is known; a number is expected");
}

TEST_CASE("indices that lie far apart get columns as they occur") {
  const auto read = [](std::string_view text, const SparseTextOptions& options) {
    return read_sparse_text(Input::of_bytes("data", text), options)->next(unlimited);
  };
  const ReadRows e = read("1 18446744073709551615:2 900000014:1\n0 900000014:3 5:1\n", {});
  CHECK(e.x.to_dense() == Tensor({{2, 1, 0}, {0, 3, 1}}));
  REQUIRE(e.columns.ids);
  CHECK(e.columns.ids->index() == std::vector<std::uint64_t>{18446744073709551615ULL, 900000014, 5});
  const ReadRows other = read("1 5:7 6:1 900000014:1\n", {.ids = e.columns.ids});
  CHECK(other.x.to_dense() == Tensor({{0, 1, 7}}));
  CHECK(other.unseen.front() == 1);
  CHECK(refusal<IoError>([&] { read("1 1:1\n1 9000000000:1 2:1 9000000000:1\n", {}); }) ==
        "data:2: index 9000000000 is there twice; Duplicates::sum adds up its values");
  CHECK(!read("1 1:1 1000000:1\n", {}).columns.ids);  // not worth it
  const ReadRows hashed = read("1 5:1 18446744073709551615:1\n", {.hash_bits = 4});
  CHECK(hashed.x.shape() == Shape{1, 16});
  CHECK(hashed.x.stored() <= 2);
}

TEST_CASE("sparse text without targets or values") {
  const auto read = [](std::string_view text, const SparseTextOptions& options) {
    return read_sparse_text(Input::of_bytes("data", text), options)->next(unlimited);
  };
  CHECK(read("3:1 1:2\n1 2:1\n", {.columns = 3, .need_target = false}).x.to_dense() == Tensor({{2, 0, 1}, {0, 1, 0}}));
  CHECK(read("1 3 1\n0 2\n", {}).x.to_dense() == Tensor({{1, 0, 1}, {0, 1, 0}}));
  CHECK_THROWS_AS(read("1 3 1:1\n", {}), IoError);
  CHECK(
      refusal<IoError>([&] { read("1 qid:3 1:1\n", {}); }) ==
      "data:1: \"qid:3\" groups the rows of a query, which is not read; leave such pairs out, or write the groups as a "
      "column of a table for a ranking");
}

}  // namespace gradus
