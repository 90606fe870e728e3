// What tests of sessions on the emulated device share.
#pragma once

#include "../emulator/emulated_accelerator.h"

#include <gradus/gradus.h>

#include <memory>
#include <string>

namespace gradus {

// An emulated device whose one stream a test can look at.
struct Watched {
  std::shared_ptr<EmulatedAccelerator> stream = std::make_shared<EmulatedAccelerator>();
  Device device = Device::other("emulated", [this] { return stream; });
};

// y = 2 x + b, and a step that adds the sum of x to b.
struct Small {
  Graph g;
  Expr x = g.placeholder("x", {4});
  Expr b = g.variable("b", zeros({}));
  Expr y = 2 * x + b;
  Expr step = assign_add(b, reduce_sum(x));
};

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace gradus
