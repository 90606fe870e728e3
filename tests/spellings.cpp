#include "spellings.h"

#include <fmt/format.h>

#include <random>
#include <sstream>

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
  std::istringstream text(Session(step.g).explain(step.train, step.feeds));
  PlanBytes bytes;
  std::string word;
  text >> word >> word >> bytes.arena;  // "12 steps, 4096 bytes of ..."
  for (std::string line; std::getline(text, line);) {
    if (line.find("  grows  ") == std::string::npos) continue;
    // "... rows [200000, 16]  loop  grows  (...)": what follows the first dimension
    const std::size_t shape = line.rfind('[', line.find("  grows  "));
    std::istringstream dims(line.substr(shape + 1));
    std::int64_t columns = 1, dim = 0;
    dims >> dim;
    while (dims.get() == ',' && dims >> dim) columns *= dim;
    const bool is_csr = line.rfind("csr ", shape) != std::string::npos && line.rfind("csr ", shape) + 4 == shape;
    bytes.row_columns += is_csr ? 1 : columns;
  }
  return bytes;
}

}  // namespace gradus
