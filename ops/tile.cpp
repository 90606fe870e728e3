// tile: x repeated along each axis. y[m * n + i] = x[i] for each copy m of an axis of size n.
#include <gradus/core/error.h>
#include <gradus/core/op.h>
#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

namespace gradus {

namespace {

using Counts = std::vector<std::int64_t>;

// A tensor of shape x beside its tiles: each axis of the tiles is two, which copy and where in it; all copies lie
// at the same place of x.
struct Tiling {
  Box box;
  Tiling(const Shape& x, const Shape& tiles, const Counts& multiples, bool tiles_first) {
    const auto whole = row_major_strides(tiles);
    const auto single = row_major_strides(x);
    for (int i = 0; i < x.rank(); ++i) {
      const auto axis = static_cast<std::size_t>(i);
      if (tiles_first) {
        box.add(multiples[axis], whole[axis] * x[i], 0);
        box.add(x[i], whole[axis], single[axis]);
      } else {
        box.add(multiples[axis], 0, whole[axis] * x[i]);
        box.add(x[i], single[axis], whole[axis]);
      }
    }
  }
};

Expr sum_tiles(const Expr& dy, const Expr& x, const Counts& multiples);

class Tile : public Op {
 public:
  explicit Tile(Counts multiples) : multiples_(std::move(multiples)) {}

  std::string_view name() const override { return "tile"; }
  std::string attributes() const override { return fmt::format("multiples=[{}]", fmt::join(multiples_, ", ")); }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    const Shape& x = in[0].shape;
    if (multiples_.size() != static_cast<std::size_t>(x.rank()))
      fail<TypeError>("tile: multiples [{}] name {} axes; x is {} with {}", fmt::join(multiples_, ", "),
                      multiples_.size(), in.shape(0), x.rank());
    Counts dims;
    for (int i = 0; i < x.rank(); ++i) {
      const std::int64_t multiple = multiples_[static_cast<std::size_t>(i)];
      std::int64_t dim = 0;
      if (multiple < 0 || __builtin_mul_overflow(x[i], multiple, &dim))
        fail<TypeError>("tile: x is {}; multiple {} of axis {} is not a count that fits", in.shape(0), multiple, i);
      dims.push_back(x[i] == any ? any : dim);
    }
    return {in[0].dtype, Shape(dims), Layout::dense};
  }

  // dx[i] = sum over the copies m of dy[m * n + i].
  Expr gradient(const Expr& y, const Expr& dy, int) const override { return sum_tiles(dy, y.input(0), multiples_); }

  void compute(Call& call) const override {
    const Tiling tiling(call.in(0).shape(), call.out().shape(), multiples_, false);
    copy_box(call.workers(), tiling.box, call.in(0).data, call.out().data, size_of(call.out().type.dtype));
  }

 private:
  Counts multiples_;
};

// The sum of all tiles of input 0, in the shape of input 1.
class SumTiles : public Op {
 public:
  explicit SumTiles(Counts multiples) : multiples_(std::move(multiples)) {}

  std::string_view name() const override { return "sum_tiles"; }
  std::string attributes() const override { return fmt::format("multiples=[{}]", fmt::join(multiples_, ", ")); }
  bool reads(int i) const override { return i == 0; }
  Type infer(const OpInputs& in) const override { return {in[0].dtype, in[1].shape, Layout::dense}; }

  // d dy[m * n + i] = the gradient of sum i, for each copy m.
  Expr gradient(const Expr&, const Expr& dy, int) const override { return tile(dy, multiples_); }
  std::string_view no_gradient(int i) const override { return i == 1 ? "only its shape is used" : ""; }

  void compute(Call& call) const override {
    sum_box(call, Tiling(call.out().shape(), call.in(0).shape(), multiples_, true).box);
  }

 private:
  Counts multiples_;
};

Expr sum_tiles(const Expr& dy, const Expr& x, const Counts& multiples) {
  return apply(std::make_shared<SumTiles>(multiples), {dy, x});
}

}  // namespace

Expr tile(const Operand& x, const std::vector<std::int64_t>& multiples) {
  return apply(std::make_shared<Tile>(multiples), {x});
}

}  // namespace gradus
