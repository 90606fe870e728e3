#include <gradus/core/create.h>

#include <gradus/core/error.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace gradus {

namespace {

// Element i is value(i), a double that fits the dtype.
template <class Value>
Tensor generate(std::int64_t count, DType dtype, Value&& value) {
  return dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return Tensor::make<T>({count}, [&](std::span<T> out) {
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(value(static_cast<std::int64_t>(i)));
    });
  });
}

}  // namespace

Tensor zeros(const Shape& shape, DType dtype) {
  Tensor out = Tensor::uninitialized({dtype, shape, Layout::dense});
  // All zero bits are zero in every dtype.
  if (out.size() > 0) std::memset(out.writable_data(), 0, static_cast<std::size_t>(out.size()) * size_of(dtype));
  return out;
}

Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }

Tensor full(const Shape& shape, double value, DType dtype) {
  const Tensor scalar(value, dtype);  // checks that the value fits
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

Tensor arange(double start, double stop, double step, DType dtype) {
  if (dtype == boolean) fail<TypeError>("arange: dtype is bool; it must be a number's");
  if (!std::isfinite(start) || !std::isfinite(stop) || !std::isfinite(step) || step == 0)
    fail<ValueError>("arange: start is {}, stop {}, step {}; all must be finite and step not 0", start, stop, step);
  const double count = std::max(0.0, std::ceil((stop - start) / step));
  if (!(count < 0x1p60))
    fail<ValueError>("arange: from {} to {} by {} are {} numbers; too many", start, stop, step, count);
  // All numbers fit the dtype when these do: start and step are whole for integers, and none lies beyond the ends.
  for (const double number : {start, step, count > 0 ? start + (count - 1) * step : start}) Tensor(number, dtype);
  return generate(static_cast<std::int64_t>(count), dtype,
                  [&](std::int64_t i) { return start + static_cast<double>(i) * step; });
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
