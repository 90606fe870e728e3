// Ratings that nobody gave, in the shape of MovieLens-100k's first split: 943 users, 1680 items, 90570 ratings to train
// on and 10 of each user to test with. They follow a planted model (a mean, a bias for each user and item, the inner
// product of 4 factors, noise), rounded to 1 to 5, so a factorization machine has something to find.
#pragma once

#include <gradus/models/data/movielens.h>

namespace gradus {

struct SyntheticRatings {
  std::vector<Rating> train;  // 90570; every user and every item occurs
  std::vector<Rating> test;   // 9430; no pair of user and item that is in train
};

/// The same seed gives the same ratings, on every machine.
SyntheticRatings synthetic_ratings(std::uint64_t seed = 0);

}  // namespace gradus
