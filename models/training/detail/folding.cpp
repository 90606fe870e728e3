#include <gradus/models/training/detail/folding.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

namespace gradus {

namespace {

double inner(std::span<const float> a, std::span<const float> b) {
  return std::transform_reduce(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(),
                               [](float x, float y) { return static_cast<double>(x) * static_cast<double>(y); });
}

// Some rows of a parameter, to be changed.
Tensor first_rows(const Tensor& of_features, std::int64_t rows) {
  return Tensor::make<float>(of_features.shape().with(0, rows), [&](std::span<float> out) {
    std::copy_n(of_features.span<float>().begin(), out.size(), out.begin());
  });
}

// A row of a matrix or a vector, and of its columns those of one class.
template <class Numbers>
auto row_of(Numbers all, std::int64_t row, std::size_t width, std::size_t classes, std::size_t of) {
  return all.subspan(static_cast<std::size_t>(row) * width + of * (width / classes), width / classes);
}

}  // namespace

// What the lines add to the parameters of their categories.
struct Folding::Lines {
  Lines(const Tensor& B, const Parameters& parameters, std::int64_t of_classes)
      : pattern(*B.pattern()),
        b(B.span<float>()),
        W(parameters.at("W")),
        V(parameters.contains("V") ? parameters.at("V") : Tensor()),
        classes(static_cast<std::size_t>(of_classes)),
        width(V.rank() == 2 ? static_cast<std::size_t>(V.dim(1)) : 0),
        v(width / classes) {}

  // Calls take(i, class, w' - w, v') for each category with a line.
  template <class Take>
  void for_each(const Take& take) {
    const std::span<const float> of_W = W.span<float>(), of_V = V.span<float>();
    const auto own_v = [&](std::int64_t i, std::size_t c) { return row_of(of_V, i, width, classes, c); };
    for (std::size_t c = 0; c < classes; ++c) {
      std::vector<double> length;  // squared, of each v_j
      for (std::int64_t j = pattern.rows; j < pattern.rows + pattern.columns; ++j)
        length.push_back(inner(own_v(j, c), own_v(j, c)));
      for (std::int64_t i = 0; i < pattern.rows; ++i) {
        const auto first = static_cast<std::size_t>(pattern.row_start[static_cast<std::size_t>(i)]);
        const auto last = static_cast<std::size_t>(pattern.row_start[static_cast<std::size_t>(i) + 1]);
        if (first == last) continue;
        std::copy(own_v(i, c).begin(), own_v(i, c).end(), v.begin());
        double w = 0, squares = inner(v, v);
        for (std::size_t at = first; at < last; ++at) {
          const auto j = static_cast<std::size_t>(pattern.column[at]);
          const double x = static_cast<double>(b[at]);
          w += x * static_cast<double>(of_W[(static_cast<std::size_t>(pattern.rows) + j) * classes + c]);
          squares += x * x * length[j];
          const float* const of_j = own_v(pattern.rows + pattern.column[at], c).data();
          for (std::size_t f = 0; f < v.size(); ++f) v[f] += b[at] * of_j[f];
        }
        take(i, c, w + (inner(v, v) - squares) / 2, std::span<const float>(v));
      }
    }
  }

  const CsrPattern& pattern;
  std::span<const float> b;
  Tensor W, V;
  std::size_t classes, width;
  std::vector<float> v;
};

Parameters Folding::folded(Parameters parameters) const {
  Lines lines(B_, parameters, classes_);
  Tensor W = first_rows(lines.W, lines.pattern.rows);                               // [c] or [c, classes]
  Tensor V = lines.width > 0 ? first_rows(lines.V, lines.pattern.rows) : Tensor();  // [c, classes k]
  lines.for_each([&](std::int64_t i, std::size_t c, double w, std::span<const float> v) {
    row_of(W.writable<float>(), i, lines.classes, lines.classes, c)[0] += static_cast<float>(w);
    std::copy(v.begin(), v.end(), row_of(V.writable<float>(), i, lines.width, lines.classes, c).begin());
  });
  parameters.insert_or_assign("W", W);
  if (lines.width > 0) parameters.insert_or_assign("V", V);
  return parameters;
}

Parameters Folding::with_weights(Parameters parameters, double times) const {
  Lines lines(B_, parameters, classes_);
  Tensor W = first_rows(lines.W, lines.W.dim(0));  // [c + q] or [c + q, classes]
  lines.for_each([&](std::int64_t i, std::size_t c, double w, std::span<const float>) {
    row_of(W.writable<float>(), i, lines.classes, lines.classes, c)[0] += static_cast<float>(times * w);
  });
  parameters.insert_or_assign("W", W);
  return parameters;
}

}  // namespace gradus
