#include <gradus/models/training/detail/related_features.h>

#include <gradus/core/disjoint_sets.h>
#include <gradus/core/error.h>

#include <algorithm>
#include <utility>

namespace gradus {

namespace {

constexpr std::int64_t lines_at_a_time = 16;

}  // namespace

RelatedFeatures::RelatedFeatures(const FeatureRows& rows, const Tensor& B) : rows_(rows), B_(B) {
  const CsrPattern& pattern = *B.pattern();
  const auto columns = static_cast<std::size_t>(pattern.rows), q = static_cast<std::size_t>(pattern.columns);
  const auto entries = [&](std::size_t column) {
    return pattern.column.subspan(static_cast<std::size_t>(pattern.row_start[column]),
                                  static_cast<std::size_t>(pattern.row_start[column + 1] - pattern.row_start[column]));
  };
  DisjointSets sets(columns + q);
  for (std::size_t i = 0; i < columns; ++i)
    for (const Index j : entries(i)) sets.unite(i, columns + static_cast<std::size_t>(j));
  std::vector<Index> part_of(columns + q, -1);  // of the set that is called so
  const auto part_at = [&](std::size_t i) -> Part& {
    Index& part = part_of[sets.of(i)];
    if (part < 0) {
      part = static_cast<Index>(parts_.size());
      parts_.emplace_back();
    }
    return parts_[static_cast<std::size_t>(part)];
  };
  std::vector<Index> line_of(columns, -1);  // in its part
  for (std::size_t i = 0; i < columns; ++i) {
    if (entries(i).empty()) continue;
    Part& part = part_at(i);
    line_of[i] = static_cast<Index>(part.lines.size());
    part.lines.emplace_back();
    const std::span<const Index> of_line = rows.rows(static_cast<std::int64_t>(i));
    part.row.insert(part.row.end(), of_line.begin(), of_line.end());
    part.row_start.push_back(std::ssize(part.row));
    const std::span<const float> x = rows.x(static_cast<std::int64_t>(i));
    if (std::any_of(x.begin(), x.end(), [](float each) { return each != 1; }))
      fail<ValueError>("Sampler: a row holds feature {}, a key of relations, as another number than 1", i);
  }
  // Feature by feature: the lines that have it.
  const CsrPattern::ByColumn& by = pattern.by_column();
  const std::vector<Index>& touched = pattern.active_columns()->row;
  std::vector<std::vector<Index>> features(parts_.size());
  for (std::size_t slot = 0; slot < touched.size(); ++slot) {
    const auto j = static_cast<std::size_t>(touched[slot]);
    const Index at = part_of[sets.of(columns + j)];
    features[static_cast<std::size_t>(at)].push_back(static_cast<Index>(j));
    Part& part = parts_[static_cast<std::size_t>(at)];
    for (auto k = static_cast<std::size_t>(by.start[slot]); k < static_cast<std::size_t>(by.start[slot + 1]); ++k) {
      part.line.push_back(line_of[static_cast<std::size_t>(by.row[k])]);
      part.b.push_back(B.span<float>()[static_cast<std::size_t>(by.position[k])]);
    }
    part.start.push_back(std::ssize(part.line));
  }
  // What no line has, has its prior alone.
  Part none;
  std::vector<Index> of_none;
  for (std::size_t j = 0, slot = 0; j < q; ++j) {
    if (slot < touched.size() && static_cast<std::size_t>(touched[slot]) == j) {
      ++slot;
      continue;
    }
    of_none.push_back(static_cast<Index>(j));
    none.start.push_back(0);
  }
  parts_.push_back(std::move(none));
  features.push_back(std::move(of_none));
  std::vector<Index> seen(static_cast<std::size_t>(rows.x().dim(0)), -1);  // in which part last
  std::size_t most = 0;
  for (std::size_t at = 0; at < parts_.size(); ++at) {
    Part& part = parts_[at];
    part.first = std::ssize(order_);
    order_.insert(order_.end(), features[at].begin(), features[at].end());
    most = std::max(most, part.row.size());
    for (const Index n : part.row)
      if (std::exchange(seen[static_cast<std::size_t>(n)], static_cast<Index>(at)) == static_cast<Index>(at))
        fail<ValueError>("Sampler: row {} has two lines of relations that have a feature in common", n);
  }
  e_here_.resize(most);
}

std::vector<double> RelatedFeatures::weights() const {
  std::vector<double> out(static_cast<std::size_t>(count()));
  const CsrPattern& pattern = *B_.pattern();
  const std::span<const float> root = rows_.root_weight(), b = B_.span<float>();
  for (std::int64_t i = 0; i < pattern.rows; ++i) {
    double weight = 0;
    for (const Index n : rows_.rows(i)) {
      const double g = root.empty() ? 1 : static_cast<double>(root[static_cast<std::size_t>(n)]);
      weight += g * g;
    }
    for (auto at = static_cast<std::size_t>(pattern.row_start[static_cast<std::size_t>(i)]);
         at < static_cast<std::size_t>(pattern.row_start[static_cast<std::size_t>(i) + 1]); ++at)
      out[static_cast<std::size_t>(pattern.column[at])] +=
          weight * static_cast<double>(b[at]) * static_cast<double>(b[at]);
  }
  return out;
}

void RelatedFeatures::visit(ParameterTable& table, std::span<float> e, std::span<float> q,
                            const Conditionals& conditionals, Workers& workers) {
  for (Part& part : parts_) visit(part, table, e, q, conditionals, workers);
}

void RelatedFeatures::visit(Part& part, ParameterTable& table, std::span<float> e, std::span<float> q,
                            const Conditionals& conditionals, Workers& workers) {
  const std::int64_t factors = table.columns - 1, lines = std::ssize(part.lines);
  const std::span<const float> root = rows_.root_weight();
  const LineRows rows{.lines = part.lines.data(),
                      .start = part.row_start.data(),
                      .row = part.row.data(),
                      .root_weight = root.empty() ? nullptr : root.data(),
                      .e = e.data(),
                      .e_here = e_here_.data(),
                      .q = q.data(),
                      .stride = table.stride - 1};
  const auto over_lines = [&](const auto& some) { workers.for_each(lines, lines_at_a_time, some); };
  const auto count = static_cast<std::size_t>(part.features());
  std::vector<float> t(4 * count), mu(4 * count), lambda(4 * count), z(4 * count);
  // Parameters `first` to first + width of all features, of which `there` are there.
  const auto move = [&](std::int64_t first, std::int64_t width, std::int64_t there, void (*loop)(const MoveOfLines&)) {
    for (const auto& each : {&t, &mu, &lambda, &z}) std::fill(each->begin(), each->end(), 0.0F);
    for (std::int64_t i = 0; i < part.features(); ++i) {
      const auto at = static_cast<std::size_t>(width * i);
      const float* const from = table.row(rows_.features() + order_[static_cast<std::size_t>(part.first + i)]) + first;
      std::copy_n(from, there, &t[at]);
      conditionals.read(part.first + i, first, there, &mu[at], &lambda[at], &z[at]);
    }
    loop({.lines = part.lines.data(),
          .features = part.features(),
          .start = part.start.data(),
          .line = part.line.data(),
          .b = part.b.data(),
          .alpha = conditionals.alpha,
          .t = t.data(),
          .mu = mu.data(),
          .lambda = lambda.data(),
          .z = z.data()});
    for (std::int64_t i = 0; i < part.features(); ++i)
      std::copy_n(&t[static_cast<std::size_t>(width * i)], there,
                  table.row(rows_.features() + order_[static_cast<std::size_t>(part.first + i)]) + first);
  };
  over_lines([&](std::int64_t first, std::int64_t last) { begin_lines(rows, first, last); });
  move(0, 1, 1, move_weights_of_lines);
  std::int64_t before = -1;  // the factors that were moved last
  for (std::int64_t f = 0; f < factors; f += 4) {
    over_lines([&](std::int64_t first, std::int64_t last) { go_on_with_lines(rows, first, last, before, f); });
    move(1 + f, 4, std::min<std::int64_t>(4, factors - f), move_factors_of_lines);
    before = f;
  }
  over_lines([&](std::int64_t first, std::int64_t last) { end_lines(rows, first, last, before); });
}

}  // namespace gradus
