// Curves over the epochs, and the bars of features.
#include "report_charts.h"

#include <gradus/models/formats/page_text.h>
#include <gradus/models/formats/svg.h>
#include <gradus/models/formats/utf8.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace fm {

using namespace gradus;

namespace {

struct Point {
  double x, y;
};

// As many points as there are pixels to tell them apart: of each stretch its least and its greatest.
std::vector<Point> thinned(const std::vector<Point>& points, std::size_t stretches) {
  if (points.size() <= 2 * stretches) return points;
  std::vector<Point> out;
  const auto lower = [](const Point& a, const Point& b) { return a.y < b.y; };
  for (std::size_t i = 0; i < stretches; ++i) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(i * points.size() / stretches);
    const auto end = points.begin() + static_cast<std::ptrdiff_t>((i + 1) * points.size() / stretches);
    auto [least, greatest] = std::minmax_element(begin, end, lower);
    if (least > greatest) std::swap(least, greatest);
    out.push_back(*least);
    if (greatest != least) out.push_back(*greatest);
  }
  if (out.front().x != points.front().x) out.insert(out.begin(), points.front());
  if (out.back().x != points.back().x) out.push_back(points.back());
  return out;
}

// A curve whose first steps dwarf all others is read better by its powers of ten.
bool wants_logarithm(std::vector<Point> points) {
  if (points.size() < 5) return false;
  const auto lower = [](const Point& a, const Point& b) { return a.y < b.y; };
  std::sort(points.begin(), points.end(), lower);
  return points.front().y > 0 && points.back().y > 20 * points[points.size() / 2].y;
}

std::string curve_chart(std::string_view id, std::string_view name, const std::vector<Point>& points,
                        std::string_view look, std::optional<std::int64_t> best) {
  if (points.empty()) return {};
  const auto lower = [](const Point& a, const Point& b) { return a.y < b.y; };
  const auto [least, greatest] = std::minmax_element(points.begin(), points.end(), lower);
  const bool logarithmic = wants_logarithm(points);
  const double margin = logarithmic ? 0 : 0.06 * (greatest->y - least->y);
  const bool starts_at_zero = !logarithmic && least->y >= 0 && least->y - margin < 0.25 * greatest->y;
  Axis y = axis_over(starts_at_zero ? 0 : least->y - margin, greatest->y + margin);
  if (logarithmic) {
    y.low = least->y / 1.15;
    y.high = greatest->y * 1.15;
  }
  y.logarithmic = logarithmic;
  y.from = chart_height - chart_bottom;
  y.to = chart_top;
  const double beside = points.size() == 1 ? 1 : 0;
  Axis x = axis_over(points.front().x - beside, points.back().x + beside);
  x.from = chart_left;
  x.to = chart_width - chart_right;
  x.whole = true;

  std::string description =
      fmt::format("From {} in epoch {} to {} in epoch {}.", readable(points.front().y, 4), readable(points.front().x),
                  readable(points.back().y, 4), readable(points.back().x));
  const auto kept = std::find_if(points.begin(), points.end(),
                                 [&](const Point& p) { return best && p.x == static_cast<double>(*best); });
  if (kept != points.end())
    description += fmt::format(" The best epoch is {}, with {}.", readable(kept->x), readable(kept->y, 4));
  Svg svg(id, chart_width, chart_height, fmt::format("{} by epoch", name), description);
  svg.axes(x, y, "epoch", logarithmic ? fmt::format("{} (logarithmic)", name) : std::string(name));

  const std::vector<Point> drawn = thinned(points, static_cast<std::size_t>(chart_width));
  std::string path;
  for (const Point& p : drawn)
    path += fmt::format("{}{} {}", path.empty() ? "M" : "L", pixels(x.at(p.x)), pixels(y.at(p.y)));
  if (drawn.size() > 1) svg.path(path, fmt::format("curve {}", look));
  if (drawn.size() <= 40)
    for (const Point& p : drawn) svg.circle(x.at(p.x), y.at(p.y), 2.5, fmt::format("dot {}", look));
  if (kept != points.end()) {
    const double at = x.at(kept->x);
    svg.line(at, y.from, at, y.to, "mark");
    svg.circle(at, y.at(kept->y), 5, fmt::format("best {}", look));
    svg.text(x.to, y.to - 12, fmt::format("best: epoch {}, {}", readable(kept->x), readable(kept->y, 4)), "note",
             "end");
  }
  return svg.str();
}

