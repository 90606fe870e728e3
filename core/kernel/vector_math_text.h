// The text of vector_math.h without its directives, for kernels that are compiled while a program runs. CMake writes
// the definition.
#pragma once

#include <string_view>

namespace gradus {

std::string_view vector_math_text();

}  // namespace gradus
