// The report's text: numbers as people read them, round ticks, escaped names; and of its pictures that they are well
// formed, hold finite coordinates alone, and that no two nodes of a graph lie on each other. How a page looks in a
// browser is asked by tests/outward.
#include "clicks.h"

#include "../folder.h"
#include "../refusal.h"
#include "../special_values.h"

#include <fm/report.h>
#include <fm/report_charts.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/factorization_machine.h>
#include <gradus/models/formats/page_text.h>
#include <gradus/models/formats/svg.h>
#include <gradus/ops/ops.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <regex>
#include <string>
#include <vector>

namespace fm {

using namespace gradus;

namespace {

TEST_CASE("numbers are written as people read them") {
  const std::vector<std::pair<double, std::string>> rows = {{0, "0"},
                                                            {-0.0, "0"},
                                                            {12, "12"},
                                                            {1234, "1,234"},
                                                            {-1234567, "−1,234,567"},
                                                            {1e14, "100,000,000,000,000"},
                                                            {1e15, "1e15"},
                                                            {0.1, "0.1"},
                                                            {0.9308123, "0.930812"},
                                                            {-2.5, "−2.5"},
                                                            {1234.5678, "1,234.57"},
                                                            {123456.789, "123,457"},
                                                            {0.00012345678, "0.000123457"},
                                                            {1e-5, "1e−5"},
                                                            {-1.25e-7, "−1.25e−7"},
                                                            {1.5e300, "1.5e300"},
                                                            {not_a_number, "not a number"},
                                                            {infinity, "∞"},
                                                            {-infinity, "−∞"}};
  for (const auto& [number, text] : rows) CHECK(readable(number) == text);
  CHECK(readable(0.93081, 4) == "0.9308");
  CHECK(readable(123.456, 2) == "123");
  CHECK(readable_fact(Fact("", true)) == "yes");
  CHECK(readable_fact(Fact("", std::numeric_limits<std::int64_t>::min())) == "−9,223,372,036,854,775,808");
  CHECK(readable_fact(Fact("", "text")) == "text");
}

TEST_CASE("names are escaped, and shortened by characters") {
  CHECK(escaped("a<b>&\"c'\x01\x7f\xff") == "a&lt;b&gt;&amp;&quot;c&#39;  \xef\xbf\xbd");
  CHECK(shortened("abcdef", 6) == "abcdef");
  CHECK(shortened("abcdefg", 6) == "abcde…");
  CHECK(shortened("日本語日本語", 4) == "日本語…");
  CHECK(character_count("日本é!") == 4);
  CHECK(shortened("", 3).empty());
}

std::string ticks(double low, double high, int most, bool logarithmic = false, bool whole = false) {
  Axis axis = axis_over(low, high);
  axis.logarithmic = logarithmic;
  axis.whole = whole;
  std::string out;
  const std::vector<double> all = axis.ticks(most);
  for (const double tick : all) out += (out.empty() ? "" : " ") + axis.label(tick, all);
  return out;
}

TEST_CASE("ticks are round") {
  CHECK(ticks(0, 1, 5) == "0.0 0.2 0.4 0.6 0.8 1.0");
  CHECK(ticks(-0.37, 0.41, 6) == "−0.2 0.0 0.2 0.4");
  CHECK(ticks(0.93, 0.9412, 5) == "0.930 0.935 0.940");
  CHECK(ticks(0, 12345, 5) == "0 5,000 10,000");
  CHECK(ticks(1, 3, 8, false, true) == "1 2 3");
  CHECK(ticks(1, 3, 8) == "1.0 1.5 2.0 2.5 3.0");
  CHECK(ticks(5, 5, 4) == "4.8 5.0 5.2");
  CHECK(ticks(0, 0, 4) == "−1.0 −0.5 0.0 0.5 1.0");
  CHECK(ticks(1, 1 + 1e-15, 4) == "0.95 1.00 1.05");
  CHECK(ticks(1e16, 1e16 + 2, 2) == "9.5e15 1e16 1.05e16");
  CHECK(ticks(0, 1e-310, 2) == "−1 0 1");
  CHECK(ticks(2, 90, 6, true) == "2 5 10 20 50");
  CHECK(ticks(0.001, 1e6, 6, true) == "0.001 0.1 10 1,000 100,000");
  CHECK(ticks(-1e-12, 1e-12, 4) == "−1e−12 −5e−13 0 5e−13 1e−12");
  CHECK(ticks(1e12, 3e12, 4) ==
        "1,000,000,000,000 1,500,000,000,000 2,000,000,000,000 2,500,000,000,000 "
        "3,000,000,000,000");
}

// What is wrong with the elements of SVG or XHTML text: that they do not nest, or hold a number that is none.
std::string fault(const std::string& text) {
  static const std::regex element("<(/?)([a-zA-Z0-9]+)([^<>]*?)(/?)>");
  std::vector<std::string> open;
  for (std::sregex_iterator at(text.begin(), text.end(), element), end; at != end; ++at) {
    const std::string name = (*at)[2], attributes = (*at)[3];
    if (std::regex_search(attributes, std::regex("(nan|inf|e[+-][0-9])"))) return "a number: " + at->str();
    if (name == "meta" || name == "link" || (*at)[4].length() > 0) continue;
    if ((*at)[1].length() == 0) {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      return "an end: " + at->str();
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : "no end: " + open.back();
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST_CASE("pages of odd runs are well formed") {
  std::vector<Report> reports(11);
  reports[1].epochs = {{1, 0.5, 0.25}};
  reports[2].epochs = {{1, not_a_number, not_a_number}, {2, infinity, -infinity}};
  reports[2].targets = {not_a_number, infinity, 1};
  reports[2].predictions = {1, 1, not_a_number};
  reports[2].features = {{"a", not_a_number}, {"b", 0}};
  reports[3].epochs = {{1, 1e300, -1e300}, {2, -1e300, 1e300}, {3, 1e-300, 0}};
  reports[3].targets = {1e300, -1e300};
  reports[3].predictions = {-1e300, 1e300};
  reports[4].task = Task::binary;
  reports[4].targets = {1, 0, -1, 1};
  reports[4].predictions = {1, 0, 0.5, 2};
  reports[5].epochs = {{7, 0, 0}, {9, 0, 0}};
  reports[5].best_epoch = 8;
  reports[5].targets = {0, 0, 0};
  reports[5].predictions = {0, 0, 0};
  reports[6].features = {{"<&>\xff", 1e-300}, {"", -1e300}};
  reports[6].title = reports[6].subtitle = reports[6].command = reports[6].metric_name = "</title><svg> & \xff";
  reports[6].options = reports[6].results = {{"<b>", "</dd>"}};
  reports[7].epochs = {{1, 1e9, 1}, {2, 1, 1}, {3, 1, 1}, {4, 1, 1}, {5, 1e-9, 1}};
  reports[9].epochs = {{1, 1e308, 1e16}, {2, -1e308, 1e16 + 2}, {std::int64_t{1} << 62, 1, 1e16}};
  reports[9].targets = {1e308, 1, 1 + 1e-15};
  reports[9].predictions = {-1e308, 1, 1};
  reports[9].features = {{"a", 1e308}, {"b", -1e308}, {"c", 5e-324}};
  reports[10].epochs = {{1, 1e300, 5e-324}, {2, 1e-300, 0}, {3, 1e-300, 0}, {4, 1e-300, 0}, {5, 1e-300, 0}};
  for (int i = 0; i < 2000; ++i) {
    reports[8].targets.push_back(i % 5);
    reports[8].predictions.push_back(2);
  }
  for (const Report& report : reports) CHECK(fault(to_html(report)) == "");
  CHECK(count(to_html(reports[0]), "<svg") == 0);
  CHECK(count(to_html(reports[2]), "<svg") == 0);
  CHECK(count(to_html(reports[4]), "<svg") == 2);
  CHECK(refusal<ValueError>([] {
          Report report;
          report.targets = {1};
          to_html(report);
        }) == "write_report: there are 1 targets but 0 predictions");
  CHECK(fault("<a><b></a>") == "an end: </a>");
  CHECK(fault("<a x=\"nan\"/>") == "a number: <a x=\"nan\"/>");
}

TEST_CASE("thousands of epochs are thinned, and their least and greatest stay") {
  Report report;
  for (int epoch = 1; epoch <= 100000; ++epoch) report.epochs.push_back({epoch, 5 + std::sin(epoch), 1.0});
  report.epochs[54321].train_loss = 3;
  report.epochs[12345].train_loss = 8;
  const std::string chart = learning_chart(report);
  CHECK(chart.size() < 30000);
  // The lowest and the highest point of the path lie where 3 and 8 are: the margins of 6 % inside the axis.
  const std::string opening = "<path d=\"";
  const std::size_t begin = chart.find(opening);
  REQUIRE(begin != std::string::npos);
  const std::string data =
      chart.substr(begin + opening.size(), chart.find('"', begin + opening.size()) - begin - opening.size());
  double top = infinity, bottom = -infinity;
  static const std::regex point("[ML]([0-9.]+) ([0-9.]+)");
  for (std::sregex_iterator at(data.begin(), data.end(), point), end; at != end; ++at) {
    top = std::min(top, std::stod((*at)[2]));
    bottom = std::max(bottom, std::stod((*at)[2]));
  }
  const double height = (bottom - top) * 1.12;
  CHECK(top == doctest::Approx(28 + 0.06 * height / 1.12).epsilon(0.02));
  CHECK(bottom == doctest::Approx(330 - 46 - 0.06 * height / 1.12).epsilon(0.02));
}

struct Box {
  double x, y, width, height;
};

TEST_CASE("a graph is drawn from the inputs down, with room for each node") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, 1000});
  const Expr y = g.placeholder("y", {any, 1});
  const FactorizationMachine fm(X, y, {.factors = 4, .task = Task::binary});
  Report report;
  report.prediction = fm.prediction;
  const std::string chart = graph_chart(report);
  CHECK(fault(chart) == "");
  std::vector<Box> boxes;
  static const std::regex node(
      "<rect x=\"([0-9.]+)\" y=\"([0-9.]+)\" width=\"([0-9.]+)\" height=\"([0-9.]+)\" class=\"node");
  for (std::sregex_iterator at(chart.begin(), chart.end(), node), end; at != end; ++at)
    boxes.push_back({std::stod((*at)[1]), std::stod((*at)[2]), std::stod((*at)[3]), std::stod((*at)[4])});
  CHECK(boxes.size() == 18);  // X, w0, W, V, 0.5 and 13 ops
  CHECK(count(chart, "node placeholder") == 1);
  CHECK(count(chart, "node variable") == 3);
  CHECK(count(chart, "class=\"edge\"") == 20);  // 7 ops of two operands, 6 of one
  CHECK(chart.find("csr [?, 1000]") != std::string::npos);
  for (std::size_t i = 0; i < boxes.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const Box &a = boxes[i], &b = boxes[j];
      const bool apart = a.x + a.width < b.x || b.x + b.width < a.x || a.y + a.height < b.y || b.y + b.height < a.y;
      CHECK(apart);
    }
}

TEST_CASE("a graph of one node is drawn, and one of a thousand is not") {
  Graph g;
  Report report;
  report.prediction = g.placeholder("<x>", {});
  CHECK(graph_chart(report).find("&lt;x&gt;") != std::string::npos);
  Expr sum = report.prediction;
  for (int i = 0; i < 1000; ++i) sum = sum + sum;
  report.prediction = sum;
  CHECK(graph_chart(report).empty());
}

TEST_CASE("curves of one measure share a scale, others have one each") {
  Report report;
  report.epochs = {{1, 1.0, 2.0}, {2, 0.5, 1.5}, {3, 0.4, 1.6}};
  report.best_epoch = 2;
  report.loss_name = "training mse";
  report.metric_name = "validation mse";
  const std::string shared = learning_chart(report);
  CHECK(fault(shared) == "");
  CHECK(count(shared, "class=\"curve ") == 2);
  CHECK(shared.find("best: epoch 2, 1.5") != std::string::npos);
  report.metric_name = "validation auc";
  const std::string apart = learning_chart(report);
  CHECK(fault(apart) == "");
  CHECK(count(apart, "<text") > count(shared, "<text"));  // the scale to the right
  for (const char* name : {"training mse", "validation auc"}) CHECK(apart.find(name) != std::string::npos);
}

TEST_CASE("a page of fm says first what the model is worth, and what was learnt again") {
  const Folder folder;
  train_clicks(folder, {"--report", "page.html", "--valid-fraction", "0"});
  const std::string page = text_of(folder / "page.html");
  const std::size_t headline = page.find("<p class=\"headline\">On training rows the log loss is ");
  REQUIRE(headline != std::string::npos);
  CHECK(headline < page.find("<dl class=\"results\">"));
  CHECK(page.find("always telling how often each class occurs has a log loss of ") != std::string::npos);
  for (const char* part : {"<dt>user</dt><dd>categorical, 3 features</dd>", "<dt>age</dt><dd>numeric, 1 feature</dd>",
                           "<dt>rate</dt><dd>0.003</dd>", "<dt>stop-by</dt><dd>log loss</dd>"})
    CHECK_MESSAGE(page.find(part) != std::string::npos, part);
  for (const char* part : {"<dt>rho</dt>", "<dt>order</dt>", "<dt>samples</dt>"})  // of others than adam and fm
    CHECK_MESSAGE(page.find(part) == std::string::npos, part);

  std::string csv = "user,item,y\n";
  for (int i = 0; i < 300; ++i) csv += fmt::format("u{},i{},{}\n", i % 7, (i * i) % 11, i % 7 + (i * i) % 11);
  write_text(folder / "r.csv", csv);
  REQUIRE(run_fm(folder, {"train", "r.csv", "--epochs", "3", "--quiet", "--report", "r.html"}).code == 0);
  const std::string refitted = text_of(folder / "r.html");
  CHECK(refitted.find("On validation rows predictions are off by ") != std::string::npos);
  CHECK(refitted.find("the model was learnt again from all 300 rows, for the ") != std::string::npos);
}

TEST_CASE("a report is written whole or not at all") {
  const Folder folder;
  Report report;
  report.title = "run";
  write_report(folder / "run.html", report);
  CHECK(folder.files() == std::vector<std::string>{"run.html"});
  CHECK(refusal<IoError>([&] { write_report(folder / "no/run.html", report); }) ==
        folder / "no/run.html: cannot be written: No such file or directory");
}

}  // namespace
}  // namespace fm
