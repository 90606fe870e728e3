#include <gradus/ops/box.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace gradus {

namespace {

constexpr std::int64_t grain = 16384;  // elements of work that are worth a piece of their own

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Elements moved by their size alone: Cell<bytes>::type. may_alias, since to everybody else the memory holds
// floats; a template argument would lose the attribute, so the loops below are given the size.
template <std::size_t bytes>
struct Cell;
template <>
struct Cell<1> {
  typedef std::uint8_t type __attribute__((may_alias));
};
template <>
struct Cell<4> {
  typedef std::uint32_t type __attribute__((may_alias));
};
template <>
struct Cell<8> {
  typedef std::uint64_t type __attribute__((may_alias));
};
// Elements that lie together in both memories, moved as one: wherever they lie.
template <std::size_t bytes>
requires(bytes > 8) struct Cell<bytes> {
  struct [[gnu::packed, gnu::may_alias]] Bytes {
    std::array<std::byte, bytes> of;
  };
  using type = Bytes;
};
template <std::size_t bytes>
using CellOf = typename Cell<bytes>::type;

// A position in the leading `axes` axes of a box, counted up in row-major order.
class Walk {
 public:
  Walk(const Box& box, int axes, std::int64_t position) : box_(box), axes_(axes), from(box.from), to(box.to) {
    for (int i = axes - 1; i >= 0; --i) {
      const Box::Axis& axis = at_axis(i);
      const std::int64_t here = position % axis.size;
      position /= axis.size;
      at_[static_cast<std::size_t>(i)] = here;
      from += here * axis.from;
      to += here * axis.to;
    }
  }

  void next() {
    for (int i = axes_ - 1; i >= 0; --i) {
      const Box::Axis& axis = at_axis(i);
      from += axis.from;
      to += axis.to;
      if (++at_[static_cast<std::size_t>(i)] < axis.size) return;
      at_[static_cast<std::size_t>(i)] = 0;
      from -= axis.size * axis.from;
      to -= axis.size * axis.to;
    }
  }

 private:
  const Box::Axis& at_axis(int i) const { return box_.axis[static_cast<std::size_t>(i)]; }

  const Box& box_;
  int axes_;
  std::array<std::int64_t, Box::max_axes> at_{};

 public:
  std::int64_t from;
  std::int64_t to;
};

template <std::size_t bytes>
void copy_run(const CellOf<bytes>* from, CellOf<bytes>* to, const Box::Axis& axis, std::int64_t n) {
  if (axis.to == 1 && axis.from == 1 && n >= 16) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * bytes);
  } else if (axis.to == 1 && axis.from == 0) {
    const CellOf<bytes> value = *from;
    for (std::int64_t j = 0; j < n; ++j) to[j] = value;
  } else {
    for (std::int64_t j = 0; j < n; ++j) to[j * axis.to] = from[j * axis.from];
  }
}

template <std::size_t bytes>
void copy_runs(Workers& workers, const Box& box, const CellOf<bytes>* from, CellOf<bytes>* to) {
  const int outer = box.rank - 1;
  const Box::Axis inner = box.axis[static_cast<std::size_t>(outer)];
  const std::int64_t runs = box.size() / inner.size;
  if (inner.size <= grain) {
    workers.for_each(runs, std::max<std::int64_t>(1, grain / inner.size), [&](std::int64_t first, std::int64_t last) {
      Walk walk(box, outer, first);
      for (std::int64_t run = first; run < last; ++run, walk.next())
        copy_run<bytes>(from + walk.from, to + walk.to, inner, inner.size);
    });
    return;
  }
  const std::int64_t pieces = ceil_div(inner.size, grain);
  workers.for_each(runs * pieces, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t piece = first; piece < last; ++piece) {
      const Walk walk(box, outer, piece / pieces);
      const std::int64_t start = piece % pieces * grain;
      copy_run<bytes>(from + walk.from + start * inner.from, to + walk.to + start * inner.to, inner,
                      std::min(grain, inner.size - start));
    }
  });
}

constexpr std::int64_t tile_size = 32;

// to[i, j] = from[j, i] for one tile. Through a buffer, so that both memories are touched a cache line at a time
// even where rows lie a power of two apart and would evict each other.
template <std::size_t bytes>
void transpose_tile(const CellOf<bytes>* from, std::int64_t from_stride, CellOf<bytes>* to, std::int64_t to_stride,
                    std::int64_t rows, std::int64_t columns) {
  CellOf<bytes> tile[tile_size][tile_size + 1];
  for (std::int64_t j = 0; j < columns; ++j)
    for (std::int64_t i = 0; i < rows; ++i) tile[j][i] = from[j * from_stride + i];
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) to[i * to_stride + j] = tile[j][i];
}

