#include <gradus/models/training/detail/sampler_loops.h>

#include <gradus/core/cpu.h>
#include <gradus/models/training/detail/vectors.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace gradus {

namespace {

// Squares of four rows by four columns, turned in registers: plain code would write H one element at a time.
struct Gather {
  [[gnu::always_inline]] static void run(const GatherSlopes* task) {
    if (task->own == nullptr)
      gather<false, false>(*task);
    else if (task->terms == 1)
      gather<true, false>(*task);
    else
      gather<true, true>(*task);
  }

 private:
  template <bool subtracts, bool has_terms>
  [[gnu::always_inline]] static void gather(const GatherSlopes t) {
    const std::int64_t step = padded(t.rows), of_term = (t.columns + 3) / 4 * 4;
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
          if constexpr (subtracts) a[j] -= x[j] * four(t.own + c).v;
          if constexpr (has_terms) {
            Four others = a[j];
            for (std::int64_t term = 1; term < t.terms; ++term) {
              others = four(row[j] + term * of_term + c).v - x[j] * four(t.own + c).v * others;
              a[j] += others;
            }
          }
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
    if (task->terms == 1)
      add(*task);
    else
      add_terms(*task);
  }

 private:
  [[gnu::always_inline]] static void add(const AddToRows t) {
    for (std::int64_t n = 0; n < t.rows; ++n) {
      float* const row = t.table + t.stride * t.index[n];
      const float x = t.x[n];
      for (std::int64_t c = 0; c < t.columns; c += 4) store(row + c, Four(four(row + c).v + x * four(t.delta + c).v));
    }
  }
  [[gnu::always_inline]] static void add_terms(const AddToRows t) {
    const std::int64_t of_term = (t.columns + 3) / 4 * 4;
    for (std::int64_t n = 0; n < t.rows; ++n) {
      float* const row = t.table + t.stride * t.index[n];
      const float x = t.x[n];
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
    const FieldSlopes t = *task;
    const std::int64_t step = padded(t.rows);
    const std::int64_t own = t.field_of[t.feature];
    std::fill_n(t.H, t.fields * t.k * step, 0.0F);
    if (own < 0) return;
    for (std::int64_t r = 0; r < t.rows; ++r)
      for (std::int64_t at = t.row_start[t.index[r]]; at < t.row_start[t.index[r] + 1]; ++at) {
        const Index j = t.column[at];
        const std::int64_t field = t.field_of[j];
        if (j == t.feature || field < 0) continue;
        const float by = t.scale[r] * t.value[at];
        const float* const v = t.V + t.stride * j + own * t.k;
        float* const to = t.H + field * t.k * step + r;
        for (std::int64_t c = 0; c < t.k; ++c) to[c * step] += by * v[c];
      }
  }
};

// sum a b of padded rows
[[gnu::always_inline]] inline float padded_dot(const float* a, const float* b, std::int64_t rows) {
  Eight s0{}, s1{};
  for (std::int64_t r = 0; r < rows; r += slope_lanes) {
    s0 += eight(a + r).v * eight(b + r).v;
    s1 += eight(a + r + 8).v * eight(b + r + 8).v;
  }
  return sum(s0 + s1);
}

// Parameters move four at a time: one pass over their slopes finds the sums of h e and, as each of the four changes
// what the next see of e, of the products of their slopes.
constexpr int at_once = 4;

struct Move {
  [[gnu::always_inline]] static void run(const MoveParameters* tasks, std::size_t count) {
    const std::span<const MoveParameters> features(tasks, count);
    for (const MoveParameters& t : features) {
      for (std::int64_t r = 0; r < t.rows; ++r) t.e_here[r] = t.e[t.index[r]];
      std::fill(t.e_here + t.rows, t.e_here + padded(t.rows), 0.0F);
    }
    const std::int64_t parameters = features.front().count, whole = parameters / at_once * at_once;
    for (std::int64_t c = 0; c < whole; c += at_once)
      for (const MoveParameters& t : features) c == 0 ? move<0, at_once>(t, c) : move<at_once, at_once>(t, c);
    switch (parameters - whole) {
      case 1: return last<1>(features, whole);
      case 2: return last<2>(features, whole);
      case 3: return last<3>(features, whole);
      default: return last<0>(features, whole);
    }
  }

