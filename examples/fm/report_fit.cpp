// What predictions are worth, against the targets of rows that the model was not fitted to.
#include <gradus/models/formats/page_text.h>
#include <gradus/models/formats/svg.h>
#include "report_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

namespace fm {

using namespace gradus;

namespace {

struct Row {
  double target, prediction;
};

// Rows whose numbers can be drawn.
std::vector<Row> finite_rows(const Report& report) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < report.targets.size(); ++i)
    if (drawable(report.targets[i]) && drawable(report.predictions[i]))
      rows.push_back({report.targets[i], report.predictions[i]});
  return rows;
}

struct Range {
  double low, high;
  bool holds(double value) const { return value >= low && value <= high; }
};

// All of few numbers; of many, without the thousandth at each end, which would leave the others no room.
Range range_of(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  const std::size_t off = numbers.size() / 1000;
  return {numbers[off], numbers[numbers.size() - 1 - off]};
}

Axis along(Range range, double from, double to) {
  Axis axis = axis_over(range.low, range.high);
  axis.from = from;
  axis.to = to;
  return axis;
}

// What lies outside goes to the first or the last bin.
std::size_t bin_of(double value, Range range, std::size_t bins) {
  const double part = (value - range.low) / (range.high - range.low) * static_cast<double>(bins);
  return static_cast<std::size_t>(std::clamp(part, 0.0, static_cast<double>(bins - 1)));
}

std::string rows_text(std::size_t rows) {
  return fmt::format("{} row{}", readable(static_cast<double>(rows)), rows == 1 ? "" : "s");
}

// A histogram's bars, of one class or of two on top of each other.
void bars(Svg& svg, const Axis& x, const Axis& y, const std::vector<std::size_t>& first,
          const std::vector<std::size_t>& second) {
  const double step = (x.to - x.from) / static_cast<double>(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    const double at = x.from + step * static_cast<double>(i) + 0.5;
    const double low = y.at(static_cast<double>(first[i]));
    if (first[i] > 0) svg.rectangle(at, low, step - 1, y.from - low, "fill first");
    if (second.empty() || second[i] == 0) continue;
    const double high = y.at(static_cast<double>(first[i] + second[i]));
    svg.rectangle(at, high, step - 1, low - high, "fill second");
  }
}

}  // namespace

std::string fit_chart(const Report& report) {
  const std::vector<Row> rows = finite_rows(report);
  if (rows.empty()) return {};
  std::vector<double> targets, predictions;
  std::set<double> different;
  bool whole = true;
  for (const Row& row : rows) {
    targets.push_back(row.target);
    predictions.push_back(row.prediction);
    if (different.size() <= 20) different.insert(row.target);
    whole = whole && row.target == std::floor(row.target);
  }
  const Range t = range_of(targets), p = range_of(predictions);
  Range range{std::min(t.low, p.low), std::max(t.high, p.high)};
  // Targets like stars, 1 to 5: a band for each.
  const bool bands = whole && different.size() <= 20 && t.high - t.low <= 20 && t.high > t.low;
  if (bands) range = {std::floor(range.low + 0.5) - 0.5, std::ceil(range.high - 0.5) + 0.5};
  const Axis x = along(range, chart_left, chart_width - chart_right),
             y = along(range, chart_height - chart_bottom, chart_top);
  range = {x.low, x.high};
  std::size_t outside = 0;
  for (const Row& row : rows) outside += range.holds(row.target) && range.holds(row.prediction) ? 0 : 1;
  Svg svg("fit", chart_width, chart_height, "Actual against predicted",
          fmt::format("{}. Rows on the diagonal are predicted exactly.", rows_text(rows.size())));
  svg.axes(x, y, "predicted", "actual");
  if (rows.size() <= 500) {
    for (const Row& row : rows)
      if (range.holds(row.target) && range.holds(row.prediction))
        svg.circle(x.at(row.prediction), y.at(row.target), 3, "cloud first");
  } else {
    const std::size_t columns = 48;
    const std::size_t lines = bands ? static_cast<std::size_t>(range.high - range.low) : 36;
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> count;
    std::size_t most = 0;
    for (const Row& row : rows) {
      if (!range.holds(row.target) || !range.holds(row.prediction)) continue;
      std::size_t& here = count[{bin_of(row.target, range, lines), bin_of(row.prediction, range, columns)}];
      most = std::max(most, ++here);
    }
    const double w = (x.to - x.from) / static_cast<double>(columns);
    const double h = (y.from - y.to) / static_cast<double>(lines);
    for (const auto& [cell, n] : count)
      svg.rectangle(x.from + w * static_cast<double>(cell.second),
                    y.from - h * static_cast<double>(cell.first + 1) + (bands ? 1 : 0), w, h - (bands ? 2 : 0),
                    "fill first", 0.06 + 0.94 * std::sqrt(static_cast<double>(n) / static_cast<double>(most)));
  }
  svg.line(x.from, y.from, x.to, y.to, "ideal");
  svg.text(x.to, y.to - 12,
           rows_text(rows.size()) +
               (outside == 0 ? "" : fmt::format(", {} of them outside", readable(static_cast<double>(outside)))),
           "note", "end");
  return svg.str();
}

