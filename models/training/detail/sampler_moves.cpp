#include <gradus/models/training/detail/sampler_moves.h>

#include <gradus/core/cpu.h>
#include <gradus/models/training/detail/vectors.h>

#include <algorithm>
#include <cmath>

namespace gradus {

namespace {

// What a parameter moves by is at[n] - by[n] sum h e, element by element of [count, 8].
template <int count>
struct Conditionals {
  float at[8 * count], by[8 * count];

  [[gnu::always_inline]] Conditionals(const MoveParameters& t, const float* hh) {
    const float* const z = t.z;
    for (int n = 0; n < 8 * count; ++n) {
      const float precision = t.alpha * hh[n] + t.lambda[n];
      const float s2 = precision > 0 ? 1 / precision : 0;  // without rows and a prior it stays where it is
      at[n] = -s2 * t.lambda[n] * (t.t[n] - t.mu[n]);
      by[n] = s2 * t.alpha;
      if (z != nullptr) at[n] += std::sqrt(s2) * z[n];
    }
  }
  // The moves of parameter i of all lanes, which are written.
  [[gnu::always_inline]] void move(std::int64_t i, const Eight& he, const MoveParameters& t, Eight& delta) const {
    delta = eight(at + 8 * i).v - eight(by + 8 * i).v * he;
    store(t.delta + 8 * i, delta);
  }
};

[[gnu::always_inline]] inline void set_all(float* to, float x) {
  for (int j = 0; j < 8; ++j) to[j] = x;
}

constexpr std::int64_t most_steps = 512;  // of a float32 sum, before it is added to others

struct MoveOne {
  [[gnu::always_inline]] static void run(const MoveParameters* task) {
    const MoveParameters t = *task;
    const std::int64_t end = 8 * t.length;
    Eight he_sum{}, hh_sum{};
    for (std::int64_t first = 0; first < end; first += 8 * most_steps) {
      Eight he{}, hh{};
      for (std::int64_t r = first; r < std::min(first + 8 * most_steps, end); r += 8) {
        const Eight h = eight(t.H + r).v;
        he += h * eight(t.e + r).v;
        hh += h * h;
      }
      he_sum += he;
      hh_sum += hh;
    }
    float hh[8];
    store(hh, hh_sum);
    if (t.of_one_feature) {
      const float he = sum(he_sum);
      he_sum = Eight{he, he, he, he, he, he, he, he};
      set_all(hh, sum(hh_sum));
    }
    Eight delta;
    Conditionals<1>(t, hh).move(0, he_sum, t, delta);
    for (std::int64_t r = 0; r < end; r += 8) store(t.e + r, Eight(eight(t.e + r).v + delta * eight(t.H + r).v));
  }
};

// One pass over the slopes of four parameters finds the sums of h e and of h h, and one those of products of two
// slopes, which say how each parameter, as it moves, changes the sums of h e of the next.
struct MoveFour {
  [[gnu::always_inline]] static void run(const MoveParameters* task) {
    const MoveParameters t = *task;
    const std::int64_t column = 8 * t.length;
    float he[32], hh[32], products[48];
    add_sums<false>(t, 0, std::min(8 * most_steps, column), he, hh, products);
    for (std::int64_t first = 8 * most_steps; first < column; first += 8 * most_steps)
      add_sums<true>(t, first, std::min(first + 8 * most_steps, column), he, hh, products);
    if (t.of_one_feature) {
      sum_lanes(he);
      sum_lanes(hh);
      sum_lanes(products);
      for (std::int64_t i = 4; i < 6; ++i) set_all(products + 8 * i, sum(eight(products + 8 * i).v));
    }
    const Conditionals<4> conditionals(t, hh);
    Eight delta0, delta1, delta2, delta3;
    conditionals.move(0, eight(he).v, t, delta0);
    const Eight he1 = eight(he + 8).v + delta0 * eight(products).v;
    conditionals.move(1, he1, t, delta1);
    const Eight he2 = eight(he + 16).v + delta0 * eight(products + 8).v + delta1 * eight(products + 16).v;
    conditionals.move(2, he2, t, delta2);
    const Eight he3 = eight(he + 24).v + delta0 * eight(products + 24).v + delta1 * eight(products + 32).v +
                      delta2 * eight(products + 40).v;
    conditionals.move(3, he3, t, delta3);
    const float* const H = t.H;
    for (std::int64_t r = 0; r < column; r += 8)
      store(t.e + r, Eight(eight(t.e + r).v + delta0 * eight(H + r).v + delta1 * eight(H + column + r).v +
                           delta2 * eight(H + 2 * column + r).v + delta3 * eight(H + 3 * column + r).v));
  }