// The last two axes are a matrix that is transposed: the source is contiguous along the first of the two, the
// target along the second.
template <std::size_t bytes>
void copy_transposed(Workers& workers, const Box& box, const CellOf<bytes>* from, CellOf<bytes>* to) {
  constexpr std::int64_t tile = 512;  // columns of the target that one piece writes
  const Box::Axis rows = box.axis[static_cast<std::size_t>(box.rank - 2)];
  const Box::Axis columns = box.axis[static_cast<std::size_t>(box.rank - 1)];
  const std::int64_t bands = ceil_div(rows.size, tile_size);
  const std::int64_t tiles = ceil_div(columns.size, tile);
  const std::int64_t pieces = box.size() / (rows.size * columns.size) * bands * tiles;
  const std::int64_t work = std::min(rows.size, tile_size) * std::min(columns.size, tile);
  workers.for_each(pieces, std::max<std::int64_t>(1, grain / work), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t piece = first; piece < last; ++piece) {
      const Walk walk(box, box.rank - 2, piece / (bands * tiles));
      const std::int64_t row = piece / tiles % bands * tile_size;
      const std::int64_t end = std::min(columns.size, piece % tiles * tile + tile);
      for (std::int64_t column = piece % tiles * tile; column < end; column += tile_size)
        transpose_tile<bytes>(from + walk.from + row + column * columns.from, columns.from,
                              to + walk.to + row * rows.to + column, rows.to, std::min(tile_size, rows.size - row),
                              std::min(tile_size, end - column));
    }
  });
}

template <std::size_t bytes>
void copy_cells(Workers& workers, Box box, const CellOf<bytes>* from, CellOf<bytes>* to) {
  const Box::Axis inner = box.axis[static_cast<std::size_t>(box.rank - 1)];
  if (bytes <= 8 && inner.to == 1 && inner.from > 1) {
    const auto begin = box.axis.begin();
    const auto end = begin + box.rank - 1;
    const auto across = std::find_if(begin, end, [](const Box::Axis& axis) { return axis.from == 1; });
    if (across != end) {
      std::rotate(across, across + 1, end);  // the order of the outer axes does not matter
      return copy_transposed<bytes>(workers, box, from, to);
    }
  }
  copy_runs<bytes>(workers, box, from, to);
}

}  // namespace

Box::Box(const Shape& shape, const std::array<std::int64_t, Shape::max_rank>& from_strides,
         const std::array<std::int64_t, Shape::max_rank>& to_strides) {
  for (int i = 0; i < shape.rank(); ++i)
    add(shape[i], from_strides[static_cast<std::size_t>(i)], to_strides[static_cast<std::size_t>(i)]);
}

void Box::add(std::int64_t size, std::int64_t from_stride, std::int64_t to_stride) {
  axis[static_cast<std::size_t>(rank++)] = {size, from_stride, to_stride};
}

std::int64_t Box::size() const {
  std::int64_t elements = 1;
  for (int i = 0; i < rank; ++i) elements *= axis[static_cast<std::size_t>(i)].size;
  return elements;
}

Box Box::simplified() const {
  Box out;
  out.from = from;
  out.to = to;
  for (int i = 0; i < rank; ++i) {
    const Axis& next = axis[static_cast<std::size_t>(i)];
    if (next.size == 1) continue;
    if (out.rank > 0) {
      Axis& last = out.axis[static_cast<std::size_t>(out.rank - 1)];
      if (last.from == next.from * next.size && last.to == next.to * next.size) {
        last = {last.size * next.size, next.from, next.to};
        continue;
      }
    }
    out.add(next.size, next.from, next.to);
  }
  if (out.rank == 0) out.add(1, 1, 1);
  return out;
}

namespace {

// A simplified box whose last axis is a few elements that lie together in both memories, as a box of cells that wide;
// else the same box. `bytes` becomes those of a cell.
Box of_wide_cells(const Box& box, std::size_t& bytes) {
  const Box::Axis inner = box.axis[static_cast<std::size_t>(box.rank - 1)];
  const std::size_t wide = static_cast<std::size_t>(inner.size) * bytes;
  const auto is_whole = [&](std::int64_t elements) { return elements % inner.size == 0; };
  bool fits = box.rank > 1 && inner.from == 1 && inner.to == 1 && (wide == 16 || wide == 32 || wide == 64) &&
              is_whole(box.from) && is_whole(box.to);
  for (int i = 0; i + 1 < box.rank; ++i)
    fits = fits && is_whole(box.axis[static_cast<std::size_t>(i)].from) &&
           is_whole(box.axis[static_cast<std::size_t>(i)].to);
  if (!fits) return box;
  Box out;
  out.from = box.from / inner.size;
  out.to = box.to / inner.size;
  for (int i = 0; i + 1 < box.rank; ++i) {
    const Box::Axis& axis = box.axis[static_cast<std::size_t>(i)];
    out.add(axis.size, axis.from / inner.size, axis.to / inner.size);
  }
  bytes = wide;
  return out;
}

}  // namespace

void copy_box(Workers& workers, const Box& box, const std::byte* from, std::byte* to, std::size_t bytes) {
  if (box.size() == 0) return;
  const Box cells = of_wide_cells(box.simplified(), bytes);
  const auto copy = [&]<std::size_t width>(std::integral_constant<std::size_t, width>) {
    copy_cells<width>(workers, cells, reinterpret_cast<const CellOf<width>*>(from),
                      reinterpret_cast<CellOf<width>*>(to));
  };
  switch (bytes) {
    case 1: return copy(std::integral_constant<std::size_t, 1>{});
    case 4: return copy(std::integral_constant<std::size_t, 4>{});
    case 8: return copy(std::integral_constant<std::size_t, 8>{});
    case 16: return copy(std::integral_constant<std::size_t, 16>{});
    case 32: return copy(std::integral_constant<std::size_t, 32>{});
    default: return copy(std::integral_constant<std::size_t, 64>{});
  }
}

