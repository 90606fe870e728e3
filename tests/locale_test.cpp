// In a program whose locale writes 1,5 for 1.5: what is read, printed and saved is what it is elsewhere.
#include "folder.h"

#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <locale>
#include <sstream>
#include <string>

namespace gradus {
namespace {

struct Commas : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

// The program's locale while it lives: C++'s, and C's where the system has a German one, or can make it.
class German {
 public:
  German() : before_(std::locale::global(std::locale(std::locale::classic(), new Commas))) {
    c_is_german_ = std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr;
    if (c_is_german_) return;
    const std::string make = fmt::format("localedef -i de_DE -f UTF-8 {} 2>/dev/null", made_ / "de_DE.UTF-8");
    if (std::system(make.c_str()) != 0) return;
    ::setenv("LOCPATH", (made_ / "").c_str(), 1);
    c_is_german_ = std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr;
    ::unsetenv("LOCPATH");
  }
  German(const German&) = delete;
  German& operator=(const German&) = delete;
  ~German() {
    std::locale::global(before_);
    std::setlocale(LC_ALL, "C");
  }
  bool c_is_german() const { return c_is_german_; }

 private:
  Folder made_;
  std::locale before_;
  bool c_is_german_ = false;
};

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What a program prints and writes: errors, tensors, plans, models and their texts.
std::string spoken(const Folder& folder) {
  std::string all;
  std::ofstream(folder / "ratings.csv") << "user,item,rating\nann,1,1.5\nbob,2,-2.25\nann,2,1e3\nbob,1,0.125\n";
  std::ofstream(folder / "rows.libsvm") << "1.5 1:0.25 3:-1e-2\n-0.5 2:1234.5\n";
  const Tensor numbers({1234567.5, -0.001, 1e-20, 0.1});
  all += to_string(numbers) + "\n";
  std::ostringstream out;
  out << numbers << numbers.shape();
  all += out.str();
  for (const std::string file : {"rows.libsvm", "ratings.csv"}) {
    const ReadRows examples = read_rows(folder / file, {.target = file == "ratings.csv" ? "rating" : ""});
    all += to_string(examples.x) + to_string(examples.y);
  }
  Graph g;
  const Expr x = g.placeholder("x", {4});
  const Expr w = g.variable("w", full({4}, 0.1));
  const Expr y = reduce_sum(12345.5 * x * w);
  Session session(g);
  all += session.explain(y, {{x, numbers}});
  all += to_dot(g);
  all += fmt::format("{}", session.run(y, {{x, numbers}}).item());
  try {
    g.placeholder("n", {}, int32) + 0.5;
  } catch (const Error& error) {
    all += error.what();
  }
  save_npy(folder / "x.npy", numbers);
  all += to_string(load_npy(folder / "x.npy"));
  session.save(folder / "w.safetensors");
  session.restore(folder / "w.safetensors");
  all += text_of(folder / "x.npy") + text_of(folder / "w.safetensors");
  return all;
}

TEST_CASE("a locale with commas changes nothing that is read or written") {
  const Folder plain, commas;
  const std::string expected = spoken(plain);
  const German german;
  if (!german.c_is_german()) MESSAGE("no German locale is installed: only C++'s has commas here");
  std::ostringstream check;
  check << 1.5;
  REQUIRE(check.str() == "1,5");
  CHECK(spoken(commas) == expected);
}

}  // namespace
}  // namespace gradus
