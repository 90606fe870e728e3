#include <gradus/models/training/detail/sampler_loops.h>

#include <gradus/core/cpu.h>
#include <gradus/models/training/detail/vectors.h>

#include <algorithm>

namespace gradus {

namespace {

// Vectors are given back by reference: how they are returned depends on the instruction set.
[[gnu::always_inline]] inline void read_fours(const float* low, const float* high, Eight& out) {
  const Four a = four(low).v, b = four(high).v;
  out = Eight(__builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7));
}
// Within each half, four rows by four columns into columns by rows.
[[gnu::always_inline]] inline void turn_fours(Eight& a, Eight& b, Eight& c, Eight& d) {
  const Eight low_ab = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13),
              high_ab = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15),
              low_cd = __builtin_shufflevector(c, d, 0, 8, 1, 9, 4, 12, 5, 13),
              high_cd = __builtin_shufflevector(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
  a = Eight(__builtin_shufflevector(low_ab, low_cd, 0, 1, 8, 9, 4, 5, 12, 13));
  b = Eight(__builtin_shufflevector(low_ab, low_cd, 2, 3, 10, 11, 6, 7, 14, 15));
  c = Eight(__builtin_shufflevector(high_ab, high_cd, 0, 1, 8, 9, 4, 5, 12, 13));
  d = Eight(__builtin_shufflevector(high_ab, high_cd, 2, 3, 10, 11, 6, 7, 14, 15));
}

// Not in a loop, which g++ would make one of memory.
[[gnu::always_inline]] inline void put_fours(const Eight (&a)[4], float* to, std::int64_t step) {
  store(to, a[0]);
  store(to + step, a[1]);
  store(to + 2 * step, a[2]);
  store(to + 3 * step, a[3]);
}

// Eight rows by four columns, turned in registers: plain code would write H one element at a time.
struct Gather {
  [[gnu::always_inline]] static void run(const GatherSlopes* task) {
    const GatherSlopes& t = *task;
    if (t.x != nullptr)
      t.terms == 1 ? gather<true, true, false>(t, t.index) : gather<true, true, true>(t, t.index);
    else if (t.scale != nullptr)
      gather<true, false, false>(t, t.index);
    else if (t.short_index != nullptr)
      gather<false, false, false>(t, t.short_index);
    else
      gather<false, false, false>(t, t.index);
  }

 private:
  template <bool scales, bool subtracts, bool has_terms, class AnyIndex>
  [[gnu::always_inline]] static void gather(const GatherSlopes t, const AnyIndex* index) {
    const std::int64_t column = 8 * t.length, stride = subtracts ? t.stride : 4;
    for (std::int64_t c = 0; c < t.columns; c += 4) {
      const float* const table = t.table + c;
      float* const H = t.H + c * column;
      Eight own[4];
      if constexpr (subtracts)
        for (std::size_t j = 0; j < 4; ++j) read_fours(t.own[j] + c, t.own[j + 4] + c, own[j]);
      for (std::int64_t r = 0; r < column; r += 8) {
        Eight a[4];
        for (int j = 0; j < 4; ++j) {
          const float *const low = table + stride * index[r + j], *const high = table + stride * index[r + j + 4];
          read_fours(low, high, a[j]);
          if constexpr (subtracts) {
            Eight by;
            twice_four(t.x + r + j, by);
            by *= own[j];
            a[j] -= by;
            if constexpr (has_terms) {
              Eight others = a[j], all;
              for (std::int64_t term = 1; term < t.terms; ++term) {
                read_fours(low + term * t.of_term, high + term * t.of_term, all);
                others = all - by * others;
                a[j] += others;
              }
            }
          }
          if constexpr (scales) {
            Eight scale;
            twice_four(t.scale + r + j, scale);
            a[j] *= scale;
          }
        }
        turn_fours(a[0], a[1], a[2], a[3]);
        put_fours(a, H + r, column);
      }
    }
  }
  // Each of two lanes four times.
  [[gnu::always_inline]] static void twice_four(const float* of, Eight& out) {
    const float low = of[0], high = of[4];
    out = Eight{low, low, low, low, high, high, high, high};
  }
};

struct Turn {
  [[gnu::always_inline]] static void run(const float* const* of, std::int64_t columns, float* t) {
    for (std::int64_t c = 0; c < columns; c += 4) {
      Eight a[4];
      for (int j = 0; j < 4; ++j) read_fours(of[j] + c, of[j + 4] + c, a[j]);
      turn_fours(a[0], a[1], a[2], a[3]);
      put_fours(a, t + 8 * c, 8);
    }
  }
};

struct Add {
  [[gnu::always_inline]] static void run(const AddToRows* task) {
    if (task->terms == 1)
      add(*task);
    else
      add_terms(*task);
  }

