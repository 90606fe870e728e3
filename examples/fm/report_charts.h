// The pictures of a report, each a whole <svg>; empty text where there is nothing to draw.
#pragma once

#include "report.h"

#include <string>

namespace fm {

/// The size of a chart with axes and the margins around its curves, in pixels.
inline constexpr double chart_width = 500, chart_height = 330;
inline constexpr double chart_left = 66, chart_right = 18, chart_top = 28, chart_bottom = 46;

/// The training loss and the validation metric over the epochs, with the best of them marked: on one scale where they
/// are the same measure ("training mse", "validation mse"), else each on its own, to the left and to the right.
std::string learning_chart(const Report& report);

/// Regression: targets over predictions (points, or how many fall where), and how far off the predictions are.
std::string fit_chart(const Report& report);
std::string residual_chart(const Report& report);

/// Binary tasks: how often the target was 1 among rows of like probability, with 95 % intervals (Wilson, "Probable
/// inference", JASA 1927); and how the probabilities of both classes spread.
std::string calibration_chart(const Report& report);
std::string probability_chart(const Report& report);

/// Bars of the strongest features.
std::string feature_chart(const Report& report);

/// The nodes that the prediction needs, in layers from the inputs down. Empty too where they are too many to read.
std::string graph_chart(const Report& report);

}  // namespace fm
