#include <gradus/models/data/column_scale.h>

#include <gradus/core/error.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace gradus {

namespace {

void check_matrix(std::string_view where, const Tensor& x, std::int64_t columns) {
  if (x.rank() != 2 || x.dim(1) != columns || (x.layout() != Layout::csr && x.layout() != Layout::dense) ||
      !is_floating(x.dtype()))
    fail<TypeError>("{}: x is {}; a csr or dense matrix of numbers with {} columns is expected", where, x.type(),
                    columns);
}

// Calls visit(stored element, its column) for each.
template <class Visit>
void for_each_column(const Tensor& x, const Visit& visit) {
  const std::int64_t columns = x.dim(1);
  if (x.layout() == Layout::csr) {
    const std::span<const Index> column = x.pattern()->column;
    for (std::size_t j = 0; j < column.size(); ++j) visit(j, static_cast<std::size_t>(column[j]));
    return;
  }
  for (std::int64_t j = 0; j < x.stored(); ++j)
    visit(static_cast<std::size_t>(j), static_cast<std::size_t>(j % columns));
}

}  // namespace

ColumnScale::ColumnScale(std::int64_t columns) {
  if (columns < 0) fail<ValueError>("ColumnScale: {} columns are given; 0 or more are expected", columns);
  greatest_.resize(static_cast<std::size_t>(columns));
  squares_.resize(greatest_.size());
  non_zeros_.resize(greatest_.size());
}

void ColumnScale::add(const Tensor& x) {
  check_matrix("ColumnScale", x, static_cast<std::int64_t>(greatest_.size()));
  rows_ += x.dim(0);
  dispatch_floating(x.dtype(), [&]<class T>(TypeTag<T>) {
    const std::span<const T> numbers = x.span<T>();
    for_each_column(x, [&](std::size_t j, std::size_t column) {
      const auto size = static_cast<double>(std::abs(numbers[j]));
      if (!std::isfinite(size))
        fail<ValueError>("ColumnScale: column {} has {}; a finite number is expected", column, numbers[j]);
      greatest_[column] = std::max(greatest_[column], size);
      squares_[column] += size * size;
      if (size > 0) ++non_zeros_[column];
    });
  });
}

Tensor ColumnScale::tensor(DType dtype) const {
  std::vector<double> scale = greatest_;
  std::replace(scale.begin(), scale.end(), 0.0, 1.0);
  return Tensor::from(scale).cast(dtype);
}

Tensor ColumnScale::usual(DType dtype) const {
  std::vector<double> scale(greatest_.size(), 1);
  for (std::size_t i = 0; i < scale.size(); ++i) {
    if (greatest_[i] == 0 || (greatest_[i] <= 1 && 2 * non_zeros_[i] < rows_)) continue;
    const double rms = std::sqrt(squares_[i] / static_cast<double>(non_zeros_[i]));
    scale[i] = std::max(rms, greatest_[i] / 10);
  }
  const bool any = std::any_of(scale.begin(), scale.end(), [](double s) { return s != 1; });
  return any ? Tensor::from(scale).cast(dtype) : Tensor();
}

Tensor divide_columns(const Tensor& x, const Tensor& scale) {
  if (scale.rank() != 1 || scale.layout() != Layout::dense)
    fail<TypeError>("divide_columns: scale is {}; a vector is expected, a number for each column", scale.type());
  check_matrix("divide_columns", x, scale.dim(0));
  if (x.dtype() != scale.dtype())
    fail<TypeError>("divide_columns: x is {} but scale is {}; cast one of them", x.type(), scale.type());
  Tensor quotients;
  dispatch_floating(x.dtype(), [&]<class T>(TypeTag<T>) {
    const std::span<const T> by = scale.span<T>();
    for (std::size_t c = 0; c < by.size(); ++c)
      if (!std::isfinite(by[c]) || by[c] <= 0)
        fail<ValueError>("divide_columns: the scale of column {} is {}; a finite number above 0 is expected", c, by[c]);
    const std::span<const T> from = x.span<T>();
    quotients = Tensor::make<T>({x.stored()}, [&](std::span<T> to) {
      for_each_column(x, [&](std::size_t j, std::size_t column) { to[j] = from[j] / by[column]; });
    });
  });
  return x.layout() == Layout::csr ? Tensor::csr(x.pattern(), quotients) : quotients.reshape(x.shape());
}

}  // namespace gradus
