# Finds what gradus is built from: installed packages first. With GRADUS_FETCH, fmt and what is header-only or used by
# tests and examples alone is downloaded where it is not installed, in the versions that Debian 12 has. What is missing
# in the end is said in one sentence.
set(gradus_missing)

# Looks for a package; downloads it if that is wished; else notes the name of its Debian package as missing.
macro(gradus_require package debian repository tag)
  find_package(${package} QUIET)
  if(NOT ${package}_FOUND)
    if(GRADUS_FETCH)
      message(STATUS "gradus: ${package} is not installed; downloading ${tag}")
      FetchContent_Declare(${package} GIT_REPOSITORY ${repository} GIT_TAG ${tag} GIT_SHALLOW ON SYSTEM)
      FetchContent_MakeAvailable(${package})
    else()
      list(APPEND gradus_missing ${debian})
    endif()
  endif()
endmacro()

if(GRADUS_FETCH)
  include(FetchContent)
  set(FMT_INSTALL ${GRADUS_INSTALL})  # what is installed needs fmt beside it
  set(BENCHMARK_ENABLE_TESTING OFF)
  set(BENCHMARK_ENABLE_INSTALL OFF)
  set(DOCTEST_WITH_TESTS OFF)
  set(DOCTEST_NO_INSTALL ON)
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)      # so that the lines above reach their options
  set(CMAKE_POLICY_VERSION_MINIMUM 3.5)  # these versions ask CMake 4 for less than it grants
endif()

gradus_require(fmt libfmt-dev https://github.com/fmtlib/fmt.git 9.1.0)
gradus_require(nlohmann_json nlohmann-json3-dev https://github.com/nlohmann/json.git v3.11.2)
if(GRADUS_EXAMPLES)
  gradus_require(CLI11 libcli11-dev https://github.com/CLIUtils/CLI11.git v2.1.2)
endif()
if(GRADUS_TESTS)
  gradus_require(doctest doctest-dev https://github.com/doctest/doctest.git v2.4.9)
  if(GRADUS_FETCH)
    gradus_require(benchmark libbenchmark-dev https://github.com/google/benchmark.git v1.7.1)
  else()
    find_package(benchmark QUIET)  # the benchmarks are left out without it
  endif()
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(openblas QUIET IMPORTED_TARGET openblas)
  pkg_check_modules(libzip QUIET IMPORTED_TARGET libzip)
  pkg_check_modules(zlib QUIET IMPORTED_TARGET zlib)
else()
  list(APPEND gradus_missing pkgconf)
endif()
if(NOT openblas_FOUND)
  list(APPEND gradus_missing libopenblas-dev)
endif()
if(NOT libzip_FOUND)
  list(APPEND gradus_missing libzip-dev)
endif()
if(NOT zlib_FOUND)
  list(APPEND gradus_missing zlib1g-dev)
endif()

# Of CUDA 13 only: what is not there in older ones, the backend does not do without.
set(gradus_has_cuda OFF)
if(NOT GRADUS_CUDA STREQUAL "OFF")
  find_package(CUDAToolkit 13.0 QUIET)
  if(CUDAToolkit_FOUND AND CUDA_nvrtc_LIBRARY AND TARGET CUDA::cublas AND TARGET CUDA::cusparse)
    set(gradus_has_cuda ON)
    message(STATUS "gradus: with CUDA ${CUDAToolkit_VERSION}")
  elseif(GRADUS_CUDA STREQUAL "ON")
    message(FATAL_ERROR "gradus: GRADUS_CUDA is ON, but there is no CUDA toolkit of version 13.0 or above with cuBLAS, "
      "cuSPARSE and NVRTC; name its folder by -DCUDAToolkit_ROOT, or leave it out with -DGRADUS_CUDA=OFF")
  else()
    message(STATUS "gradus: without CUDA, of which no toolkit of version 13.0 or above was found")
  endif()
endif()

if(gradus_missing)
  list(JOIN gradus_missing " " gradus_missing)
  message(FATAL_ERROR "gradus: not installed: ${gradus_missing} (Debian's names); install them with your system's "
    "package manager, or let -DGRADUS_FETCH=ON download all of them but OpenBLAS, libzip, zlib and pkgconf, which "
    "must come from the system.")
endif()