 private:
  template <bool adds>
  [[gnu::always_inline]] static void put(float* to, const Eight& sums) {
    store(to, adds ? Eight(eight(to).v + sums) : sums);
  }
  // products: 01, 02, 12, 03, 13, 23
  template <bool adds>
  [[gnu::always_inline]] static void add_sums(const MoveParameters& t, std::int64_t first, std::int64_t last, float* he,
                                              float* hh, float* products) {
    const std::int64_t column = 8 * t.length;
    const float *const H0 = t.H, *const H1 = H0 + column, *const H2 = H1 + column, *const H3 = H2 + column;
    {
      Eight e0{}, e1{}, e2{}, e3{}, h0{}, h1{}, h2{}, h3{};
      for (std::int64_t r = first; r < last; r += 8) {
        const Eight e = eight(t.e + r).v, a = eight(H0 + r).v, b = eight(H1 + r).v, c = eight(H2 + r).v,
                    d = eight(H3 + r).v;
        e0 += a * e;
        e1 += b * e;
        e2 += c * e;
        e3 += d * e;
        h0 += a * a;
        h1 += b * b;
        h2 += c * c;
        h3 += d * d;
      }
      put<adds>(he, e0), put<adds>(he + 8, e1), put<adds>(he + 16, e2), put<adds>(he + 24, e3);
      put<adds>(hh, h0), put<adds>(hh + 8, h1), put<adds>(hh + 16, h2), put<adds>(hh + 24, h3);
    }
    Eight ab{}, ac{}, bc{}, ad{}, bd{}, cd{};
    for (std::int64_t r = first; r < last; r += 8) {
      const Eight a = eight(H0 + r).v, b = eight(H1 + r).v, c = eight(H2 + r).v, d = eight(H3 + r).v;
      ab += a * b;
      ac += a * c;
      bc += b * c;
      ad += a * d;
      bd += b * d;
      cd += c * d;
    }
    put<adds>(products, ab), put<adds>(products + 8, ac), put<adds>(products + 16, bc);
    put<adds>(products + 24, ad), put<adds>(products + 32, bd), put<adds>(products + 40, cd);
  }
  // Four sums over lanes, each in all lanes.
  [[gnu::always_inline]] static void sum_lanes(float* of) {
    const Four all = sums(eight(of).v, eight(of + 8).v, eight(of + 16).v, eight(of + 24).v);
    for (std::int64_t i = 0; i < 4; ++i) set_all(of + 8 * i, all[i]);
  }
};

struct AddProducts {
  [[gnu::always_inline]] static void run(const float* H, const float* t, std::int64_t count, std::int64_t length,
                                         float* f) {
    std::int64_t c = 0;
    for (; c + 4 <= count; c += 4) add<4>(H + 8 * c * length, t + 8 * c, length, f);
    for (; c < count; ++c) add<1>(H + 8 * c * length, t + 8 * c, length, f);
  }

 private:
  template <int count>
  [[gnu::always_inline]] static void add(const float* H, const float* t, std::int64_t length, float* f) {
    const std::int64_t column = 8 * length;
    Eight by[count];
    for (std::int64_t i = 0; i < count; ++i) by[i] = eight(t + 8 * i).v;
    for (std::int64_t r = 0; r < column; r += 8) {
      Eight out = eight(f + r).v;
      for (int i = 0; i < count; ++i) out += by[i] * eight(H + i * column + r).v;
      store(f + r, out);
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

}  // namespace

void move_one(const MoveParameters& task) {
  static const auto run = compiled_here<MoveOne, const MoveParameters*>();
  run(&task);
}

void move_four(const MoveParameters& task) {
  static const auto run = compiled_here<MoveFour, const MoveParameters*>();
  run(&task);
}

void add_products(const float* H, const float* t, std::int64_t count, std::int64_t length, float* f) {
  static const auto run = compiled_here<AddProducts, const float*, const float*, std::int64_t, std::int64_t, float*>();
  run(H, t, count, length, f);
}

void add_rows(Gram& gram, const float* H, const float* e, std::int64_t length) {
  static const auto run =
      compiled_here<AddToGram, double*, double*, std::int64_t, const float*, const float*, std::int64_t>();
  run(gram.G.data(), gram.b.data(), gram.side, H, e, 8 * length);
}

void move_by_gram(const Gram& gram, const MoveParameters& t) {
  std::vector<double> b = gram.b;
  const auto G = [&](std::int64_t c, std::int64_t d) {
    return gram.G[static_cast<std::size_t>(std::max(c, d) * gram.side + std::min(c, d))];
  };
  for (std::int64_t c = 0; c < gram.count; ++c) {
    const auto at = static_cast<std::size_t>(c);
    const double alpha = static_cast<double>(t.alpha), lambda = static_cast<double>(t.lambda[8 * c]);
    const double precision = alpha * G(c, c) + lambda;
    const double s2 = precision > 0 ? 1 / precision : 0;  // without rows and a prior it stays where it is
    const double z = t.z != nullptr ? static_cast<double>(t.z[8 * c]) : 0;
    const double off = static_cast<double>(t.t[8 * c]) - static_cast<double>(t.mu[8 * c]);
    const auto delta = static_cast<float>(std::sqrt(s2) * z - s2 * (lambda * off + alpha * b[at]));
    std::fill_n(t.delta + 8 * c, 8, delta);
    for (std::int64_t d = c + 1; d < gram.count; ++d)
      b[static_cast<std::size_t>(d)] += static_cast<double>(delta) * G(c, d);
  }
}

}  // namespace gradus
