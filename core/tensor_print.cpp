#include <gradus/core/tensor.h>

#include <fmt/format.h>

#include <ostream>

namespace gradus {

std::string to_string(const Tensor& tensor) { return to_string(tensor.type()); }

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << to_string(tensor); }

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }

template <class T>
auto StringFormatter<T>::format(const T& value, fmt::format_context& context) const -> fmt::format_context::iterator {
  return fmt::formatter<fmt::string_view>::format(to_string(value), context);
}

template struct StringFormatter<Tensor>;
template struct StringFormatter<Shape>;
template struct StringFormatter<Type>;
template struct StringFormatter<DType>;

}  // namespace gradus
