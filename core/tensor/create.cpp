#include <gradus/core/tensor/create.h>

#include <gradus/core/error.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gradus {

namespace {

constexpr std::uint64_t most_numbers = std::uint64_t{1} << 60U;

// Element i is value(i), a number that fits the dtype.
template <class Value>
Tensor generate(std::int64_t count, DType dtype, Value&& value) {
  return dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return Tensor::make<T>({count}, [&](std::span<T> out) {
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(value(static_cast<std::int64_t>(i)));
    });
  });
}

// The whole numbers from start up, or down, to stop without it, if start and step are numbers of the dtype.
Tensor whole_range(const Number& start, const Number& stop, const Number& step, DType dtype) {
  const auto first = Tensor::scalar(start, dtype).cast(int64).span<std::int64_t>()[0];
  const auto by = Tensor::scalar(step, dtype).cast(int64).span<std::int64_t>()[0];
  const Number whole_stop = stop.is_whole() ? stop : by > 0 ? std::ceil(stop.value()) : std::floor(stop.value());
  const auto end = Tensor::scalar(whole_stop, int64).span<std::int64_t>()[0];
  // Differences of two int64 fit 64 bits without a sign.
  const auto from = static_cast<std::uint64_t>(first), to = static_cast<std::uint64_t>(end);
  const auto stride = static_cast<std::uint64_t>(by);
  const std::uint64_t way = by > 0 ? (end > first ? to - from : 0) : (first > end ? from - to : 0);
  const std::uint64_t count = way == 0 ? 0 : (way - 1) / (by > 0 ? stride : 0 - stride) + 1;
  if (count >= most_numbers)
    fail<ValueError>("arange: from {} to {} by {} are {} numbers; too many", to_string(start), to_string(stop),
                     to_string(step), count);
  const auto value = [&](std::int64_t i) {
    return static_cast<std::int64_t>(from + static_cast<std::uint64_t>(i) * stride);
  };
  const auto numbers = static_cast<std::int64_t>(count);
  if (numbers > 0) (void)Tensor::scalar(value(numbers - 1), dtype);  // checks that it fits
  return generate(numbers, dtype, value);
}

}  // namespace

Tensor zeros(const Shape& shape, DType dtype) {
  Tensor out = Tensor::uninitialized({dtype, shape, Layout::dense});
  // All zero bits are zero in every dtype.
  if (out.size() > 0) std::memset(out.writable_data(), 0, static_cast<std::size_t>(out.size()) * size_of(dtype));
  return out;
}

Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }

Tensor full(const Shape& shape, const Number& value, DType dtype) {
  const Tensor scalar = Tensor::scalar(value, dtype);  // checks that the value fits
  return dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return Tensor::make<T>(shape, [&](std::span<T> out) { std::fill(out.begin(), out.end(), scalar.span<T>()[0]); });
  });
}

Tensor eye(std::int64_t n, DType dtype) {
  if (n < 0) fail<ValueError>("eye: n is {}; it must be at least 0", n);
  Tensor out = zeros({n, n}, dtype);
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<T> values = out.writable<T>();
    for (std::int64_t i = 0; i < n; ++i) values[static_cast<std::size_t>(i * (n + 1))] = T{1};
  });
  return out;
}

Tensor arange(const Number& start, const Number& stop, const Number& step, DType dtype) {
  if (dtype == boolean) fail<TypeError>("arange: dtype is bool; it must be a number's");
  const double first = start.value(), end = stop.value(), by = step.value();
  if (!std::isfinite(first) || !std::isfinite(end) || !std::isfinite(by) || by == 0)
    fail<ValueError>("arange: start is {}, stop {}, step {}; all must be finite and step not 0", to_string(start),
                     to_string(stop), to_string(step));
  if (is_integer(dtype)) return whole_range(start, stop, step, dtype);
  const double count = std::max(0.0, std::ceil((end - first) / by));
  if (!(count < static_cast<double>(most_numbers)))
    fail<ValueError>("arange: from {} to {} by {} are {} numbers; too many", to_string(start), to_string(stop),
                     to_string(step), count);
  // All numbers fit the dtype when these do: none lies beyond the ends.
  for (const double number : {first, by, count > 0 ? first + (count - 1) * by : first}) Tensor(number, dtype);
  return generate(static_cast<std::int64_t>(count), dtype,
                  [&](std::int64_t i) { return first + static_cast<double>(i) * by; });
}

Tensor linspace(double start, double stop, std::int64_t count, DType dtype) {
  if (dtype == boolean) fail<TypeError>("linspace: dtype is bool; it must be a number's");
  if (count < 0) fail<ValueError>("linspace: count is {}; it must be at least 0", count);
  if (!std::isfinite(start) || !std::isfinite(stop))
    fail<ValueError>("linspace: start is {} and stop is {}; both must be finite", start, stop);
  // Integers are rounded down, as NumPy does.
  const auto rounded = [&](double x) { return is_integer(dtype) ? std::floor(x) : x; };
  for (const double end : {start, stop}) Tensor(rounded(end), dtype);  // checks that the values fit
  const double step = count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0;
  return generate(count, dtype, [&](std::int64_t i) {
    return rounded(i > 0 && i == count - 1 ? stop : start + static_cast<double>(i) * step);
  });
}

}  // namespace gradus
