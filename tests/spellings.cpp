#include "spellings.h"

#include <fmt/format.h>

#include <random>

namespace gradus {

namespace {

constexpr std::int64_t fields = 39;

// The column of each row in each field, low numbers more often than high ones.   [rows * fields]
std::vector<std::int32_t> columns_of(const SpellingSizes& sizes) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> uniform;
  const std::int64_t width = sizes.features / fields;
  std::vector<std::int32_t> column;
  for (std::int64_t row = 0; row < sizes.rows; ++row)
    for (std::int64_t field = 0; field < fields; ++field) {
      const double u = uniform(random);
      column.push_back(
          static_cast<std::int32_t>(field * width + static_cast<std::int64_t>(u * u * u * static_cast<double>(width))));
    }
  return column;
}

std::vector<std::int32_t> first_columns(const SpellingSizes& sizes) {
  const std::vector<std::int32_t> all = columns_of(sizes);
  std::vector<std::int32_t> first;
  for (std::size_t i = 0; i < all.size(); i += fields) first.push_back(all[i]);
  return first;
}

Tensor csr(const SpellingSizes& sizes, const std::vector<std::int32_t>& column, const std::vector<double>& values) {
  std::vector<std::int32_t> row_start;
  const std::int64_t in_row = std::ssize(column) / sizes.rows;
  for (std::int64_t row = 0; row <= sizes.rows; ++row) row_start.push_back(static_cast<std::int32_t>(row * in_row));
  return Tensor::csr(sizes.rows, sizes.features, row_start, column, values).cast(sizes.dtype);
}

}  // namespace

Expr SpelledStep::normal(std::string_view name, const Shape& shape, double stddev) {
  const Expr made = g.find(name);
  return made.valid() ? made
                      : g.variable(name, random_normal(shape, {.stddev = stddev, .seed = 1, .dtype = sizes.dtype}));
}

Expr SpelledStep::positive(std::string_view name) {
  const Expr made = g.find(name);
  const UniformOptions options{.low = 0.5, .high = 1.5, .seed = 1, .dtype = sizes.dtype};
  return made.valid() ? made : g.variable(name, random_uniform({sizes.rows, sizes.columns}, options));
}

Expr SpelledStep::fed(const Expr& placeholder, const Tensor& value) {
  feeds.emplace_back(placeholder, value);
  return placeholder;
}

Expr SpelledStep::data(std::string_view name, const Shape& shape) {
  const Expr made = g.find(name);
  return made.valid() ? made
                      : fed(g.placeholder(name, shape, sizes.dtype),
                            random_normal(shape, {.seed = stream_of(name), .dtype = sizes.dtype}));
}

Expr SpelledStep::batch() {
  if (const Expr made = g.find("X"); made.valid()) return made;
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> uniform(0.5, 1.5);
  std::vector<double> values(static_cast<std::size_t>(sizes.rows * fields));
  for (double& value : values) value = uniform(random);
  return fed(g.sparse_placeholder("X", {sizes.rows, sizes.features}, sizes.dtype),
             csr(sizes, columns_of(sizes), values));
}

Expr SpelledStep::first_feature() {
  const Expr made = g.find("first");
  return made.valid() ? made : fed(g.placeholder("first", {sizes.rows}, int32), Tensor::from(first_columns(sizes)));
}

Expr SpelledStep::first_feature_one_hot() {
  const Expr made = g.find("first");
  return made.valid()
             ? made
             : fed(g.sparse_placeholder("first", {sizes.rows, sizes.features}, sizes.dtype),
                   csr(sizes, first_columns(sizes), std::vector<double>(static_cast<std::size_t>(sizes.rows), 1)));
}

std::vector<Spelling> spellings() {
  std::vector<Spelling> all;
  for (const auto& section : {dense_spellings(), sparse_spellings(), optimizer_spellings()})
    all.insert(all.end(), section.begin(), section.end());
  return all;
}

PlanBytes plan_bytes(SpelledStep& step) {
  const PlanSteps plan = Session(step.g).steps(step.train, step.feeds);
  PlanBytes bytes;
  bytes.arena = plan.arena_bytes;
  for (const PlanStep& s : plan.list)
    if (s.place == StepPlace::grows)
      bytes.row_columns += s.type.layout == Layout::csr ? 1 : s.type.shape.slice(1, s.type.shape.rank()).size();
  return bytes;
}

}  // namespace gradus
