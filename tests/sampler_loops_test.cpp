// The moves of a sampler's parameters: by the slopes of all rows at once, and by Gram's matrix.
#include <gradus/models/training/detail/sampler_loops.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <vector>

using namespace gradus;

TEST_CASE("parameters move as one after the other would, by their slopes and by Gram's matrix") {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const std::int64_t rows : {0, 1, 7, 100, 256, 1000, 9000})
    for (const std::int64_t count : {1, 2, 3, 4, 5, 8, 11}) {
      CAPTURE(rows);
      CAPTURE(count);
      const std::int64_t side = (count + 3) / 4 * 4, step = padded(rows);
      const auto numbers = [&](std::int64_t of) {
        std::vector<float> out;
        for (std::int64_t i = 0; i < of; ++i) out.push_back(normal(random));
        return out;
      };
      std::vector<float> H(static_cast<std::size_t>(side * step)), e_here(static_cast<std::size_t>(step));
      for (std::int64_t c = 0; c < count; ++c)
        for (std::int64_t r = 0; r < rows; ++r) H[static_cast<std::size_t>(c * step + r)] = normal(random);
      std::vector<Index> index;
      for (std::int64_t r = 0; r < rows; ++r) index.push_back(static_cast<Index>(2 * r + 1));
      const std::vector<float> e = numbers(2 * rows + 1), t = numbers(count), mu = numbers(count), z = numbers(count);
      const std::vector<float> lambda(static_cast<std::size_t>(count), 0.75F);
      // In double, one parameter after the other.
      std::vector<double> expected(e.begin(), e.end()), moves;
      for (std::size_t c = 0; c < static_cast<std::size_t>(count); ++c) {
        double hh = 0, he = 0;
        const float* const h = H.data() + static_cast<std::int64_t>(c) * step;
        for (std::int64_t r = 0; r < rows; ++r) {
          hh += std::pow(static_cast<double>(h[r]), 2);
          he += static_cast<double>(h[r]) * expected[static_cast<std::size_t>(2 * r + 1)];
        }
        const double s2 = 1 / (1.5 * hh + 0.75);
        moves.push_back(std::sqrt(s2) * static_cast<double>(z[c]) -
                        s2 * (1.5 * he + 0.75 * static_cast<double>(t[c] - mu[c])));
        for (std::int64_t r = 0; r < rows; ++r)
          expected[static_cast<std::size_t>(2 * r + 1)] += moves.back() * static_cast<double>(h[r]);
      }
      for (const bool by_gram : {false, true}) {
        CAPTURE(by_gram);
        std::vector<float> moved = e, delta(static_cast<std::size_t>(count));
        const MoveParameters task{.H = H.data(),
                                  .count = count,
                                  .index = index.data(),
                                  .rows = rows,
                                  .e = moved.data(),
                                  .alpha = 1.5F,
                                  .t = t.data(),
                                  .mu = mu.data(),
                                  .lambda = lambda.data(),
                                  .z = z.data(),
                                  .delta = delta.data(),
                                  .e_here = e_here.data()};
        if (by_gram) {
          Gram gram(count);
          std::vector<float> tile(static_cast<std::size_t>(side * padded(gram_rows)));
          const auto tiles = [&](const auto& some) {
            for (std::int64_t first = 0; first < rows; first += gram_rows) {
              const std::int64_t here = std::min(gram_rows, rows - first);
              std::fill(tile.begin(), tile.end(), 0.0F);
              for (std::int64_t c = 0; c < count; ++c)
                std::copy_n(H.begin() + c * step + first, here, tile.begin() + c * padded(here));
              some(index.data() + first, here);
            }
          };
          tiles([&](const Index* of, std::int64_t here) { add_rows(gram, tile.data(), moved.data(), of, here); });
          move_by_gram(gram, task);
          tiles([&](const Index* of, std::int64_t here) {
            add_moves(tile.data(), delta.data(), count, moved.data(), of, here);
          });
        } else {
          move_parameters(std::span(&task, 1));
        }
        for (std::size_t c = 0; c < moves.size(); ++c)
          CHECK(std::abs(static_cast<double>(delta[c]) - moves[c]) < 1e-5 * (1 + std::abs(moves[c])));
        for (std::size_t n = 0; n < e.size(); ++n) CHECK(std::abs(static_cast<double>(moved[n]) - expected[n]) < 1e-4);
      }
    }
}