std::vector<Point> finite_points(const Report& report, double ReportEpoch::*number) {
  std::vector<Point> points;
  for (const ReportEpoch& epoch : report.epochs)
    if (drawable(epoch.*number)) points.push_back({static_cast<double>(epoch.epoch), epoch.*number});
  const auto earlier = [](const Point& a, const Point& b) { return a.x < b.x; };
  std::stable_sort(points.begin(), points.end(), earlier);
  return points;
}

}  // namespace

std::string loss_chart(const Report& report) {
  return curve_chart("loss", report.loss_name, finite_points(report, &ReportEpoch::train_loss), "first",
                     report.best_epoch);
}

std::string metric_chart(const Report& report) {
  return curve_chart("metric", report.metric_name.empty() ? "validation" : report.metric_name,
                     finite_points(report, &ReportEpoch::valid_metric), "second", report.best_epoch);
}

std::string feature_chart(const Report& report) {
  constexpr std::size_t most = 24;
  constexpr double row = 22, whole = 1040, numbers = 72;
  std::vector<ReportFeature> features;
  for (const ReportFeature& feature : report.features)
    if (drawable(feature.weight) && feature.weight != 0) features.push_back(feature);
  std::stable_sort(features.begin(), features.end(), [](const ReportFeature& a, const ReportFeature& b) {
    return std::abs(a.weight) > std::abs(b.weight);
  });
  if (features.size() > most) features.resize(most);
  if (features.empty()) return {};
  double least = 0, greatest = 0, names = 120;
  for (ReportFeature& feature : features) {
    feature.name = shortened(valid_utf8(feature.name), 44);
    names = std::max(names, 24 + 7.2 * static_cast<double>(character_count(feature.name)));
    least = std::min(least, feature.weight);
    greatest = std::max(greatest, feature.weight);
  }
  const double below = 8 + row * static_cast<double>(features.size());
  Axis x = axis_over(least, greatest);
  // Room for the number beside the longest bar, on the sides where there are bars.
  x.from = names + (least < 0 ? numbers : 0);
  x.to = whole - (greatest > 0 ? numbers : 24);
  Svg svg("features", whole, below + 50, "The strongest features",
          fmt::format("The strongest is {} with {}.", features[0].name, readable(features[0].weight, 4)));
  const std::vector<double> ticks = x.ticks(8);
  for (const double tick : ticks) {
    svg.line(x.at(tick), 4, x.at(tick), below, tick == 0 ? "axis" : "grid");
    svg.text(x.at(tick), below + 18, x.label(tick, ticks), "tick", "middle");
  }
  svg.text((x.from + x.to) / 2, below + 40, report.feature_note.empty() ? "weight" : report.feature_note, "name",
           "middle");
  double y = 8;
  for (const ReportFeature& feature : features) {
    const double a = x.at(std::min(0.0, feature.weight));
    const double b = x.at(std::max(0.0, feature.weight));
    const bool positive = feature.weight > 0;
    svg.rectangle(a, y + 3, std::max(1.0, b - a), row - 7, positive ? "fill first" : "fill second", 1, 2);
    svg.text(names - 10, y + row / 2 + 4, feature.name, "label", "end");
    svg.text(positive ? b + 6 : a - 6, y + row / 2 + 4, readable(feature.weight, 4), "tick",
             positive ? "start" : "end");
    y += row;
  }
  return svg.str();
}

}  // namespace fm
