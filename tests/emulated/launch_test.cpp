// Every op's kernels for accelerators, as text, on the emulated one.
#include "../emulator/emulated_accelerator.h"
#include "../launch_checks.h"
#include "../thorough.h"

#include <doctest/doctest.h>

#include <array>

using namespace gradus;

TEST_CASE("launch: each op launches what it computes on the CPU") {
  const std::array few{float32};
  const std::span<const DType> dtypes = thorough() ? std::span<const DType>(all_dtypes) : few;
  const int cases =
      check_launches(emulated_device(), dtypes, [](const std::string& complaint) { FAIL_CHECK(complaint); });
  CHECK(cases > (thorough() ? 3000 : 700));
}
