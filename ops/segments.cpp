// Sums, means and extremes by segment. Sums are scatter_add; an extreme is an op of its own, over the indicator matrix
// of the ids, which says for each segment where its slices are.
#include <gradus/core/device/device_call.h>
#include <gradus/ops/box.h>
#include <gradus/ops/checks.h>
#include <gradus/ops/indices.h>
#include <gradus/ops/ops.h>
#include <gradus/ops/reduce_kernel.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

enum class Empty : std::uint8_t { zero, start };  // what a segment without slices has; the start is the other end

// Inputs: data [i, ..., q, ...], ids [i, ...], and their indicator [i * ..., segments].   [segments, q, ...]
class SegmentExtreme final : public Op {
 public:
  SegmentExtreme(Extreme extreme, Empty empty) : extreme_(extreme), empty_(empty) {}

  std::string_view name() const override { return extreme_ == Extreme::max ? "segment_max" : "segment_min"; }
  Attributes attributes() const override { return {{"unsorted", empty_ != Empty::zero}}; }
  Traits traits() const override { return {.reads = ~0b10U}; }
  std::string_view no_gradient(int i) const override { return i == 0 ? "" : "ids are integers"; }

  Type infer(const OpInputs& in) const override {
    const Shape &data = in[0].shape, &ids = in[1].shape;
    return {in[0].dtype, data.slice(ids.rank(), data.rank()).insert(0, in[2].shape[1]), Layout::dense};
  }

  // d max(x) = dx of the greatest; where several are equal each has its share
  Expr gradient(const Expr& y, const Expr& dy, int) const override {
    const Expr data = y.input(0), ids = y.input(1);
    const Expr is_extreme = equal(data, gather(y, ids));
    const Expr equals = to_dense(scatter_add_for(name(), ids, cast(is_extreme, data.dtype()), y.shape()));
    return mask(is_extreme, gather(dy / equals, ids));
  }

  void compute(Call& call) const override {
    dispatch_number(call.out().type.dtype, [&]<class T>(TypeTag<T>) {
      extreme_ == Extreme::max ? fold<Max<T>, T>(call) : fold<Min<T>, T>(call);
    });
  }

  void launch(DeviceCall& call) const override {
    Value& y = call.out();
    const CsrPattern& pattern = *call.in(2).pattern;
    dispatch_number(y.type.dtype, [&]<class T>(TypeTag<T>) { fill(call, y.data, y.type.dtype, y.stored, empty<T>()); });
    const std::int64_t segments = pattern.active_columns()->count(), width = y.row_size();
    if (segments * width == 0) return;
    DevicePattern& on_device = call.pattern(call.in(2));
    const DevicePattern::ByColumn by_column = on_device.by_column();
    call.launch(
        {"segment_extreme", text,
         fmt::format("{} using F = {};", using_type(y.type.dtype), extreme_ == Extreme::max ? "gr_Max" : "gr_Min")},
        grid_for(segments * width), call.in(0).data, y.data, by_column.start, by_column.row, on_device.active(),
        segments, width);
  }

 private:
  static constexpr std::string_view text = R"cuda(
extern "C" __global__ void NAME(const T* x, T* y, const gr_int64* start, const int* order, const int* place,
                                gr_int64 segments, gr_int64 width) {
  for (gr_int64 i = gr_first(); i < segments * width; i += gr_step()) {
    const gr_int64 segment = i / width, column = i % width;
    T extreme = F::template start<T>();
    for (gr_int64 j = start[segment]; j < start[segment + 1]; ++j)
      extreme = F::fold(extreme, x[order[j] * width + column]);
    y[place[segment] * width + column] = extreme;
  }
}
)cuda";

  template <class T>
  T empty() const {
    if (empty_ == Empty::zero) return 0;
    return extreme_ == Extreme::max ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
  }

  template <class F, class T>
  void fold(Call& call) const {
    const CsrPattern& pattern = *call.in(2).pattern;
    const CsrPattern::ByColumn& by_column = pattern.by_column();
    const std::vector<Index>& place = pattern.active_columns()->row;
    const std::int64_t width = call.out().row_size();
    std::fill_n(call.out<T>(), call.out().stored, empty<T>());
    call.workers().for_each(static_cast<std::int64_t>(place.size()), 256, [&](std::int64_t first, std::int64_t last) {
      for (auto s = static_cast<std::size_t>(first); s < static_cast<std::size_t>(last); ++s) {
        T* const y = call.out<T>() + place[s] * width;
        std::fill_n(y, width, F::start);
        for (auto j = static_cast<std::size_t>(by_column.start[s]);
             j < static_cast<std::size_t>(by_column.start[s + 1]); ++j) {
          const T* const x = call.in<T>(0) + by_column.row[j] * width;
          for (std::int64_t c = 0; c < width; ++c) y[c] = F::combine(y[c], x[c]);
        }
      }
    });
  }

  Extreme extreme_;
  Empty empty_;
};

// What a function of this page is asked for, checked.
struct Segments {
  std::string_view name;
  Expr data, ids;
  std::int64_t count;
  Shape shape;  // of the result

