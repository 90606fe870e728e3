#include <gradus/models/training/detail/relation_loops.h>

#include <gradus/core/cpu.h>
#include <gradus/models/training/detail/vectors.h>

#include <algorithm>
#include <cmath>

namespace gradus {

namespace {

constexpr std::int64_t far = 16;          // rows that are fetched ahead of their turn
constexpr std::int64_t at_a_time = 1024;  // terms of a float32 sum, before it is added to others

enum class Visit { begin, go_on, end };

template <Visit visit>
struct Lines {
  [[gnu::always_inline]] static void run(const LineRows* task, std::int64_t first, std::int64_t last, std::int64_t from,
                                         std::int64_t to) {
    const LineRows t = *task;
    for (std::int64_t l = first; l < last; ++l) {
      LineSums& line = t.lines[l];
      const LineSums before = line;
      line = {};
      for (std::int64_t r = t.start[l]; r < t.start[l + 1]; r += at_a_time)
        some_rows(t, before, line, r, std::min(t.start[l + 1], r + at_a_time), from, to);
      if constexpr (visit == Visit::go_on) line.count = before.count;
    }
  }

 private:
  [[gnu::always_inline]] static void some_rows(const LineRows& t, const LineSums& before, LineSums& line,
                                               std::int64_t first, std::int64_t last, std::int64_t from,
                                               std::int64_t to) {
    const Four by = four(before.q_by).v;
    Four qq0{}, qq1{}, qq2{}, qq3{}, q_sum{}, qe{};
    float count = 0, e_sum = 0;
    for (std::int64_t r = first; r < last; ++r) {
      const Index n = t.row[r];
      const float g = t.root_weight == nullptr ? 1 : t.root_weight[n];
      if constexpr (visit == Visit::begin) {
        t.e_here[r] = t.e[n];
        count += g * g;
        e_sum += g * t.e[n];
        continue;
      }
      float* const row = t.q + t.stride * n;
      __builtin_prefetch(t.q + t.stride * t.row[std::min(r + far, last - 1)] + std::max(from, std::int64_t{0}));
      float e = t.e_here[r] + g * before.e_by;
      if (from >= 0) {
        const Four q = four(row + from).v;
        e += g * sum(by * q);
        store(row + from, Four(q + by));
      }
      if constexpr (visit == Visit::end) {
        t.e[n] = e;
      } else {
        const Four q = four(row + to).v, weighted = g * g * q;
        qq0 += weighted[0] * q;
        qq1 += weighted[1] * q;
        qq2 += weighted[2] * q;
        qq3 += weighted[3] * q;
        q_sum += weighted;
        qe += g * e * q;
        e_sum += g * e;
        t.e_here[r] = e;
      }
    }
    line.count += count;
    line.e += e_sum;
    const auto add = [](float* to_sum, const Four& v) { store(to_sum, Four(four(to_sum).v + v)); };
    add(line.qq, qq0);
    add(line.qq + 4, qq1);
    add(line.qq + 8, qq2);
    add(line.qq + 12, qq3);
    add(line.q, q_sum);
    add(line.qe, qe);
  }
};

// The move of a parameter whose conditional distribution has these sums of h^2 and h e.
[[gnu::always_inline]] inline float moved_by(float hh, float he, float alpha, float lambda, float t, float mu,
                                             float z) {
  const float precision = alpha * hh + lambda;
  const float s2 = precision > 0 ? 1 / precision : 0;  // without rows and a prior it stays where it is
  return std::sqrt(s2) * z - s2 * (lambda * (t - mu) + alpha * he);
}

struct MoveWeights {
  [[gnu::always_inline]] static void run(const MoveOfLines* task) {
    const MoveOfLines t = *task;
    for (std::int64_t i = 0; i < t.features; ++i) {
      float hh = 0, he = 0;
      for (std::int64_t first = t.start[i]; first < t.start[i + 1]; first += at_a_time) {
        float bb = 0, be = 0;
        for (std::int64_t at = first; at < std::min(t.start[i + 1], first + at_a_time); ++at) {
          const LineSums& line = t.lines[t.line[at]];
          bb += t.b[at] * t.b[at] * line.count;
          be += t.b[at] * line.e;
        }
        hh += bb;
        he += be;
      }
      const float delta = moved_by(hh, he, t.alpha, t.lambda[i], t.t[i], t.mu[i], t.z != nullptr ? t.z[i] : 0);
      t.t[i] += delta;
      for (std::int64_t at = t.start[i]; at < t.start[i + 1]; ++at) {
        LineSums& line = t.lines[t.line[at]];
        line.e += t.b[at] * delta * line.count;
        line.e_by += t.b[at] * delta;
      }
    }
  }
};

struct MoveFactors {
  [[gnu::always_inline]] static void run(const MoveOfLines* task) {
    const MoveOfLines t = *task;
    for (std::int64_t i = 0; i < t.features; ++i) {
      const Four delta = moves(t, i);
      const Four v = four(t.t + 4 * i).v;
      store(t.t + 4 * i, Four(v + delta));
      for (std::int64_t at = t.start[i]; at < t.start[i + 1]; ++at) move(t.lines[t.line[at]], t.b[at], delta, v);
    }
  }

