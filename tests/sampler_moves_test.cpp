// The moves of a sampler's parameters, of eight features side by side and of one in eight lanes: by the slopes of all
// rows at once, and by Gram's matrix.
#include <gradus/models/training/detail/sampler_moves.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

using namespace gradus;

namespace {

constexpr double alpha = 1.5, lambda = 0.75;

// The moves of the parameters of some lanes, in double, one after the other; e [length, 8] moves along.
std::vector<double> moves(const std::vector<float>& H, std::int64_t length, std::vector<int> lanes,
                          const std::vector<float>& t, const std::vector<float>& z, std::vector<double>& e) {
  std::vector<double> out;
  const auto count = t.size() / 8;
  for (std::size_t c = 0; c < count; ++c) {
    double hh = 0, he = 0;
    const auto by_row = [&](const auto& some) {
      for (std::int64_t r = 0; r < length; ++r)
        for (const int lane : lanes) {
          const auto at = static_cast<std::size_t>(8 * r + lane);
          some(static_cast<double>(H[c * static_cast<std::size_t>(8 * length) + at]), e[at]);
        }
    };
    by_row([&](double h, double of_row) {
      hh += h * h;
      he += h * of_row;
    });
    const double s2 = 1 / (alpha * hh + lambda);
    const std::size_t at = 8 * c + static_cast<std::size_t>(lanes.front());
    out.push_back(std::sqrt(s2) * static_cast<double>(z[at]) -
                  s2 * (alpha * he + lambda * (static_cast<double>(t[at]) - 0.5)));
    by_row([&](double h, double& of_row) { of_row += out.back() * h; });
  }
  return out;
}

}  // namespace

TEST_CASE("parameters move as one after the other would, by their slopes and by Gram's matrix") {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const bool of_one : {false, true})
    for (const std::int64_t length : {0, 1, 7, 100, 512, 1300})
      for (const std::int64_t count : {1, 4, 5, 8}) {
        CAPTURE(of_one);
        CAPTURE(length);
        CAPTURE(count);
        const auto numbers = [&](std::int64_t of) {
          std::vector<float> out;
          for (std::int64_t i = 0; i < of; ++i) out.push_back(normal(random));
          return out;
        };
        const std::int64_t side = (count + 3) / 4 * 4, column = 8 * length;
        std::vector<float> H = numbers(count * column), e = numbers(column), t = numbers(8 * count);
        std::vector<float> z = numbers(8 * count);
        // Of one feature all lanes have the same.
        if (of_one)
          for (std::size_t i = 0; i < t.size(); ++i) {
            t[i] = t[i / 8 * 8];
            z[i] = z[i / 8 * 8];
          }
        const std::vector<float> mu(t.size(), 0.5F), lambdas(t.size(), static_cast<float>(lambda));
        std::vector<double> expected(e.begin(), e.end());
        std::vector<std::vector<double>> deltas;
        if (of_one)
          deltas.assign(8, moves(H, length, {0, 1, 2, 3, 4, 5, 6, 7}, t, z, expected));
        else
          for (int lane = 0; lane < 8; ++lane) deltas.push_back(moves(H, length, {lane}, t, z, expected));
        for (const bool by_gram : {false, true}) {
          if (by_gram && !of_one) continue;
          CAPTURE(by_gram);
          std::vector<float> moved = e, delta(t.size());
          MoveParameters task{.H = H.data(),
                              .length = length,
                              .of_one_feature = of_one,
                              .e = moved.data(),
                              .alpha = static_cast<float>(alpha),
                              .t = t.data(),
                              .mu = mu.data(),
                              .lambda = lambdas.data(),
                              .z = z.data(),
                              .delta = delta.data()};
          if (by_gram) {
            Gram gram(count);
            for (std::int64_t first = 0; first < length; first += gram_steps) {
              const std::int64_t here = std::min(gram_steps, length - first);
              std::vector<float> tile(static_cast<std::size_t>(8 * side * here));
              for (std::int64_t c = 0; c < count; ++c)
                std::copy_n(H.begin() + c * column + 8 * first, 8 * here, tile.begin() + 8 * c * here);
              add_rows(gram, tile.data(), moved.data() + 8 * first, here);
            }
            move_by_gram(gram, task);
            add_products(H.data(), delta.data(), count, length, moved.data());
          } else {
            for (std::int64_t c = 0; c < count;) {
              const bool four = c + 4 <= count;
              four ? move_four(task) : move_one(task);
              const std::int64_t by = four ? 4 : 1;
              task.H += by * column;
              for (const float** each : {&task.t, &task.mu, &task.lambda, &task.z}) *each += 8 * by;
              task.delta += 8 * by;
              c += by;
            }
          }
          for (std::size_t lane = 0; lane < 8; ++lane)
            for (std::size_t c = 0; c < deltas[lane].size(); ++c)
              CHECK(std::abs(static_cast<double>(delta[8 * c + lane]) - deltas[lane][c]) <
                    1e-5 * (1 + std::abs(deltas[lane][c])));
          for (std::size_t at = 0; at < e.size(); ++at)
            CHECK(std::abs(static_cast<double>(moved[at]) - expected[at]) < 1e-4);
        }
      }
}
