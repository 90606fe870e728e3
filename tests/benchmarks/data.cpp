#include "data.h"

#include <gradus/models/data/read.h>
#include <gradus/models/data/synthetic.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <utility>

namespace bench {

using namespace gradus;

namespace {

std::size_t as_size(std::int64_t i) { return static_cast<std::size_t>(i); }

DataSet read_movielens() {
  const char* const folder = std::getenv("GRADUS_DATA");
  const std::string path = std::string(folder != nullptr ? folder : "../shared/data") + "/ml-100k";
  DataSet out;
  Rows rows;
  if (std::filesystem::exists(path + "/ua.base")) {
    rows = read_rows(path + "/ua.base");
    out.origin = "MovieLens-100k";
  } else {
    rows = synthetic_ratings().train;
    out.origin = "synthetic ratings, no " + path;
  }
  out.features = rows.x.dim(1);
  out.x.row_start = rows.x.pattern()->row_start;
  const std::span<const Index> column = rows.x.pattern()->column;
  out.x.column.assign(column.begin(), column.end());
  const std::span<const float> values = rows.x.span<float>();
  out.x.value.assign(values.begin(), values.end());
  out.y = vector_of(rows.y);
  return out;
}

}  // namespace

const DataSet& movielens() {
  static const DataSet all = read_movielens();
  return all;
}

DataSet shuffled(const DataSet& data) {
  std::vector<std::int64_t> order(data.y.size());
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(1));
  DataSet out{data.features, {}, {}, data.origin};
  for (const std::int64_t r : order) {
    for (auto i = as_size(data.x.row_start[as_size(r)]); i < as_size(data.x.row_start[as_size(r + 1)]); ++i) {
      out.x.column.push_back(data.x.column[i]);
      out.x.value.push_back(data.x.value[i]);
    }
    out.x.row_start.push_back(std::ssize(out.x.column));
    out.y.push_back(data.y[as_size(r)]);
  }
  return out;
}

namespace {
constexpr double exponent = 1.05;
}

ZipfLaw::ZipfLaw(std::int64_t ranks)
    : ranks_(ranks), span_(std::pow(static_cast<double>(ranks + 1), 1 - exponent) - 1) {}

std::int64_t ZipfLaw::operator()(std::mt19937_64& random) const {
  // The inverse of the distribution function from 1 to ranks + 1.
  const double uniform = std::uniform_real_distribution<double>()(random);
  const double rank = std::pow(1 + span_ * uniform, 1 / (1 - exponent)) - 1;
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(rank), 0, ranks_ - 1);
}

std::int64_t scattered(std::int64_t rank, std::int64_t places) {
  constexpr std::int64_t stride = 2147483647;  // a prime: ranks stay apart
  return rank * stride % places;
}

DataSet zipf(const ZipfOptions& options) {
  const std::int64_t field = options.features / options.fields;
  const ZipfLaw law(std::min(options.used, options.features) / options.fields);
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;

  DataSet out;
  out.features = options.features;
  out.origin = "synthetic";
  for (std::int64_t r = 0; r < options.rows; ++r) {
    for (std::int64_t f = 0; f < options.fields; ++f)
      out.x.column.push_back(static_cast<std::int32_t>(f * field + scattered(law(random), field)));
    out.x.row_start.push_back(std::ssize(out.x.column));
    const double y = normal(random);
    out.y.push_back(static_cast<float>(!options.binary ? y : y > 0.7 ? 1 : -1));  // about a quarter are 1
  }
  out.x.value.assign(out.x.column.size(), 1.0F);
  return out;
}

Tensor x_rows(const DataSet& data, std::int64_t first, std::int64_t count) {
  const auto begin = data.x.row_start.begin() + first;
  const std::int64_t from = *begin;
  const auto size = as_size(*(begin + count) - from);
  auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = count;
  pattern->columns = data.features;
  pattern->row_start.assign(begin, begin + count + 1);
  for (std::int64_t& start : pattern->row_start) start -= from;
  const auto column = std::span(data.x.column).subspan(as_size(from), size);
  pattern->set_column({column.begin(), column.end()});
  const Tensor values = Tensor::from(std::span(data.x.value).subspan(as_size(from), size), {std::ssize(column)});
  return Tensor::csr(std::move(pattern), values);
}

Tensor y_rows(const DataSet& data, std::int64_t first, std::int64_t count) {
  return Tensor::from(std::span(data.y).subspan(as_size(first), as_size(count)), {count, 1});
}

Rows tensors_of(const DataSet& data) { return {x_rows(data, 0, data.rows()), y_rows(data, 0, data.rows()), {}}; }

std::vector<float> vector_of(const Tensor& dense) { return {dense.span<float>().begin(), dense.span<float>().end()}; }

}  // namespace bench
