// Ratings that nobody gave, in the shape of MovieLens-100k's first split: 943 users, 1680 items, 90570 ratings to train
// on and 10 of each user to test with. They follow a planted model (a mean, a bias for each user and item, the inner
// product of 4 factors, noise), rounded to 1 to 5, so a factorization machine has something to find.
#pragma once

#include <gradus/models/data/rows.h>

namespace gradus {

/// x is csr [n, 943 + 1680]: users, then items, two ones in a row. y is the rating, 1 to 5.
struct SyntheticRatings {
  static constexpr std::int64_t users = 943, items = 1680;

  Rows train;  // 90570; every user and every item occurs
  Rows test;   // 9430; no pair of user and item that is in train
};

/// The same seed gives the same ratings, on every machine.
SyntheticRatings synthetic_ratings(std::uint64_t seed = 0);

}  // namespace gradus
