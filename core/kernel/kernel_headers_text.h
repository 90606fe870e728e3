// The text of vector_math.h and runs.h without their directives, for kernels that are compiled while a program runs.
// CMake writes the definition.
#pragma once

#include <string_view>

namespace gradus {

std::string_view kernel_headers_text();

}  // namespace gradus
