// Pictures as SVG text: shapes by their corners, looks by class names that the page's style sheet knows, and axes with
// round ticks. Coordinates are pixels from the top left.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// Where a number lies on a line of pixels.
struct Axis {
  double low = 0;
  double high = 1;
  double from = 0;  // the pixel of low
  double to = 1;    // the pixel of high
  bool logarithmic = false;
  bool whole = false;  // only whole numbers are marked

  double at(double value) const;
  /// Round numbers inside, about `most` of them: steps of 1, 2 or 5 times a power of ten; of a logarithmic axis over
  /// more than two decades, the powers of ten.
  std::vector<double> ticks(int most) const;
  /// A tick's text, all ticks with the same number of decimals.
  std::string label(double tick, const std::vector<double>& ticks) const;
};

/// An axis over [low, high]; ends that are hardly apart are moved apart.
Axis axis_over(double low, double high);

class Svg {
 public:
  /// `id` tells this picture from others of the page; title and description are for those who cannot see it.
  Svg(std::string_view id, double width, double height, std::string_view title, std::string_view description);

  void line(double x1, double y1, double x2, double y2, std::string_view look);
  void rectangle(double x, double y, double width, double height, std::string_view look, double opacity = 1,
                 double radius = 0);
  void circle(double x, double y, double radius, std::string_view look);
  /// Path data of SVG: "M 1 2 L 3 4".
  void path(std::string_view data, std::string_view look);
  /// Plain text, which is escaped here. anchor: start, middle or end.
  void text(double x, double y, std::string_view words, std::string_view look, std::string_view anchor = "start");
  void text_upwards(double x, double y, std::string_view words, std::string_view look);

  /// Grid, ticks and the names of both axes; x runs along the bottom of y.
  void axes(const Axis& x, const Axis& y, std::string_view x_name, std::string_view y_name);

  /// The whole picture.
  std::string str() const { return text_ + "</svg>\n"; }

 private:
  std::string text_;
};

/// A coordinate: at most two decimals.
std::string pixels(double value);

/// Whether a number is finite, and small enough that sums and differences of two such are too.
bool drawable(double value);

}  // namespace gradus
