// The op table's driver: how a row is made with a golden case of its name and compared with the oracle's values and
// gradients, on any device.
#pragma once

#include "golden_file.h"
#include "op_cases.h"

#include <gradus/core/run/session.h>

#include <functional>
#include <string>
#include <vector>

namespace gradus {

// One way to run a golden case.
struct Mode {
  const char* name;
  bool narrow = false;            // floats as float32, int32 as int64
  bool known = true;              // whether placeholders are declared with their shapes
  Device device = Device::cpu();  // on another one sums have another order
  SessionOptions options = {};
};

/// The dtype that a mode makes of a golden file's.
DType dtype_in(const Mode& mode, DType dtype);

/// Told what is wrong.
using Complain = std::function<void(const std::string&)>;

/// A row's call in a graph of its own, fed with one golden case.
struct Built {
  Built(const OpCase& row, const GoldenCase& golden, const Mode& mode);

  Graph graph;
  Inputs inputs;
  std::vector<Expr> floating;  // the inputs that gradients are taken by
  std::vector<Feed> feeds;
  Expr y;
  std::vector<Expr> derivatives;
};

/// Types inferred are types computed; values and gradients are the oracle's.
void check_case(const OpCase& row, const GoldenCase& golden, const Mode& mode, const Complain& complain);

/// Calls check(row, golden case, complain) for all of the table; what is thrown is a complaint too. Each complaint is
/// told with its row, case and `what`.
void for_all_cases(const char* what,
                   const std::function<void(const OpCase&, const GoldenCase&, const Complain&)>& check,
                   const Complain& complain);

}  // namespace gradus
