#include <gradus/core/tensor/dtype.h>

namespace gradus {

std::string_view to_string(DType dtype) {
  constexpr std::string_view names[dtype_count] = {"float32", "float64", "int32", "int64", "bool"};
  return names[static_cast<int>(dtype)];
}

}  // namespace gradus
