// What spmm.cpp computes, on an accelerator. Each number of a result is summed by one thread, or by the lanes of one
// warp, in an order that depends on the sizes alone; products by a transposed csr matrix go through its columns, so
// that no two threads write one number.
#include <gradus/ops/spmm.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

// The least power of 2 that is not below k, from 1 to a warp: neighbouring threads that share a row.
int lanes_for(std::int64_t k) {
  int lanes = 1;
  while (lanes < 32 && lanes < k) lanes *= 2;
  return lanes;
}

// Numbers that a thread adds up at the least, where several share a sum: to fold two threads' sums takes longer.
constexpr std::int64_t some = 4;

std::string settings(DType dtype, int lanes) {
  return fmt::format("{} constexpr int lanes = {};", using_type(dtype), lanes);
}

// How threads share rows of k numbers: as packs of 16 bytes where whole packs fill a row and lie as they must.
struct Rows {
  std::int64_t packs = 0;  // a row
  int lanes = 1;           // threads that share it
  std::string settings;
};

Rows rows_of(DType dtype, std::int64_t k, const std::byte* b, const std::byte* y) {
  const auto aligned = [](const std::byte* data) { return reinterpret_cast<std::uintptr_t>(data) % 16 == 0; };
  const auto most = static_cast<std::int64_t>(16 / size_of(dtype));
  const std::int64_t width = k % most == 0 && aligned(b) && aligned(y) ? most : 1;
  const int lanes = lanes_for(k / width);
  return {k / width, lanes, fmt::format("{} constexpr int width = {};", settings(dtype, lanes), width)};
}

// Some neighbouring numbers of a row.
constexpr std::string_view pack_text = R"cuda(
struct alignas(sizeof(T) * width) Pack {
  T of[width];
};
__device__ inline void add(Pack& sum, const Pack& x) {
  for (int i = 0; i < width; ++i) sum.of[i] += x.of[i];
}
__device__ inline void add_product(Pack& sum, T factor, const Pack& x) {
  for (int i = 0; i < width; ++i) sum.of[i] += factor * x.of[i];
}
)cuda";

// Rows of numbers times a table, in segments: row s of y becomes the sum over j in [start[s], start[s + 1]) of
// value(j) scale(j) b[place[j]]. Of a csr matrix, the segments are its rows, or its columns with `position`.
constexpr std::string_view rows_text = R"cuda(
// `lanes` threads share a row of y: each sums its columns in the order of the segment.
extern "C" __global__ void NAME(const T* values, const T* scale, const Pack* b, Pack* y, const gr_int64* start,
                                gr_int64 segments, const int* place, const gr_int64* position, const int* to,
                                gr_int64 k) {
  const int lane = threadIdx.x % lanes;
  for (gr_int64 s = gr_first() / lanes; s < segments; s += gr_step() / lanes) {
    Pack* row = y + (to != nullptr ? gr_int64(to[s]) : s) * k;
    const gr_int64 first = start[s], last = start[s + 1];
    for (gr_int64 c = lane; c < k; c += lanes) {
      Pack sum = {};
#pragma unroll 4
      for (gr_int64 j = first; j < last; ++j) {
        const T value = values != nullptr ? values[position != nullptr ? position[j] : j] : T(1);
        const T factor = scale != nullptr ? scale[place[j]] * value : value;
        add_product(sum, factor, b[gr_int64(place[j]) * k + c]);
      }
      row[c] = sum;
    }
  }
}
)cuda";

