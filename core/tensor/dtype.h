// The element types of a tensor, and the one place where a run-time dtype becomes a C++ type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gradus {

/// What the numbers of a tensor are. float32 is the default everywhere.
enum class DType : std::uint8_t { float32, float64, int32, int64, boolean };

inline constexpr DType float32 = DType::float32;
inline constexpr DType float64 = DType::float64;
inline constexpr DType int32 = DType::int32;
inline constexpr DType int64 = DType::int64;
inline constexpr DType boolean = DType::boolean;

inline constexpr int dtype_count = 5;

/// NumPy's name: "float32", "float64", "int32", "int64" or "bool".
std::string_view to_string(DType dtype);

/// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  constexpr std::size_t sizes[dtype_count] = {4, 8, 4, 8, 1};
  return sizes[static_cast<int>(dtype)];
}

constexpr bool is_floating(DType dtype) { return dtype == float32 || dtype == float64; }
constexpr bool is_integer(DType dtype) { return dtype == int32 || dtype == int64; }

/// The dtype of the C++ type T; T is float, double, int32_t, int64_t or bool.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = float32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = float64;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = int32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = int64;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = boolean;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

/// A C++ type as a value, to hand to a generic lambda.
template <class T>
struct TypeTag {
  using type = T;
};

/// Calls f(TypeTag<T>{}) with the C++ type of `dtype`.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float64: return f(TypeTag<double>{});
    case DType::int32: return f(TypeTag<std::int32_t>{});
    case DType::int64: return f(TypeTag<std::int64_t>{});
    case DType::boolean: return f(TypeTag<bool>{});
    case DType::float32: break;
  }
  return f(TypeTag<float>{});
}

/// As dispatch, for the kernels that type rules admit only for float32 and float64.
template <class F>
decltype(auto) dispatch_floating(DType dtype, F&& f) {
  return dtype == float64 ? f(TypeTag<double>{}) : f(TypeTag<float>{});
}

/// As dispatch, for the kernels that type rules admit for all but bool.
template <class F>
decltype(auto) dispatch_number(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float64: return f(TypeTag<double>{});
    case DType::int32: return f(TypeTag<std::int32_t>{});
    case DType::int64: return f(TypeTag<std::int64_t>{});
    default: return f(TypeTag<float>{});
  }
}

}  // namespace gradus