  Segments(std::string_view reader, const Operand& of, const Operand& by, std::int64_t num_segments)
      : name(reader),
        data(require_expr(reader, of, "data")),
        ids(by.in(data.graph(), int32, reader)),
        count(num_segments) {
    const Given given({data, ids});
    const OpInputs& in = *given;
    require_dense(name, in, 0, "data");
    require_dense(name, in, 1, "segment_ids");
    if (data.dtype() == boolean) fail<TypeError>("{}: data is {}; cast it to a number type first", name, in.dtype(0));
    if (!is_integer(ids.dtype()))
      fail<TypeError>("{}: segment_ids is {}; int32 or int64 is expected", name, in.dtype(1));
    if (count < 0 || count >= max_sparse_dimension)
      fail<ValueError>("{}: num_segments is {} ({}); 0 to {} are right", name, count, to_string(of.where()),
                       max_sparse_dimension - 1);
    if (ids.rank() > data.rank() || !may_agree(data.shape().slice(0, ids.rank()), ids.shape()))
      fail<TypeError>("{}: data is {} but segment_ids is {}; data begins with the axes of segment_ids", name,
                      in.shape(0), in.shape(1));
    shape = data.shape().slice(ids.rank(), data.rank()).insert(0, count);
  }

  Expr sum(const Expr& of) const { return to_dense(scatter_add_for(name, ids, of, shape)); }

  Expr mean() const {
    if (!is_floating(data.dtype()))
      fail<TypeError>("{}: data is {}; cast it to a floating type first", name, (*Given({data})).dtype(0));
    const Expr slices = to_dense(scatter_add_for(name, ids, ones_like(cast(ids, data.dtype())), {count}));
    Shape column({count});
    while (column.rank() < shape.rank()) column = column.insert(column.rank(), 1);
    return sum(data) / reshape(maximum(slices, 1), column);
  }

  Expr extreme(Extreme extreme, Empty empty) const {
    return gradus::apply(std::make_shared<SegmentExtreme>(extreme, empty),
                         {data, ids, indicator(name, ids, count, data.dtype())});
  }
};

Expr of_segments(std::string_view name, const Operand& data, const Operand& ids, std::int64_t count,
                 Expr (*fold)(const Segments&)) {
  const Segments segments(name, data, ids, count);
  const Graph::Pin pin = segments.data.graph().pin(data.where());
  return fold(segments);
}

// Slices of a negative id go to a segment before the first, which is cut off.
Expr of_unsorted_segments(std::string_view name, const Operand& data, const Operand& ids, std::int64_t count,
                          Expr (*fold)(const Segments&)) {
  Segments segments(name, data, ids, count);
  const Graph::Pin pin = segments.data.graph().pin(data.where());
  segments.ids = (maximum(segments.ids, -1) + 1).named("segment_ids_plus_1");
  segments.shape = segments.shape.with(0, ++segments.count);
  return at(fold(segments), {{1, _}});
}

}  // namespace

Expr segment_sum(const Operand& data, const Operand& segment_ids, std::int64_t num_segments) {
  return of_segments("segment_sum", data, segment_ids, num_segments, [](const Segments& s) { return s.sum(s.data); });
}

Expr segment_mean(const Operand& data, const Operand& segment_ids, std::int64_t num_segments) {
  return of_segments("segment_mean", data, segment_ids, num_segments, [](const Segments& s) { return s.mean(); });
}

Expr segment_max(const Operand& data, const Operand& segment_ids, std::int64_t num_segments) {
  return of_segments("segment_max", data, segment_ids, num_segments,
                     [](const Segments& s) { return s.extreme(Extreme::max, Empty::zero); });
}

Expr segment_min(const Operand& data, const Operand& segment_ids, std::int64_t num_segments) {
  return of_segments("segment_min", data, segment_ids, num_segments,
                     [](const Segments& s) { return s.extreme(Extreme::min, Empty::zero); });
}

Expr unsorted_segment_sum(const Operand& data, const Operand& segment_ids, std::int64_t num_segments) {
  return of_unsorted_segments("unsorted_segment_sum", data, segment_ids, num_segments,
                              [](const Segments& s) { return s.sum(s.data); });
}

Expr unsorted_segment_mean(const Operand& data, const Operand& segment_ids, std::int64_t num_segments) {
  return of_unsorted_segments("unsorted_segment_mean", data, segment_ids, num_segments,
                              [](const Segments& s) { return s.mean(); });
}

Expr unsorted_segment_max(const Operand& data, const Operand& segment_ids, std::int64_t num_segments) {
  return of_unsorted_segments("unsorted_segment_max", data, segment_ids, num_segments,
                              [](const Segments& s) { return s.extreme(Extreme::max, Empty::start); });
}

Expr unsorted_segment_min(const Operand& data, const Operand& segment_ids, std::int64_t num_segments) {
  return of_unsorted_segments("unsorted_segment_min", data, segment_ids, num_segments,
                              [](const Segments& s) { return s.extreme(Extreme::min, Empty::start); });
}

}  // namespace gradus
