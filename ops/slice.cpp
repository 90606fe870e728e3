// slice and pad: a box cut out of a tensor, and a tensor set into a larger one. Each is the other's gradient.
// Dimensions that only a run knows are met by counting from both ends: a slice leaves out `begin` elements in
// front and takes either a number of elements or all but `after` at the end.
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/listed.h>
#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/ranges.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

using Counts = std::vector<std::int64_t>;
using Paddings = std::vector<std::pair<std::int64_t, std::int64_t>>;

constexpr std::int64_t rest = -1;

// Copies `shape` elements between a tensor of that shape and a box, beginning at `begin`, in one of shape `whole`.
// On the CPU or an accelerator: Call or DeviceCall.
template <class AnyCall>
void copy_out(AnyCall& call, const Shape& shape, const Shape& whole, const Counts& begin) {
  Box box(shape, row_major_strides(whole), row_major_strides(shape));
  for (int i = 0; i < shape.rank(); ++i)
    box.from += begin[static_cast<std::size_t>(i)] * row_major_strides(whole)[static_cast<std::size_t>(i)];
  copy_box(call, box, call.in(0).data, call.out().data, size_of(call.out().type.dtype));
}

template <class AnyCall>
void copy_into(AnyCall& call, const Shape& shape, const Shape& whole, const Counts& begin) {
  Box box(shape, row_major_strides(shape), row_major_strides(whole));
  for (int i = 0; i < shape.rank(); ++i)
    box.to += begin[static_cast<std::size_t>(i)] * row_major_strides(whole)[static_cast<std::size_t>(i)];
  copy_box(call, box, call.in(0).data, call.out().data, size_of(call.out().type.dtype));
}

void fill_output(Call& call, const Number& value) {
  dispatch(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
    T* out = call.out<T>();
    call.workers().for_each(call.out().shape().size(), 65536, [&](std::int64_t first, std::int64_t last) {
      std::fill(out + first, out + last, value.as<T>());
    });
  });
}

void fill_output(DeviceCall& call, const Number& value) {
  fill(call, call.out().data, call.out().type.dtype, call.out().shape().size(), value);
}

Expr slice_between(const Operand& x, const Counts& begin, const Counts& size, const Counts& after);

class CutOut : public Op {
 public:
  CutOut(Counts begin, Counts size, Counts after)
      : begin_(std::move(begin)), size_(std::move(size)), after_(std::move(after)) {}

  std::string_view name() const override { return "slice"; }
  Attributes attributes() const override { return {{"begin", begin_}, {"size", size_}}; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    const Shape& x = in[0].shape;
    const auto rank = static_cast<std::size_t>(x.rank());
    if (begin_.size() != rank || size_.size() != rank)
      fail<TypeError>("slice: begin [{}] and size [{}] name {} and {} axes; x is {} with {}", listed(begin_),
                      listed(size_), begin_.size(), size_.size(), in.shape(0), rank);
    Counts dims;
    for (std::size_t i = 0; i < rank; ++i) {
      const std::int64_t dim = x[static_cast<int>(i)];
      // Without sums, which might overflow.
      const bool fits = begin_[i] >= 0 && size_[i] >= rest &&
                        (dim == any || (begin_[i] <= dim && std::max(size_[i], after_[i]) <= dim - begin_[i]));
      if (!fits)
        fail<TypeError>("slice: begin {} and size {} leave axis {}; x is {}", begin_[i], size_[i], i, in.shape(0));
      if (size_[i] != rest) {
        dims.push_back(size_[i]);
      } else {
        dims.push_back(dim == any ? any : dim - begin_[i] - after_[i]);
      }
    }
    return {in[0].dtype, Shape(dims), Layout::dense};
  }

  // dx[i] = dy[i - begin] inside the box, 0 around it.
  Expr gradient(const Expr& y, const Expr& dy, int) const override {
    const Expr x = y.input(0);
    Paddings paddings;
    for (std::size_t i = 0; i < begin_.size(); ++i) {
      const std::int64_t dim = x.shape()[static_cast<int>(i)];
      if (size_[i] != rest && dim == any) return set_into(dy, x, ranges());
      paddings.emplace_back(begin_[i], size_[i] == rest ? after_[i] : dim - begin_[i] - size_[i]);
    }
    return pad(dy, paddings);
  }