namespace {

struct DeviceBox {
  int rank = 0;
  std::int64_t size[Box::max_axes] = {}, from[Box::max_axes] = {}, to[Box::max_axes] = {};
};

constexpr std::string_view copy_text = R"cuda(
struct DeviceBox {
  int rank;
  gr_int64 size[16], from[16], to[16];
};
// A thread for each element, in the order of the target.
extern "C" __global__ void NAME(const T* from, T* to, DeviceBox box, gr_int64 n, const int* place) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) {
    I rest = I(i);
    gr_int64 f = 0, t = 0;
    for (int axis = box.rank - 1; axis > 0; --axis) {
      const I size = I(box.size[axis]), at = rest % size;
      rest /= size;
      f += at * box.from[axis];
      t += at * box.to[axis];
    }
    f += rest * box.from[0];
    t += (place != nullptr ? gr_int64(place[rest]) : gr_int64(rest)) * box.to[0];
    to[t] = from[f];
  }
}
)cuda";

// Through shared memory, so that both matrices are touched along their rows.
constexpr std::string_view transpose_text = R"cuda(
extern "C" __global__ void NAME(const T* from, T* to, gr_int64 rows, gr_int64 columns, gr_int64 from_stride,
                                gr_int64 to_stride) {
  __shared__ T tile[32][33];  // odd: the threads of a column lie in different banks
  const int x = threadIdx.x % 32, y = threadIdx.x / 32;
  const gr_int64 across = (columns + 31) / 32, tiles = (rows + 31) / 32 * across;
  for (gr_int64 t = blockIdx.x; t < tiles; t += gridDim.x) {
    const gr_int64 row = t / across * 32, column = t % across * 32;
    for (int j = y; j < 32; j += 8)
      if (column + j < columns && row + x < rows) tile[j][x] = from[(column + j) * from_stride + row + x];
    __syncthreads();
    for (int j = y; j < 32; j += 8)
      if (row + j < rows && column + x < columns) to[(row + j) * to_stride + column + x] = tile[x][j];
    __syncthreads();
  }
}
)cuda";

constexpr std::string_view fill_text = R"cuda(
extern "C" __global__ void NAME(T* y, gr_int64 n, T value) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) y[i] = value;
}
)cuda";

std::string_view cell_of(std::size_t bytes) {
  return bytes == 1 ? "using T = unsigned char;" : bytes == 4 ? "using T = unsigned;" : "using T = gr_uint64;";
}

}  // namespace

void copy_box(DeviceCall& call, const Box& given, const std::byte* from, std::byte* to, std::size_t bytes,
              const Index* place) {
  const std::int64_t n = given.size();
  if (n == 0) return;
  const Box box = place == nullptr ? given.simplified() : given;
  from += box.from * static_cast<std::int64_t>(bytes);
  to += box.to * static_cast<std::int64_t>(bytes);
  const std::string cell(cell_of(bytes));
  const Box::Axis& rows = box.axis[0];
  const Box::Axis& columns = box.axis[1];
  if (place == nullptr && box.rank == 1 && rows.from == 1 && rows.to == 1)
    return call.accelerator().copy(to, from, n * static_cast<std::int64_t>(bytes));
  if (place == nullptr && box.rank == 2 && rows.from == 1 && columns.to == 1 &&
      std::min(rows.size, columns.size) >= 8) {
    const std::int64_t tiles = (rows.size + 31) / 32 * ((columns.size + 31) / 32);
    return call.launch({"transpose", transpose_text, cell}, Grid{std::min<std::int64_t>(tiles, 65536), 256}, from, to,
                       rows.size, columns.size, columns.from, rows.to);
  }
  DeviceBox device;
  device.rank = box.rank;
  for (int i = 0; i < box.rank; ++i) {
    device.size[i] = box.axis[static_cast<std::size_t>(i)].size;
    device.from[i] = box.axis[static_cast<std::size_t>(i)].from;
    device.to[i] = box.axis[static_cast<std::size_t>(i)].to;
  }
  const std::string index = n <= INT32_MAX ? "using I = unsigned;" : "using I = gr_uint64;";
  call.launch({"copy_box", copy_text, cell + index}, grid_for(n), from, to, device, n, place);
}

void fill(DeviceCall& call, std::byte* to, DType dtype, std::int64_t n, const Number& value) {
  if (n == 0) return;
  if (value.value() == 0 && !std::signbit(value.value()))
    return call.accelerator().set_zero(to, n * static_cast<std::int64_t>(size_of(dtype)));
  dispatch(dtype, [&]<class T>(TypeTag<T>) {
    call.launch({"fill", fill_text, using_type(dtype)}, grid_for(n), to, n, value.as<T>());
  });
}

}  // namespace gradus
