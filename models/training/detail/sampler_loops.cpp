#include <gradus/models/training/detail/sampler_loops.h>

#include <gradus/core/cpu.h>
#include <gradus/models/training/detail/vectors.h>

#include <algorithm>
#include <cmath>

namespace gradus {

namespace {

// Squares of four rows by four columns, turned in registers: plain code would write H one element at a time.
struct Gather {
  [[gnu::always_inline]] static void run(const GatherSlopes* task) {
    if (task->minus != nullptr)
      gather<true>(*task);
    else
      gather<false>(*task);
  }

 private:
  template <bool subtracts>
  [[gnu::always_inline]] static void gather(const GatherSlopes t) {
    const std::int64_t step = padded(t.rows);
    for (std::int64_t r = 0; r < step; r += 4) {
      const float* row[4];
      Four scale{}, x{};
      for (int j = 0; j < 4; ++j) {
        const std::int64_t n = std::min(r + j, t.rows - 1);
        row[j] = t.table + t.stride * t.index[n];
        scale[j] = r + j < t.rows ? t.scale[n] : 0;
        if constexpr (subtracts) x[j] = t.x[n];
      }
      for (std::int64_t c = 0; c < t.columns; c += 4) {
        Four a[4];
        for (int j = 0; j < 4; ++j) {
          a[j] = four(row[j] + c).v;
          if constexpr (subtracts) a[j] -= x[j] * four(t.minus + c).v;
          a[j] *= scale[j];
        }
        const Four low01 = __builtin_shufflevector(a[0], a[1], 0, 4, 1, 5),
                   high01 = __builtin_shufflevector(a[0], a[1], 2, 6, 3, 7);
        const Four low23 = __builtin_shufflevector(a[2], a[3], 0, 4, 1, 5),
                   high23 = __builtin_shufflevector(a[2], a[3], 2, 6, 3, 7);
        float* const to = t.H + c * step + r;
        store(to, Four(__builtin_shufflevector(low01, low23, 0, 1, 4, 5)));
        store(to + step, Four(__builtin_shufflevector(low01, low23, 2, 3, 6, 7)));
        store(to + 2 * step, Four(__builtin_shufflevector(high01, high23, 0, 1, 4, 5)));
        store(to + 3 * step, Four(__builtin_shufflevector(high01, high23, 2, 3, 6, 7)));
      }
    }
  }
};

struct Add {
  [[gnu::always_inline]] static void run(const AddToRows* task) {
    const AddToRows t = *task;
    for (std::int64_t n = 0; n < t.rows; ++n) {
      float* const row = t.table + t.stride * t.index[n];
      const float x = t.x[n];
      for (std::int64_t c = 0; c < t.columns; c += 4) store(row + c, Four(four(row + c).v + x * four(t.delta + c).v));
    }
  }
};

// The sum of block(first, last) over blocks of padded rows: of float32 sums within each, of double beyond.
template <class Block>
[[gnu::always_inline]] inline float sum_of_blocks(std::int64_t rows, Block&& block) {
  constexpr std::int64_t most = 4096;
  if (rows <= most) return block(0, rows);
  double out = 0;
  for (std::int64_t first = 0; first < rows; first += most)
    out += static_cast<double>(block(first, std::min(first + most, rows)));
  return static_cast<float>(out);
}

// sum a b of padded rows
[[gnu::always_inline]] inline float padded_dot(const float* a, const float* b, std::int64_t rows) {
  return sum_of_blocks(rows, [&](std::int64_t first, std::int64_t last) {
    Eight s0{}, s1{};
    for (std::int64_t r = first; r < last; r += slope_lanes) {
      s0 += eight(a + r).v * eight(b + r).v;
      s1 += eight(a + r + 8).v * eight(b + r + 8).v;
    }
    return sum(s0 + s1);
  });
}

// e += by g, and then sum h e
[[gnu::always_inline]] inline float move_and_dot(float* e, float by, const float* g, const float* h,
                                                 std::int64_t rows) {
  return sum_of_blocks(rows, [&](std::int64_t first, std::int64_t last) {
    Eight s0{}, s1{};
    for (std::int64_t r = first; r < last; r += slope_lanes) {
      const Eight e0 = eight(e + r).v + by * eight(g + r).v;
      const Eight e1 = eight(e + r + 8).v + by * eight(g + r + 8).v;
      store(e + r, e0);
      store(e + r + 8, e1);
      s0 += e0 * eight(h + r).v;
      s1 += e1 * eight(h + r + 8).v;
    }
    return sum(s0 + s1);
  });
}

struct Move {
  [[gnu::always_inline]] static void run(const MoveParameters* tasks, std::size_t count) {
    const std::span<const MoveParameters> features(tasks, count);
    for (const MoveParameters& t : features) begin(t);
    for (std::int64_t c = 0; c < features.front().count; ++c)
      for (const MoveParameters& t : features) {
        const std::int64_t step = padded(t.rows), before = c > 0 ? c - 1 : 0;
        const float by = c > 0 ? t.delta[before] : 0;
        t.delta[c] -= t.s2[c] * move_and_dot(t.e_here, by, t.H + before * step, t.H + c * step, step);
      }
    for (const MoveParameters& t : features) {
      const float by = t.delta[t.count - 1];
      const float* const h = t.H + (t.count - 1) * padded(t.rows);
      for (std::int64_t r = 0; r < t.rows; ++r) t.e[t.index[r]] = t.e_here[r] + by * h[r];
    }
  }

