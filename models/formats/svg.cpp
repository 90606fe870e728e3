#include <gradus/models/formats/svg.h>

#include <gradus/models/formats/page_text.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gradus {

namespace {

// The least of 1, 2, 5, 10, 20 ... times a power of ten that cuts the length into at most so many pieces.
double round_step(double length, int most) {
  const double rough = length / most;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

}  // namespace

double Axis::at(double value) const {
  const double part =
      logarithmic ? (std::log(value) - std::log(low)) / (std::log(high) - std::log(low)) : (value - low) / (high - low);
  return from + part * (to - from);
}

std::vector<double> Axis::ticks(int most) const {
  std::vector<double> out;
  if (logarithmic) {
    const bool few = high / low <= 150;
    const int first = static_cast<int>(std::floor(std::log10(low)));
    const int last = static_cast<int>(std::ceil(std::log10(high)));
    const int step = few ? 1 : std::max(1, (last - first + most - 1) / most);
    for (int power = first; power <= last; power += step)
      for (const double factor : {1.0, 2.0, 5.0}) {
        const double tick = factor * std::pow(10, power);
        if ((few || factor == 1) && tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) out.push_back(tick);
      }
    return out;
  }
  double step = round_step(high - low, most);
  if (whole) step = std::max(1.0, step);
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i) out.push_back(i * step + 0.0);
  return out;
}

std::string Axis::label(double tick, const std::vector<double>& ticks) const {
  if (logarithmic) return readable(tick, 3);
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : std::abs(tick);
  const double largest = std::max(std::abs(low), std::abs(high));
  if (step == 0 || largest >= 1e9 || step < 1e-6) return readable(std::abs(tick) < step / 2 ? 0 : tick, 4);
  const int decimals = std::max(0, -static_cast<int>(std::floor(std::log10(step) + 1e-9)));
  const std::string text = fmt::format("{:.{}f}", std::abs(tick), decimals);
  const std::string whole_part = readable(std::floor(std::abs(tick) + step * 1e-6));
  const std::size_t point = text.find('.');
  const std::string digits =
      point == std::string::npos ? readable(std::abs(std::round(tick))) : whole_part + text.substr(point);
  return (tick < -step / 2 ? "\u2212" : "") + digits;
}

Axis axis_over(double low, double high) {
  // Ends that agree to nine digits are equal to the eye, and steps between them would be lost in rounding.
  const double size = std::max(std::abs(low), std::abs(high));
  const bool nothing = size < 1e-290;
  if (nothing || !(high - low > 1e-9 * size)) {
    const double apart = nothing ? 1 : size * 0.05;
    low -= apart;
    high += apart;
  }
  Axis axis;
  axis.low = low;
  axis.high = high;
  return axis;
}

std::string pixels(double value) {
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

bool drawable(double value) { return std::abs(value) <= 1e300; }

Svg::Svg(std::string_view id, double width, double height, std::string_view title, std::string_view description) {
  text_ = fmt::format(
      "<svg class=\"picture\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" "
      "aria-labelledby=\"{2}-t "
      "{2}-d\"><title id=\"{2}-t\">{3}</title><desc id=\"{2}-d\">{4}</desc>\n",
      pixels(width), pixels(height), id, escaped(title), escaped(description));
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view look) {
  text_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" class=\"{}\"/>\n", pixels(x1), pixels(y1),
                       pixels(x2), pixels(y2), look);
}

void Svg::rectangle(double x, double y, double width, double height, std::string_view look, double opacity,
                    double radius) {
  text_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" class=\"{}\"", pixels(x), pixels(y),
                       pixels(width), pixels(height), look);
  if (opacity != 1) text_ += fmt::format(" opacity=\"{}\"", pixels(opacity));
  if (radius != 0) text_ += fmt::format(" rx=\"{}\"", pixels(radius));
  text_ += "/>\n";
}

void Svg::circle(double x, double y, double radius, std::string_view look) {
  text_ +=
      fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" class=\"{}\"/>\n", pixels(x), pixels(y), pixels(radius), look);
}

void Svg::path(std::string_view data, std::string_view look) {
  text_ += fmt::format("<path d=\"{}\" class=\"{}\"/>\n", data, look);
}

void Svg::text(double x, double y, std::string_view words, std::string_view look, std::string_view anchor) {
  text_ += fmt::format("<text x=\"{}\" y=\"{}\" class=\"{}\" text-anchor=\"{}\">{}</text>\n", pixels(x), pixels(y),
                       look, anchor, escaped(words));
}

void Svg::text_upwards(double x, double y, std::string_view words, std::string_view look) {
  text_ +=
      fmt::format("<text transform=\"translate({} {}) rotate(-90)\" class=\"{}\" text-anchor=\"middle\">{}</text>\n",
                  pixels(x), pixels(y), look, escaped(words));
}

void Svg::axes(const Axis& x, const Axis& y, std::string_view x_name, std::string_view y_name) {
  const double bottom = y.from;
  const std::vector<double> y_ticks = y.ticks(static_cast<int>(std::abs(y.to - y.from) / 42) + 1);
  for (const double tick : y_ticks) {
    line(x.from, y.at(tick), x.to, y.at(tick), "grid");
    text(x.from - 8, y.at(tick) + 4, y.label(tick, y_ticks), "tick", "end");
  }
  const std::vector<double> x_ticks = x.ticks(static_cast<int>(std::abs(x.to - x.from) / 64) + 1);
  for (const double tick : x_ticks) {
    line(x.at(tick), bottom, x.at(tick), bottom + 4, "axis");
    text(x.at(tick), bottom + 18, x.label(tick, x_ticks), "tick", "middle");
  }
  line(x.from, bottom, x.to, bottom, "axis");
  text((x.from + x.to) / 2, bottom + 38, x_name, "name", "middle");
  text_upwards(14, (y.from + y.to) / 2, y_name, "name");
}

}  // namespace gradus