// The same for a csr matrix' columns, of very different lengths, none of them empty: `lanes` threads take a chunk of
// the numbers, whatever columns these belong to. What a chunk has of a column that began before it is the chunk's head;
// of one that begins in it and goes on after it, which is then open, the chunk's tail. Several numbers are read before
// any is added: to wait for each would take longer than all else.
constexpr std::string_view chunks_text = R"cuda(
extern "C" __global__ void NAME(const T* values, const T* scale, const Pack* b, Pack* y, Pack* heads, Pack* tails,
                                int* open, const gr_int64* start, gr_int64 segments, gr_int64 n, gr_int64 chunk,
                                const int* place, const gr_int64* position, const int* slot, const int* to,
                                gr_int64 k) {
  constexpr int at_once = 8;
  const int lane = threadIdx.x % lanes;
  const gr_int64 chunks = (n + chunk - 1) / chunk;
  for (gr_int64 t = gr_first() / lanes; t < chunks; t += gr_step() / lanes) {
    const gr_int64 first = t * chunk, last = first + chunk < n ? first + chunk : n;
    const gr_int64 of_first = slot[position[first]];
    for (gr_int64 c = lane; c < k; c += lanes) {
      gr_int64 s = of_first, end = start[s + 1];
      bool began_here = start[s] == first;
      Pack sum = {};
      for (gr_int64 begin = first; begin < last; begin += at_once) {
        T factor[at_once];
        Pack row[at_once];
#pragma unroll
        for (int u = 0; u < at_once; ++u) {
          const gr_int64 j = begin + u < last ? begin + u : last - 1, at = place[j];
          const T value = values != nullptr ? values[position[j]] : T(1);
          factor[u] = scale != nullptr ? scale[at] * value : value;
          row[u] = b[at * k + c];
        }
#pragma unroll
        for (int u = 0; u < at_once; ++u) {
          const gr_int64 j = begin + u;
          if (j >= last) break;
          add_product(sum, factor[u], row[u]);
          if (j + 1 < end) continue;
          (began_here ? y + (to != nullptr ? gr_int64(to[s]) : s) * k : heads + t * k)[c] = sum;
          sum = {};
          began_here = true;
          end = ++s < segments ? start[s + 1] : end;
        }
      }
      const bool goes_on = s < segments && start[s] < last;
      if (goes_on) (began_here ? tails : heads)[t * k + c] = sum;
      if (c == 0) open[t] = goes_on && began_here ? int(s) : -1;
    }
  }
}
)cuda";

// Then the columns that are open: the tail where one begins, and the heads of the chunks that follow. `lanes` threads
// add the heads of one; where these are many, all threads of the block do.
constexpr std::string_view join_text = R"cuda(
struct Sum {  // of what gr_column_fold folds
  template <class P> static __device__ inline P fold(P a, const P& b) {
    add(a, b);
    return a;
  }
};
extern "C" __global__ void NAME(const Pack* heads, const Pack* tails, const int* open, Pack* y, const gr_int64* start,
                                gr_int64 n, gr_int64 chunk, const int* to, gr_int64 k) {
  constexpr int few = 16, teams = 256 / lanes;
  __shared__ int many[teams], how_many;
  const int lane = threadIdx.x % lanes, team = threadIdx.x / lanes;
  const gr_int64 chunks = (n + chunk - 1) / chunk;
  for (gr_int64 first = blockIdx.x * gr_int64(teams); first < chunks; first += gridDim.x * gr_int64(teams)) {
    if (threadIdx.x == 0) how_many = 0;
    __syncthreads();
    if (const gr_int64 t = first + team; t < chunks && open[t] >= 0) {
      const gr_int64 s = open[t], end = (start[s + 1] + chunk - 1) / chunk;
      if (end - t > few) {
        if (lane == 0) many[atomicAdd(&how_many, 1)] = team;  // in whatever order: each is another row of y
      } else {
        for (gr_int64 c = lane; c < k; c += lanes) {
          Pack sum = tails[t * k + c];
#pragma unroll 4
          for (gr_int64 u = t + 1; u < end; ++u) add(sum, heads[u * k + c]);
          y[(to != nullptr ? gr_int64(to[s]) : s) * k + c] = sum;
        }
      }
    }
    __syncthreads();
    for (int i = 0; i < how_many; ++i) {
      const gr_int64 t = first + many[i], s = open[t], end = (start[s + 1] + chunk - 1) / chunk;
      for (gr_int64 c = lane; c < (k + lanes - 1) / lanes * lanes; c += lanes) {  // all threads come to the fold
        Pack sum = {};
#pragma unroll 4
        for (gr_int64 u = t + 1 + team; u < end; u += teams)
          if (c < k) add(sum, heads[u * k + c]);
        sum = gr_column_fold<Sum, lanes>(sum);
        if (team > 0 || c >= k) continue;
        add(sum, tails[t * k + c]);
        y[(to != nullptr ? gr_int64(to[s]) : s) * k + c] = sum;
      }
    }
    __syncthreads();  // before the list is written again
  }
}
)cuda";

// rows_text for k = 1: `lanes` threads for each segment.
constexpr std::string_view column_text = R"cuda(
extern "C" __global__ void NAME(const T* values, const T* scale, const T* b, T* y, const gr_int64* start,
                                gr_int64 segments, const int* place, const gr_int64* position, const int* to) {
  const int lane = threadIdx.x % lanes;
  const gr_int64 step = gr_step() / lanes, rounds = (segments + step - 1) / step;
  gr_int64 s = gr_first() / lanes;
  for (gr_int64 round = 0; round < rounds; ++round, s += step) {  // all lanes of a warp come to the fold
    T sum = 0;
    for (gr_int64 j = s < segments ? start[s] + lane : 0, last = s < segments ? start[s + 1] : 0; j < last; j += lanes) {
      const T value = values != nullptr ? values[position != nullptr ? position[j] : j] : T(1);
      sum += (scale != nullptr ? scale[place[j]] * value : value) * b[place[j]];
    }
    sum = gr_warp_fold<gr_Sum, lanes>(sum);
    if (lane == 0 && s < segments) y[to != nullptr ? gr_int64(to[s]) : s] = sum;
  }
}
)cuda";