 private:
  // With h_nf = g b (q_nf - v_f b):  sum h_f h_g = sum_l b^2 (qq - b (v_f q_g + q_f v_g) + b^2 v_f v_g count)
  [[gnu::always_inline]] static Four moves(const MoveOfLines& t, std::int64_t i) {
    Four hh[4] = {}, bbb_q{}, he{};
    float bbbb = 0, bb_e = 0;
    for (std::int64_t first = t.start[i]; first < t.start[i + 1]; first += at_a_time) {
      Eight qq01{}, qq23{}, q_qe{};
      Four count_e{};
      for (std::int64_t at = first; at < std::min(t.start[i + 1], first + at_a_time); ++at) {
        const LineSums& line = t.lines[t.line[at]];
        const float b = t.b[at], bb = b * b, bbb = bb * b;
        qq01 += bb * eight(line.qq).v;
        qq23 += bb * eight(line.qq + 8).v;
        q_qe += Eight{bbb, bbb, bbb, bbb, b, b, b, b} * eight(line.q).v;
        count_e += Four{bb * bb, bb, 0, 0} * four(&line.count).v;
      }
      hh[0] += __builtin_shufflevector(qq01, qq01, 0, 1, 2, 3);
      hh[1] += __builtin_shufflevector(qq01, qq01, 4, 5, 6, 7);
      hh[2] += __builtin_shufflevector(qq23, qq23, 0, 1, 2, 3);
      hh[3] += __builtin_shufflevector(qq23, qq23, 4, 5, 6, 7);
      bbb_q += __builtin_shufflevector(q_qe, q_qe, 0, 1, 2, 3);
      he += __builtin_shufflevector(q_qe, q_qe, 4, 5, 6, 7);
      bbbb += count_e[0];
      bb_e += count_e[1];
    }
    const Four v = four(t.t + 4 * i).v;
    he -= bb_e * v;
    Four delta{};
    for (int f = 0; f < 4; ++f) {
      const Four h = hh[f] - v[f] * bbb_q - bbb_q[f] * v + bbbb * v[f] * v;
      const std::int64_t at = 4 * i + f;
      delta[f] = moved_by(h[f], he[f], t.alpha, t.lambda[at], v[f], t.mu[at], t.z != nullptr ? t.z[at] : 0);
      he += delta[f] * h;  // of the others that are yet to move
    }
    return delta;
  }

  // All four at once: as each slope knows nothing of the other factors, e grows by g (<b delta, q> - b <b delta, v>).
  [[gnu::always_inline]] static void move(LineSums& line, float b, const Four& delta, const Four& v) {
    const Four by = b * delta, q = four(line.q).v, q_by = four(line.q_by).v;
    const float less = b * sum(by * v), count = line.count;
    line.e_by += sum(by * q_by) - less;
    line.e += sum(by * q) - less * count;
    const Four row0 = four(line.qq).v, row1 = four(line.qq + 4).v, row2 = four(line.qq + 8).v,
               row3 = four(line.qq + 12).v;
    const Four qe =
        four(line.qe).v + by[0] * row0 + by[1] * row1 + by[2] * row2 + by[3] * row3 - less * q + line.e * by;
    const Four moved = q + count * by;
    store(line.qq, Four(row0 + q[0] * by + by[0] * moved));
    store(line.qq + 4, Four(row1 + q[1] * by + by[1] * moved));
    store(line.qq + 8, Four(row2 + q[2] * by + by[2] * moved));
    store(line.qq + 12, Four(row3 + q[3] * by + by[3] * moved));
    store(line.q, moved);
    store(line.qe, qe);
    store(line.q_by, Four(q_by + by));
  }
};

template <Visit visit>
void over_lines(const LineRows& rows, std::int64_t first, std::int64_t last, std::int64_t from, std::int64_t to) {
  static const auto run =
      compiled_here<Lines<visit>, const LineRows*, std::int64_t, std::int64_t, std::int64_t, std::int64_t>();
  run(&rows, first, last, from, to);
}

}  // namespace

void begin_lines(const LineRows& rows, std::int64_t first, std::int64_t last) {
  over_lines<Visit::begin>(rows, first, last, -1, -1);
}
void go_on_with_lines(const LineRows& rows, std::int64_t first, std::int64_t last, std::int64_t from, std::int64_t to) {
  over_lines<Visit::go_on>(rows, first, last, from, to);
}
void end_lines(const LineRows& rows, std::int64_t first, std::int64_t last, std::int64_t from) {
  over_lines<Visit::end>(rows, first, last, from, -1);
}

void move_weights_of_lines(const MoveOfLines& task) {
  static const auto run = compiled_here<MoveWeights, const MoveOfLines*>();
  run(&task);
}

void move_factors_of_lines(const MoveOfLines& task) {
  static const auto run = compiled_here<MoveFactors, const MoveOfLines*>();
  run(&task);
}

}  // namespace gradus
