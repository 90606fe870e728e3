// Curves over the epochs, and the bars of features.
#include "report_charts.h"

#include <gradus/models/formats/page_text.h>
#include <gradus/models/formats/svg.h>
#include <gradus/models/formats/utf8.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
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

// One of the curves.
struct Curve {
  std::string name;
  std::vector<Point> points;
  std::string_view look;
};

bool lower(const Point& a, const Point& b) { return a.y < b.y; }

// The scale of some curves.
Axis scale_of(std::span<const Curve* const> curves) {
  std::vector<Point> all;
  bool logarithmic = true;
  for (const Curve* curve : curves) {
    all.insert(all.end(), curve->points.begin(), curve->points.end());
    logarithmic = logarithmic && wants_logarithm(curve->points);
  }
  const auto [least, greatest] = std::minmax_element(all.begin(), all.end(), lower);
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
  return y;
}

std::string scale_name(const Curve& curve, const Axis& y) {
  return y.logarithmic ? fmt::format("{} (logarithmic)", curve.name) : curve.name;
}

void draw(Svg& svg, const Curve& curve, const Axis& x, const Axis& y) {
  const std::vector<Point> drawn = thinned(curve.points, static_cast<std::size_t>(chart_width));
  std::string path;
  for (const Point& p : drawn)
    path += fmt::format("{}{} {}", path.empty() ? "M" : "L", pixels(x.at(p.x)), pixels(y.at(p.y)));
  if (drawn.size() > 1) svg.path(path, fmt::format("curve {}", curve.look));
  if (drawn.size() <= 40)
    for (const Point& p : drawn) svg.circle(x.at(p.x), y.at(p.y), 2.5, fmt::format("dot {}", curve.look));
}

// "validation mse" and "training mse" are one measure.
bool are_one_measure(std::string_view a, std::string_view b) {
  return a.substr(std::min(a.find(' '), a.size())) == b.substr(std::min(b.find(' '), b.size()));
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

std::string learning_chart(const Report& report) {
  const Curve train{report.loss_name, finite_points(report, &ReportEpoch::train_loss), "first"};
  const Curve valid{report.metric_name.empty() ? "validation" : report.metric_name,
                    finite_points(report, &ReportEpoch::valid_metric), "second"};
  std::vector<const Curve*> curves;
  for (const Curve* curve : {&train, &valid})
    if (!curve->points.empty()) curves.push_back(curve);
  if (curves.empty()) return {};
  const bool two_scales = curves.size() == 2 && !are_one_measure(train.name, valid.name);
  const Axis left = scale_of(two_scales ? std::span<const Curve* const>(curves).first(1) : curves);
  const Axis right = two_scales ? scale_of(std::span<const Curve* const>(curves).last(1)) : left;

  double first = curves.front()->points.front().x, last = curves.front()->points.back().x;
  for (const Curve* curve : curves) {
    first = std::min(first, curve->points.front().x);
    last = std::max(last, curve->points.back().x);
  }
  const double beside = first == last ? 1 : 0;
  Axis x = axis_over(first - beside, last + beside);
  x.from = chart_left;
  x.to = chart_width - (two_scales ? chart_left : chart_right);
  x.whole = true;

  const Curve& judged = *curves.back();  // which says what is best
  const auto kept = std::find_if(judged.points.begin(), judged.points.end(), [&](const Point& p) {
    return report.best_epoch && p.x == static_cast<double>(*report.best_epoch);
  });
  std::string description;
  for (const Curve* curve : curves)
    description += fmt::format("{} goes from {} in epoch {} to {} in epoch {}. ", curve->name,
                               readable(curve->points.front().y, 4), readable(curve->points.front().x),
                               readable(curve->points.back().y, 4), readable(curve->points.back().x));
  if (kept != judged.points.end())
    description += fmt::format("The best epoch is {}, with {}.", readable(kept->x), readable(kept->y, 4));
  Svg svg("learning", chart_width, chart_height, "Learning by epoch", description);
  svg.axes(x, left, "epoch", two_scales || curves.size() == 1 ? scale_name(*curves.front(), left) : "");
  if (two_scales) {
    const std::vector<double> ticks = right.ticks(6);
    for (const double tick : ticks) svg.text(x.to + 8, right.at(tick) + 4, right.label(tick, ticks), "tick");
    svg.text_upwards(chart_width - 8, (right.from + right.to) / 2, scale_name(valid, right), "name");
  }
  double at = x.from;
  for (const Curve* curve : curves) {
    const bool is_valid = curve == &valid;
    draw(svg, *curve, x, is_valid ? right : left);
    svg.circle(at + 5, chart_top - 16, 4, fmt::format("dot {}", curve->look));
    svg.text(at + 14, chart_top - 12, curve->name, "note");
    at += 34 + 6.6 * static_cast<double>(character_count(curve->name));
  }
  if (kept != judged.points.end()) {
    const Axis& y = &judged == &valid ? right : left;
    svg.line(x.at(kept->x), left.from, x.at(kept->x), left.to, "mark");
    svg.circle(x.at(kept->x), y.at(kept->y), 5, fmt::format("best {}", judged.look));
    svg.text(x.to, chart_top - 12, fmt::format("best: epoch {}, {}", readable(kept->x), readable(kept->y, 4)), "note",
             "end");
  }
  return svg.str();
}

std::string feature_chart(const Report& report) {
  constexpr std::size_t most = 24;
  constexpr double row = 22, whole = 640, numbers = 62;
  std::vector<ReportFeature> features;
  for (const ReportFeature& feature : report.features)
    if (drawable(feature.weight) && feature.weight != 0) features.push_back(feature);
  std::stable_sort(features.begin(), features.end(), [](const ReportFeature& a, const ReportFeature& b) {
    return std::abs(a.weight) > std::abs(b.weight);
  });
  if (features.size() > most) features.resize(most);
  if (features.empty()) return {};
  double least = 0, greatest = 0, names = 90;
  for (ReportFeature& feature : features) {
    feature.name = shortened(valid_utf8(feature.name), 32);
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
  const std::vector<double> ticks = x.ticks(5);
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
