#include <gradus/ops/axes.h>

#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace gradus {

std::string axes_of_rank(int rank) { return rank == 0 ? "no axes" : fmt::format("axes {} to {}", -rank, rank - 1); }

int resolve_axis(std::string_view op, int axis, int rank) {
  if (axis < -rank || axis >= rank)
    fail<TypeError>("{}: there is no axis {}; rank {} has {}", op, axis, rank, axes_of_rank(rank));
  return axis < 0 ? axis + rank : axis;
}

int resolve_axis(std::string_view op, int axis, const OpInputs& in, int i, std::string_view operand) {
  if (!in[i].shape.ranked())
    fail<TypeError>(
        "{}: {} is {}, whose rank is not known before a run, but is needed; declare its placeholder with one: {{any, "
        "any}}",
        op, operand, in.shape(i));
  const int rank = in[i].shape.rank();
  if (axis < -rank || axis >= rank)
    fail<TypeError>("{}: there is no axis {}; {} is {} with {}", op, axis, operand, in.shape(i), axes_of_rank(rank));
  return axis < 0 ? axis + rank : axis;
}

std::vector<int> Axes::resolve(std::string_view op, int rank) const {
  std::vector<int> axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (!given_) return axes;
  axes.clear();
  for (const int given : axes_) {
    const int axis = resolve_axis(op, given, rank);
    if (std::find(axes.begin(), axes.end(), axis) != axes.end())
      fail<TypeError>("{}: axis {} is named twice; rank {} has {}", op, given, rank, axes_of_rank(rank));
    axes.push_back(axis);
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

}  // namespace gradus
