// Every op's kernels for accelerators, as text, on the emulated one.
#include "emulator/emulated_accelerator.h"
#include "launch_checks.h"

#include <doctest/doctest.h>

using namespace gradus;

TEST_CASE("launch: each op launches what it computes on the CPU") {
  const int cases = check_launches(emulated_device(), [](const std::string& complaint) { FAIL_CHECK(complaint); });
  CHECK(cases > 3000);
}