// y [m, p] by `columns` segments: y[i, to[s]] = the sum over segment s of value(j) a[i, place[j]], for a [m, width].
constexpr std::string_view left_text = R"cuda(
extern "C" __global__ void NAME(const T* values, const T* a, T* y, gr_int64 m, gr_int64 width, const gr_int64* start,
                                gr_int64 segments, const int* place, const gr_int64* position, const int* to,
                                gr_int64 columns) {
  for (gr_int64 i = gr_first(); i < m * segments; i += gr_step()) {
    const gr_int64 row = i / segments, s = i % segments;
    T sum = 0;
    for (gr_int64 j = start[s]; j < start[s + 1]; ++j)
      sum += (values != nullptr ? values[position != nullptr ? position[j] : j] : T(1)) * a[row * width + place[j]];
    y[row * columns + (to != nullptr ? gr_int64(to[s]) : s)] = sum;
  }
}
)cuda";

// Row u[i] . v[j] for pairs: those of a csr pattern, or where there is none, of each row with the same.
constexpr std::string_view dots_text = R"cuda(
extern "C" __global__ void NAME(const T* u, const T* v, T* y, gr_int64 pairs, gr_int64 k, const int* row,
                                const int* column) {
  const int lane = threadIdx.x % lanes;
  const gr_int64 step = gr_step() / lanes, rounds = (pairs + step - 1) / step;
  gr_int64 pair = gr_first() / lanes;
  for (gr_int64 round = 0; round < rounds; ++round, pair += step) {  // all lanes of a warp come to the fold
    T sum = 0;
    if (pair < pairs) {
      const T* a = u + (row != nullptr ? gr_int64(row[pair]) : pair) * k;
      const T* b = v + (column != nullptr ? gr_int64(column[pair]) : pair) * k;
      for (gr_int64 c = lane; c < k; c += lanes) sum += a[c] * b[c];
    }
    sum = gr_warp_fold<gr_Sum, lanes>(sum);
    if (lane == 0 && pair < pairs) y[pair] = sum;
  }
}
)cuda";

struct Segments {
  const std::int64_t* start;
  std::int64_t count;
  const Index* place;                      // which row of b each number meets
  const std::int64_t* position = nullptr;  // where its value lies; null: in order
  const Index* to = nullptr;               // which row of y each segment is; null: in order
};

const std::byte* values_of(const Value& x) { return x.ones ? nullptr : x.data; }

void multiply_segments(DeviceCall& call, const Value& x, const Segments& of, const std::byte* scale, const Value& b,
                       std::int64_t k) {
  if (of.count * k == 0) return;
  const DType dtype = b.type.dtype;
  if (k == 1) {
    const int lanes = lanes_for(x.stored / of.count / some);
    return call.launch({"csr_column_product", column_text, settings(dtype, lanes)}, grid_for(of.count * lanes),
                       values_of(x), scale, b.data, call.out().data, of.start, of.count, of.place, of.position, of.to);
  }
  const Rows rows = rows_of(dtype, k, b.data, call.out().data);
  static const std::string text = fmt::format("{}{}", pack_text, rows_text);
  call.launch({"csr_product", text, rows.settings}, grid_for(of.count * rows.lanes), values_of(x), scale, b.data,
              call.out().data, of.start, of.count, of.place, of.position, of.to, rows.packs);
}

