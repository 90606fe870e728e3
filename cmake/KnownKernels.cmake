# Kernels that are compiled with Gradus (core/kernel/known_kernels.h): a program that is all of the library but these
# writes their text. gradus_known_objects is what comes of it.
add_executable(make_known_kernels models/known/make_known_kernels.cpp
  $<TARGET_OBJECTS:gradus_hot> $<TARGET_OBJECTS:gradus_cold>)
target_include_directories(make_known_kernels PRIVATE ${gradus_include})
target_link_libraries(make_known_kernels PRIVATE ${gradus_libraries})
target_compile_options(make_known_kernels PRIVATE -O0)

set(gradus_known ${PROJECT_BINARY_DIR}/generated/known_kernels)
add_custom_command(OUTPUT ${gradus_known}.cpp ${gradus_known}_table.cpp
  COMMAND make_known_kernels ${gradus_known}.cpp ${gradus_known}_table.cpp
  DEPENDS make_known_kernels
  COMMENT "Writing the kernels that are compiled with Gradus" VERBATIM)
add_library(gradus_known OBJECT ${gradus_known}.cpp ${gradus_known}_table.cpp)
set_target_properties(gradus_known PROPERTIES POSITION_INDEPENDENT_CODE ON UNITY_BUILD OFF)
target_include_directories(gradus_known PRIVATE ${gradus_include})
target_link_libraries(gradus_known PRIVATE fmt::fmt)
# The flags of kernels that are compiled while a program runs (core/kernel/compiled_kernel.cpp).
set(gradus_known_flags -w -ffp-contract=off -fno-math-errno -fno-trapping-math
  $<$<CXX_COMPILER_ID:GNU>:-fno-tree-pre> $<$<CXX_COMPILER_ID:GNU>:-fno-thread-jumps>)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  list(APPEND gradus_known_flags -mavx2 -mfma -mprefer-vector-width=256)
endif()
# The emulated device's kernels, of the same texts, have that sanitizer, which makes these take four times as long to
# compile.
if(CMAKE_CXX_FLAGS MATCHES "sanitize=[a-z,]*undefined")
  list(APPEND gradus_known_flags -fno-sanitize=undefined)
endif()
set_source_files_properties(${gradus_known}.cpp PROPERTIES COMPILE_OPTIONS "${gradus_known_flags}")
set(gradus_known_objects $<TARGET_OBJECTS:gradus_known>)