 private:
  // All of delta but what e has to say, and alpha s2.
  [[gnu::always_inline]] static void begin(const MoveParameters& t) {
    const std::int64_t step = padded(t.rows);
    for (std::int64_t r = 0; r < t.rows; ++r) t.e_here[r] = t.e[t.index[r]];
    std::fill(t.e_here + t.rows, t.e_here + step, 0.0F);
    for (std::int64_t c = 0; c < t.count; ++c) t.s2[c] = padded_dot(t.H + c * step, t.H + c * step, step);
    for (std::int64_t c = 0; c < t.count; ++c) {
      const float precision = t.alpha * t.s2[c] + t.lambda[c];
      t.s2[c] = precision > 0 ? 1 / precision : 0;  // without rows and a prior it stays where it is
      t.delta[c] = (t.z != nullptr ? std::sqrt(t.s2[c]) * t.z[c] : 0) - t.s2[c] * t.lambda[c] * (t.t[c] - t.mu[c]);
      t.s2[c] *= t.alpha;
    }
  }
};

struct Dot {
  [[gnu::always_inline]] static double run(const float* a, const float* b, std::int64_t count) {
    constexpr std::int64_t most = 1024;
    double out = 0;
    for (std::int64_t first = 0; first < count; first += most) {
      const std::int64_t length = std::min(most, count - first), whole = length / slope_lanes * slope_lanes;
      out += static_cast<double>(padded_dot(a + first, b + first, whole));
      for (std::int64_t i = first + whole; i < first + length; ++i)
        out += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return out;
  }
};

}  // namespace

void gather_slopes(const GatherSlopes& task) {
  static const auto run = compiled_here<Gather, const GatherSlopes*>();
  run(&task);
}

void add_to_rows(const AddToRows& task) {
  static const auto run = compiled_here<Add, const AddToRows*>();
  run(&task);
}

void move_parameters(std::span<const MoveParameters> features) {
  static const auto run = compiled_here<Move, const MoveParameters*, std::size_t>();
  run(features.data(), features.size());
}

double dot(std::span<const float> a, std::span<const float> b) {
  static const auto run = compiled_here<Dot, const float*, const float*, std::int64_t>();
  return run(a.data(), b.data(), static_cast<std::int64_t>(a.size()));
}

}  // namespace gradus