// Columns are as long as features are frequent: a few may hold most of the non-zeros.
void multiply_columns(DeviceCall& call, const Value& x, const Segments& of, const std::byte* scale, const Value& b,
                      std::int64_t k) {
  constexpr std::int64_t worth_chunks = 8192;  // non-zeros
  constexpr std::int64_t threads = 1 << 18;    // that keep a large device busy
  constexpr int block = 256;
  if (k == 0 || x.stored < worth_chunks) return multiply_segments(call, x, of, scale, b, k);
  const DType dtype = b.type.dtype;
  const Rows rows = rows_of(dtype, k, b.data, call.out().data);
  const std::int64_t chunk = std::clamp<std::int64_t>(x.stored * rows.lanes / threads, 16, 256);
  const std::int64_t chunks = (x.stored + chunk - 1) / chunk;
  const std::int64_t bytes = chunks * k * static_cast<std::int64_t>(size_of(dtype));
  std::byte* const heads = call.scratch(2 * bytes + chunks * std::int64_t{sizeof(Index)});
  std::byte *const tails = heads + bytes, *const open = tails + bytes;
  static const std::string chunked = fmt::format("{}{}", pack_text, chunks_text);
  call.launch({"csr_column_chunks", chunked, rows.settings}, grid_for(chunks * rows.lanes), values_of(x), scale, b.data,
              call.out().data, heads, tails, open, of.start, of.count, x.stored, chunk, of.place, of.position,
              call.pattern(x).slot(), of.to, rows.packs);
  static const std::string joined = fmt::format("{}{}", pack_text, join_text);
  const std::int64_t teams = block / rows.lanes;
  call.launch({"csr_column_chunks_joined", joined, rows.settings},
              grid_for((chunks + teams - 1) / teams * block, block), heads, tails, open, call.out().data, of.start,
              x.stored, chunk, of.to, rows.packs);
}

void multiply_from_left(DeviceCall& call, const Value& a, const Value& x, const Segments& of, std::int64_t columns) {
  const std::int64_t m = a.shape()[0];
  if (m * of.count == 0) return;
  call.launch({"dense_csr_product", left_text, using_type(a.type.dtype)}, grid_for(m * of.count), values_of(x), a.data,
              call.out().data, m, a.shape()[1], of.start, of.count, of.place, of.position, of.to, columns);
}

Segments columns_of(DeviceCall& call, const Value& x) {
  const DevicePattern::ByColumn by_column = call.pattern(x).by_column();
  return {by_column.start, x.pattern->active_columns()->count(), by_column.row, by_column.position};
}

void clear_output(DeviceCall& call) {
  const Value& y = call.out();
  call.accelerator().set_zero(y.data, y.stored * static_cast<std::int64_t>(size_of(y.type.dtype)));
}

void dots(DeviceCall& call, const Value& u, const Value& v, std::byte* y, std::int64_t pairs, const Index* row,
          const Index* column) {
  if (pairs == 0) return;
  const std::int64_t k = u.shape()[1];
  const int lanes = lanes_for(k / some);
  call.launch({"row_dots", dots_text, settings(u.type.dtype, lanes)}, grid_for(pairs * lanes), u.data, v.data, y, pairs,
              k, row, column);
}

}  // namespace

void csr_times_dense(DeviceCall& call, const Value& x, const Value& b) {
  const std::int64_t k = b.shape()[1];
  const std::int64_t rows = x.shape()[0];
  DevicePattern& pattern = call.pattern(x);
  if (rows * k == 0) return;
  if (x.stored == 0) return clear_output(call);
  const bool part = b.type.layout == Layout::part;
  if (k > 1 && !part && !x.ones)
    return call.accelerator().spmm({x.type.dtype, rows, x.shape()[1], x.stored, k, pattern.row_start(),
                                    pattern.column(), x.data, b.data, call.out().data});
  multiply_segments(call, x, {pattern.row_start(), rows, part ? pattern.slot() : pattern.column()}, nullptr, b, k);
}

void csr_transposed_times_dense(DeviceCall& call, const Value& x, const Value& b, const std::byte* scale) {
  Segments columns = columns_of(call, x);
  if (call.out().type.layout == Layout::dense) {
    clear_output(call);
    columns.to = call.pattern(x).active();
  }
  multiply_columns(call, x, columns, scale, b, b.shape()[1]);
}

void dense_times_csr(DeviceCall& call, const Value& a, const Value& x) {
  clear_output(call);
  Segments columns = columns_of(call, x);
  columns.to = call.pattern(x).active();
  multiply_from_left(call, a, x, columns, x.pattern->columns);
}

void dense_times_csr_transposed(DeviceCall& call, const Value& a, const Value& x) {
  DevicePattern& pattern = call.pattern(x);
  multiply_from_left(call, a, x, {pattern.row_start(), x.pattern->rows, pattern.column()}, x.pattern->rows);
}

void dot_rows(DeviceCall& call, const Value& a, const Value& b, Value& y) {
  dots(call, a, b, y.data, y.stored, nullptr, nullptr);
}

void sampled_product(DeviceCall& call, const Value& pattern, const Value& u, const Value& v) {
  DevicePattern& on_device = call.pattern(pattern);
  dots(call, u, v, call.out().data, pattern.pattern->non_zeros(), on_device.row(), on_device.column());
}

}  // namespace gradus
