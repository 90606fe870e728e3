// Axes as users write them, negative ones counted from the end, made into axes from 0. Every op that takes an
// axis comes through here, so that all of them refuse in the same words.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus {

class OpInputs;

/// Axes to reduce: one, several, or (by default) all.
class Axes {
 public:
  Axes() = default;
  Axes(int axis) : given_(true), axes_{axis} {}                         // NOLINT(google-explicit-constructor)
  Axes(std::initializer_list<int> axes) : given_(true), axes_(axes) {}  // NOLINT(google-explicit-constructor)
  explicit Axes(std::vector<int> axes) : given_(true), axes_(std::move(axes)) {}

  /// Ascending, from 0, each once. Throws TypeError, naming the op, for an axis out of range or named twice.
  std::vector<int> resolve(std::string_view op, int rank) const;
  /// Whether axes were named, so that `all` can mean something else: squeeze() takes those of size 1.
  bool given() const { return given_; }

 private:
  bool given_ = false;
  std::vector<int> axes_;
};

/// Whether reduced axes stay, with size 1: reduce_sum(x, 1, keep_dims).
enum class KeepDims : bool { no, yes };
inline constexpr KeepDims keep_dims = KeepDims::yes;

/// `axis` counted from 0. Throws TypeError, naming the op, where a tensor of that rank has no such axis.
int resolve_axis(std::string_view op, int axis, int rank);
/// The same for input i of a type rule, which the message shows under the name `operand`.
int resolve_axis(std::string_view op, int axis, const OpInputs& in, int i = 0, std::string_view operand = "x");

/// "axes -2 to 1", for messages; "no axes" for a scalar.
std::string axes_of_rank(int rank);

}  // namespace gradus