 private:
  [[gnu::always_inline]] static void add(const AddToRows t) {
    for (std::int64_t n = 0; n < t.rows; ++n) {
      float* const row = t.table + t.stride * t.index[8 * n];
      const float x = t.x[8 * n];
      for (std::int64_t c = 0; c < t.columns; c += 4) store(row + c, Four(four(row + c).v + x * four(t.delta + c).v));
    }
  }
  [[gnu::always_inline]] static void add_terms(const AddToRows t) {
    const std::int64_t of_term = (t.columns + 3) / 4 * 4;
    for (std::int64_t n = 0; n < t.rows; ++n) {
      float* const row = t.table + t.stride * t.index[8 * n];
      const float x = t.x[8 * n];
      for (std::int64_t c = 0; c < t.columns; c += 4) {
        const Four by = x * four(t.delta + c).v, own = t.own != nullptr ? Four(x * four(t.own + c).v) : Four{};
        Four others = {1, 1, 1, 1};
        for (std::int64_t term = 0; term < t.terms; ++term) {
          float* const at = row + term * of_term + c;
          const Four before = four(at).v;
          store(at, Four(before + by * others));
          others = before - own * others;
        }
      }
    }
  }
};

struct GatherFields {
  [[gnu::always_inline]] static void run(const FieldSlopes* task) {
    const FieldSlopes& t = *task;
    const std::int64_t column = 8 * t.length;
    std::fill_n(t.H, (t.fields * t.k + 3) / 4 * 4 * column, 0.0F);
    for (std::size_t j = 0; j < 8; ++j) {
      const Index feature = t.feature[j];
      const std::int64_t own = t.field_of[feature];
      if (own < 0) continue;
      for (std::int64_t r = 0; r < t.count[j]; ++r) {
        const std::int64_t here = 8 * r + static_cast<std::int64_t>(j);
        for (std::int64_t at = t.row_start[t.row[here]]; at < t.row_start[t.row[here] + 1]; ++at) {
          const Index other = t.column[at];
          const std::int64_t field = t.field_of[other];
          if (other == feature || field < 0) continue;
          const float by = t.scale[here] * t.value[at];
          const float* const v = t.V + t.stride * other + own * t.k;
          float* const to = t.H + field * t.k * column + here;
          for (std::int64_t c = 0; c < t.k; ++c) to[c * column] += by * v[c];
        }
      }
    }
  }
};

// sum a b of a multiple of `at_once` numbers
constexpr std::int64_t at_once = 16;
[[gnu::always_inline]] inline float whole_dot(const float* a, const float* b, std::int64_t count) {
  Eight s0{}, s1{};
  for (std::int64_t r = 0; r < count; r += at_once) {
    s0 += eight(a + r).v * eight(b + r).v;
    s1 += eight(a + r + 8).v * eight(b + r + 8).v;
  }
  return sum(s0 + s1);
}

struct DotInDouble {
  [[gnu::always_inline]] static double run(const float* a, const float* b, std::int64_t count) {
    constexpr std::int64_t most = 1024;
    double out = 0;
    for (std::int64_t first = 0; first < count; first += most) {
      const std::int64_t length = std::min(most, count - first), whole = length / at_once * at_once;
      out += static_cast<double>(whole_dot(a + first, b + first, whole));
      for (std::int64_t i = first + whole; i < first + length; ++i)
        out += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return out;
  }
};

struct SumInDouble {
  [[gnu::always_inline]] static double run(const float* a, std::int64_t count) {
    constexpr std::int64_t most = 1024;
    double out = 0;
    for (std::int64_t first = 0; first < count; first += most) {
      const std::int64_t length = std::min(most, count - first), whole = length / at_once * at_once;
      Eight s0{}, s1{};
      for (std::int64_t r = first; r < first + whole; r += at_once) {
        s0 += eight(a + r).v;
        s1 += eight(a + r + 8).v;
      }
      out += static_cast<double>(sum(s0 + s1));
      for (std::int64_t i = first + whole; i < first + length; ++i) out += static_cast<double>(a[i]);
    }
    return out;
  }
};

}  // namespace

void gather_slopes(const GatherSlopes& task) {
  static const auto run = compiled_here<Gather, const GatherSlopes*>();
  run(&task);
}

void turn(const std::array<const float*, 8>& of, std::int64_t columns, float* t) {
  static const auto run = compiled_here<Turn, const float* const*, std::int64_t, float*>();
  run(of.data(), columns, t);
}

void add_to_rows(const AddToRows& task) {
  static const auto run = compiled_here<Add, const AddToRows*>();
  run(&task);
}

void gather_field_slopes(const FieldSlopes& task) {
  static const auto run = compiled_here<GatherFields, const FieldSlopes*>();
  run(&task);
}

double dot(std::span<const float> a, std::span<const float> b) {
  static const auto run = compiled_here<DotInDouble, const float*, const float*, std::int64_t>();
  return run(a.data(), b.data(), static_cast<std::int64_t>(a.size()));
}

double sum(std::span<const float> a) {
  static const auto run = compiled_here<SumInDouble, const float*, std::int64_t>();
  return run(a.data(), static_cast<std::int64_t>(a.size()));
}

}  // namespace gradus