  Tiles by_rows(std::span<const Type> in, const Type& y) const override {
    const bool cut = begin_.empty() || y.shape[0] != in[0].shape[0];
    return cut ? Tiles{} : Tiles{Tiles::Gives::rows, 1, y.shape[0]};
  }

  void compute(Call& call) const override { copy_out(call, call.out().shape(), call.in(0).shape(), begin_); }
  void launch(DeviceCall& call) const override { copy_out(call, call.out().shape(), call.in(0).shape(), begin_); }

 private:
  AxisRanges ranges() const {
    AxisRanges ranges;
    for (std::size_t i = 0; i < begin_.size(); ++i)
      ranges.push_back({begin_[i], size_[i] == rest || size_[i] > INT64_MAX - begin_[i]
                                       ? Slice::Bound(_)
                                       : Slice::Bound(begin_[i] + size_[i])});
    return ranges;
  }

  Counts begin_;
  Counts size_;   // `rest`: all that follow, but for `after`
  Counts after_;  // 0 where a size is given
};

class Pad : public Op {
 public:
  Pad(Paddings paddings, const Number& value) : paddings_(std::move(paddings)), value_(value) {}

  std::string_view name() const override { return "pad"; }
  Attributes attributes() const override { return {{"paddings", paddings_text()}, {"value", value_}}; }

  Type infer(const OpInputs& in) const override {
    require_dense(name(), in);
    const Shape& x = in[0].shape;
    if (paddings_.size() != static_cast<std::size_t>(x.rank()))
      fail<TypeError>("pad: paddings {} name {} axes; x is {} with {}", paddings_text(), paddings_.size(), in.shape(0),
                      x.rank());
    if (!value_.fits(in[0].dtype))
      fail<TypeError>("pad: value {} does not fit x, which is {}", to_string(value_), in.dtype(0));
    Counts dims;
    for (std::size_t i = 0; i < paddings_.size(); ++i) {
      const auto [before, after] = paddings_[i];
      const std::int64_t dim = x[static_cast<int>(i)];
      std::int64_t sum = 0;
      if (before < 0 || after < 0 || __builtin_add_overflow(before, after, &sum) ||
          __builtin_add_overflow(sum, std::max<std::int64_t>(dim, 0), &sum))
        fail<TypeError>("pad: paddings {} cannot be added to x, which is {}; counts are at least 0 and fit 64 bits",
                        paddings_text(), in.shape(0));
      dims.push_back(dim == any ? any : sum);
    }
    return {in[0].dtype, Shape(dims), Layout::dense};
  }

  // dx[i] = dy[i + before]: what is around x does not depend on it.
  Expr gradient(const Expr&, const Expr& dy, int) const override {
    Counts after;
    for (const auto& padding : paddings_) after.push_back(padding.second);
    return slice_between(dy, begin(), Counts(after.size(), rest), after);
  }

  Tiles by_rows(std::span<const Type> in, const Type& y) const override {
    const bool longer = paddings_.empty() || y.shape[0] != in[0].shape[0];
    return longer ? Tiles{} : Tiles{Tiles::Gives::rows, 1, y.shape[0]};
  }

  void compute(Call& call) const override { surround(call); }
  void launch(DeviceCall& call) const override { surround(call); }

 private:
  template <class AnyCall>
  void surround(AnyCall& call) const {
    fill_output(call, value_);
    copy_into(call, call.in(0).shape(), call.out().shape(), begin());
  }

  Counts begin() const {
    Counts begin;
    for (const auto& padding : paddings_) begin.push_back(padding.first);
    return begin;
  }

  std::string paddings_text() const {
    std::string text;
    for (const auto& [before, after] : paddings_)
      text += fmt::format("{}{{{}, {}}}", text.empty() ? "" : ", ", before, after);
    return "{" + text + "}";
  }

  Paddings paddings_;
  Number value_;
};

Expr slice_between(const Operand& x, const Counts& begin, const Counts& size, const Counts& after) {
  return apply(std::make_shared<CutOut>(begin, size, after), {x});
}

}  // namespace

Expr slice(const Operand& x, const std::vector<std::int64_t>& begin, const std::vector<std::int64_t>& size) {
  return slice_between(x, begin, size, Counts(begin.size(), 0));
}

Expr pad(const Operand& x, const std::vector<std::pair<std::int64_t, std::int64_t>>& paddings, const Number& value) {
  return apply(std::make_shared<Pad>(paddings, value), {x});
}

}  // namespace gradus