 private:
  // The parameters from `whole` on, which are none or not at_once.
  template <int here>
  [[gnu::always_inline]] static void last(std::span<const MoveParameters> features, std::int64_t whole) {
    if constexpr (here > 0)
      for (const MoveParameters& t : features) whole == 0 ? move<0, here>(t, whole) : move<at_once, here>(t, whole);
    for (const MoveParameters& t : features) here > 0 ? end<here>(t, whole) : end<at_once>(t, whole - at_once);
  }

  // e += sum of delta h of the `before` parameters in front of c, and the moves of `here` from c on.
  template <int before, int here>
  [[gnu::always_inline]] static void move(const MoveParameters& t, std::int64_t c) {
    constexpr std::int64_t most = 4096;  // rows of a float32 sum, before it is added to others
    const std::int64_t step = padded(t.rows);
    float he[here], hh[here][here];
    some_rows<before, here>(t, c, 0, std::min(step, most), he, hh);
    if (step > most) {
      double he_sum[here], hh_sum[here][here];
      std::copy_n(he, here, he_sum);
      std::copy_n(&hh[0][0], here * here, &hh_sum[0][0]);
      for (std::int64_t first = most; first < step; first += most) {
        some_rows<before, here>(t, c, first, std::min(first + most, step), he, hh);
        for (int i = 0; i < here; ++i) he_sum[i] += static_cast<double>(he[i]);
        for (int i = 0; i < here * here; ++i) (&hh_sum[0][0])[i] += static_cast<double>((&hh[0][0])[i]);
      }
      for (int i = 0; i < here; ++i) he[i] = static_cast<float>(he_sum[i]);
      for (int i = 0; i < here * here; ++i) (&hh[0][0])[i] = static_cast<float>((&hh_sum[0][0])[i]);
    }
    for (int i = 0; i < here; ++i) {
      const std::int64_t at = c + i;
      const float precision = t.alpha * hh[i][i] + t.lambda[at];
      const float s2 = precision > 0 ? 1 / precision : 0;  // without rows and a prior it stays where it is
      const float delta =
          (t.z != nullptr ? std::sqrt(s2) * t.z[at] : 0) - s2 * (t.lambda[at] * (t.t[at] - t.mu[at]) + t.alpha * he[i]);
      t.delta[at] = delta;
      for (int j = i + 1; j < here; ++j) he[j] += delta * hh[i][j];  // of the others that are yet to move
    }
  }

  // hh[i][j] for i <= j; the others are set to 0.
  template <int before, int here>
  [[gnu::always_inline]] static void some_rows(const MoveParameters& t, std::int64_t c, std::int64_t first,
                                               std::int64_t last, float* he, float (*hh)[here]) {
    const std::int64_t step = padded(t.rows);
    const float *const moved = t.H + (c - before) * step, *const H = t.H + c * step;
    float by[before + 1];
    for (int j = 0; j < before; ++j) by[j] = t.delta[c - before + j];
    Eight he_lanes[here] = {}, hh_lanes[here][here] = {};
    for (std::int64_t r = first; r < last; r += 8) {
      Eight e = eight(t.e_here + r).v;
      for (int j = 0; j < before; ++j) e += by[j] * eight(moved + j * step + r).v;
      if constexpr (before > 0) store(t.e_here + r, e);
      Eight h[here];
      for (int i = 0; i < here; ++i) {
        h[i] = eight(H + i * step + r).v;
        he_lanes[i] += h[i] * e;
        for (int j = 0; j <= i; ++j) hh_lanes[j][i] += h[j] * h[i];
      }
    }
    if constexpr (here == at_once) {
      store(he, sums(he_lanes[0], he_lanes[1], he_lanes[2], he_lanes[3]));
      const Eight none{};
      store(hh[0], sums(hh_lanes[0][0], hh_lanes[0][1], hh_lanes[0][2], hh_lanes[0][3]));
      store(hh[1], sums(none, hh_lanes[1][1], hh_lanes[1][2], hh_lanes[1][3]));
      const Four rest = sums(hh_lanes[2][2], hh_lanes[2][3], hh_lanes[3][3], none);
      store(hh[2], Four{0, 0, rest[0], rest[1]});
      store(hh[3], Four{0, 0, 0, rest[2]});
    } else {
      for (int i = 0; i < here; ++i) {
        he[i] = sum(he_lanes[i]);
        for (int j = 0; j < here; ++j) hh[i][j] = i <= j ? sum(hh_lanes[i][j]) : 0;
      }
    }
  }