std::string residual_chart(const Report& report) {
  const std::vector<Row> rows = finite_rows(report);
  if (rows.empty()) return {};
  std::vector<double> residuals;
  double sum = 0, squares = 0;
  for (const Row& row : rows) {
    residuals.push_back(row.target - row.prediction);
    sum += residuals.back();
  }
  const auto n = static_cast<double>(rows.size());
  const double mean = sum / n;
  for (const double residual : residuals) squares += (residual - mean) * (residual - mean);
  const double deviation = std::sqrt(squares / n);
  const Range middle = range_of(residuals);
  const double far = std::max(std::abs(middle.low), std::abs(middle.high));
  const Axis x = along({-far, far}, chart_left, chart_width - chart_right);
  const std::size_t bins = std::clamp<std::size_t>(static_cast<std::size_t>(std::sqrt(n)), 8, 41) | 1U;
  std::vector<std::size_t> count(bins);
  for (const double residual : residuals)
    if (residual >= x.low && residual <= x.high) ++count[bin_of(residual, {x.low, x.high}, bins)];
  const std::size_t most = *std::max_element(count.begin(), count.end());
  Axis y = along({0, 1.08 * static_cast<double>(most)}, chart_height - chart_bottom, chart_top);
  y.whole = true;
  const std::string told = fmt::format("mean {}, standard deviation {}", readable(mean, 3), readable(deviation, 3));
  Svg svg("residuals", chart_width, chart_height, "Residuals", fmt::format("{}: {}.", rows_text(rows.size()), told));
  svg.axes(x, y, "actual \u2212 predicted", "rows");
  bars(svg, x, y, count, {});
  svg.line(x.at(0), y.from, x.at(0), y.to, "ideal");
  svg.text(x.to, y.to - 12, told, "note", "end");
  return svg.str();
}

std::string calibration_chart(const Report& report) {
  const std::vector<Row> rows = finite_rows(report);
  if (rows.empty()) return {};
  constexpr std::size_t bins = 10;
  struct Bin {
    double rows = 0, ones = 0, sum = 0;
  };
  std::vector<Bin> bin(bins);
  for (const Row& row : rows) {
    Bin& here = bin[bin_of(row.prediction, {0, 1}, bins)];
    ++here.rows;
    here.ones += row.target > 0 ? 1 : 0;
    here.sum += row.prediction;
  }
  const Axis x = along({0, 1}, chart_left, chart_width - chart_right),
             y = along({0, 1}, chart_height - chart_bottom, chart_top);
  Svg svg("calibration", chart_width, chart_height, "Calibration",
          fmt::format("{}. Points on the diagonal are probabilities that hold.", rows_text(rows.size())));
  svg.axes(x, y, "predicted probability", "part that was positive");
  svg.line(x.from, y.from, x.to, y.to, "ideal");
  std::string path;
  for (const Bin& here : bin) {
    if (here.rows == 0) continue;
    path += fmt::format("{}{} {}", path.empty() ? "M" : "L", pixels(x.at(here.sum / here.rows)),
                        pixels(y.at(here.ones / here.rows)));
  }
  svg.path(path, "curve thin first");
  for (const Bin& here : bin) {
    if (here.rows == 0) continue;
    constexpr double z = 1.96;
    const double part = here.ones / here.rows;
    const double centre = (part + z * z / (2 * here.rows)) / (1 + z * z / here.rows);
    const double reach =
        z / (1 + z * z / here.rows) * std::sqrt(part * (1 - part) / here.rows + z * z / (4 * here.rows * here.rows));
    const double at = x.at(here.sum / here.rows);
    svg.line(at, y.at(std::max(0.0, centre - reach)), at, y.at(std::min(1.0, centre + reach)), "interval first");
    svg.circle(at, y.at(part), 4, "dot first");
  }
  svg.text(x.to, y.to - 12, fmt::format("{}, bars: 95 % intervals", rows_text(rows.size())), "note", "end");
  return svg.str();
}

std::string probability_chart(const Report& report) {
  const std::vector<Row> rows = finite_rows(report);
  if (rows.empty()) return {};
  constexpr std::size_t bins = 40;
  std::vector<std::size_t> ones(bins), others(bins);
  std::size_t positive = 0;
  for (const Row& row : rows) {
    positive += row.target > 0 ? 1 : 0;
    ++(row.target > 0 ? ones : others)[bin_of(row.prediction, {0, 1}, bins)];
  }
  std::size_t most = 1;
  for (std::size_t i = 0; i < bins; ++i) most = std::max(most, ones[i] + others[i]);
  const Axis x = along({0, 1}, chart_left, chart_width - chart_right);
  Axis y = along({0, 1.08 * static_cast<double>(most)}, chart_height - chart_bottom, chart_top);
  y.whole = true;
  Svg svg("probabilities", chart_width, chart_height, "Predicted probabilities",
          fmt::format("{}, {} of them positive.", rows_text(rows.size()), readable(static_cast<double>(positive))));
  svg.axes(x, y, "predicted probability", "rows");
  bars(svg, x, y, ones, others);
  svg.rectangle(x.to - 176, y.to - 22, 11, 11, "fill first", 1, 2);
  svg.text(x.to - 160, y.to - 12, "positive", "note");
  svg.rectangle(x.to - 90, y.to - 22, 11, 11, "fill second", 1, 2);
  svg.text(x.to - 74, y.to - 12, "negative", "note");
  return svg.str();
}

}  // namespace fm