  template <int here>
  [[gnu::always_inline]] static void end(const MoveParameters& t, std::int64_t c) {
    const std::int64_t step = padded(t.rows);
    const float* const H = t.H + c * step;
    for (std::int64_t r = 0; r < t.rows; ++r) {
      float e = t.e_here[r];
      for (int j = 0; j < here; ++j) e += t.delta[c + j] * H[j * step + r];
      t.e[t.index[r]] = e;
    }
  }
};

// Blocks of four by four of G, whose sums stay in registers.
struct AddToGram {
  [[gnu::always_inline]] static void run(double* G, double* b, std::int64_t side, const float* H, const float* e,
                                         std::int64_t step) {
    for (std::int64_t i = 0; i < side; i += 4) {
      for (std::int64_t j = 0; j < i; j += 4) block(G + i * side + j, side, H + i * step, H + j * step, step);
      diagonal(G + i * side + i, b + i, side, H + i * step, e, step);
    }
  }

 private:
  [[gnu::always_inline]] static void block(double* G, std::int64_t side, const float* a, const float* c,
                                           std::int64_t step) {
    Eight sums[4][4] = {};
    for (std::int64_t r = 0; r < step; r += 8) {
      Eight of_c[4];
      for (int j = 0; j < 4; ++j) of_c[j] = eight(c + j * step + r).v;
      for (int i = 0; i < 4; ++i) {
        const Eight of_a = eight(a + i * step + r).v;
        for (int j = 0; j < 4; ++j) sums[i][j] += of_a * of_c[j];
      }
    }
    for (int i = 0; i < 4; ++i) add(G + i * side, gradus::sums(sums[i][0], sums[i][1], sums[i][2], sums[i][3]));
  }
  [[gnu::always_inline]] static void add(double* to, const Four& four_sums) {
    for (int j = 0; j < 4; ++j) to[j] += static_cast<double>(four_sums[j]);
  }
  [[gnu::always_inline]] static void diagonal(double* G, double* b, std::int64_t side, const float* a, const float* e,
                                              std::int64_t step) {
    Eight sums[4][4] = {}, with_e[4] = {};
    for (std::int64_t r = 0; r < step; r += 8) {
      Eight of_a[4];
      const Eight of_e = eight(e + r).v;
      for (int i = 0; i < 4; ++i) {
        of_a[i] = eight(a + i * step + r).v;
        with_e[i] += of_a[i] * of_e;
        for (int j = 0; j <= i; ++j) sums[i][j] += of_a[i] * of_a[j];
      }
    }
    add(b, gradus::sums(with_e[0], with_e[1], with_e[2], with_e[3]));
    for (int i = 0; i < 4; ++i) add(G + i * side, gradus::sums(sums[i][0], sums[i][1], sums[i][2], sums[i][3]));
  }
};

struct AddMoves {
  [[gnu::always_inline]] static void run(const float* H, const float* delta, std::int64_t count, float* sums,
                                         std::int64_t step) {
    for (std::int64_t r = 0; r < step; r += slope_lanes) {
      Eight s0{}, s1{};
      for (std::int64_t c = 0; c < count; ++c) {
        s0 += delta[c] * eight(H + c * step + r).v;
        s1 += delta[c] * eight(H + c * step + r + 8).v;
      }
      store(sums + r, s0);
      store(sums + r + 8, s1);
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

struct Sum {
  [[gnu::always_inline]] static double run(const float* a, std::int64_t count) {
    constexpr std::int64_t most = 1024;
    double out = 0;
    for (std::int64_t first = 0; first < count; first += most) {
      const std::int64_t length = std::min(most, count - first), whole = length / slope_lanes * slope_lanes;
      Eight s0{}, s1{};
      for (std::int64_t r = first; r < first + whole; r += slope_lanes) {
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

void add_to_rows(const AddToRows& task) {
  static const auto run = compiled_here<Add, const AddToRows*>();
  run(&task);
}

void gather_field_slopes(const FieldSlopes& task) {
  static const auto run = compiled_here<GatherFields, const FieldSlopes*>();
  run(&task);
}

void move_parameters(std::span<const MoveParameters> features) {
  static const auto run = compiled_here<Move, const MoveParameters*, std::size_t>();
  run(features.data(), features.size());
}

void add_rows(Gram& gram, const float* H, const float* e, const Index* index, std::int64_t rows) {
  static const auto run =
      compiled_here<AddToGram, double*, double*, std::int64_t, const float*, const float*, std::int64_t>();
  std::array<float, gram_rows> e_here{};
  for (std::int64_t r = 0; r < rows; ++r) e_here[static_cast<std::size_t>(r)] = e[index[r]];
  run(gram.G.data(), gram.b.data(), gram.side, H, e_here.data(), padded(rows));
}

void move_by_gram(const Gram& gram, const MoveParameters& t) {
  std::vector<double> b = gram.b;
  const auto G = [&](std::int64_t c, std::int64_t d) {
    return gram.G[static_cast<std::size_t>(std::max(c, d) * gram.side + std::min(c, d))];
  };
  for (std::int64_t c = 0; c < gram.count; ++c) {
    const auto at = static_cast<std::size_t>(c);
    const double alpha = static_cast<double>(t.alpha), lambda = static_cast<double>(t.lambda[c]);
    const double precision = alpha * G(c, c) + lambda;
    const double s2 = precision > 0 ? 1 / precision : 0;  // without rows and a prior it stays where it is
    const double z = t.z != nullptr ? static_cast<double>(t.z[c]) : 0;
    const double off = static_cast<double>(t.t[c]) - static_cast<double>(t.mu[c]);
    t.delta[c] = static_cast<float>(std::sqrt(s2) * z - s2 * (lambda * off + alpha * b[at]));
    for (std::int64_t d = c + 1; d < gram.count; ++d)
      b[static_cast<std::size_t>(d)] += static_cast<double>(t.delta[c]) * G(c, d);
  }
}

void add_moves(const float* H, const float* delta, std::int64_t count, float* e, const Index* index,
               std::int64_t rows) {
  static const auto run = compiled_here<AddMoves, const float*, const float*, std::int64_t, float*, std::int64_t>();
  std::array<float, gram_rows> sums;
  run(H, delta, count, sums.data(), padded(rows));
  for (std::int64_t r = 0; r < rows; ++r) e[index[r]] += sums[static_cast<std::size_t>(r)];
}

double dot(std::span<const float> a, std::span<const float> b) {
  static const auto run = compiled_here<Dot, const float*, const float*, std::int64_t>();
  return run(a.data(), b.data(), static_cast<std::int64_t>(a.size()));
}

double sum(std::span<const float> a) {
  static const auto run = compiled_here<Sum, const float*, std::int64_t>();
  return run(a.data(), static_cast<std::int64_t>(a.size()));
}

}  // namespace gradus
