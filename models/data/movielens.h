// Ratings of items by users, as MovieLens-100k has them (https://grouplens.org/datasets/movielens/100k/), and the
// article's design matrix of them: a row per rating, a column per user and per item, two ones in a row.
#pragma once

#include <gradus/core/tensor/tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gradus {

struct Rating {
  std::int32_t user;       // from 1
  std::int32_t item;       // from 1
  std::int32_t rating;     // 1 to 5
  std::int64_t timestamp;  // seconds since 1970
};

/// Reads a file like u.data, ua.base or ua.test, packed by gzip or not: lines "user item rating timestamp", separated
/// by tabs. Throws IoError, naming the file and the line, for a file that cannot be read, has no line, or has one that
/// is not of this form.
std::vector<Rating> read_ratings(const std::string& path);

struct UserItemDesign {
  Tensor x_train;                   // csr [n, users + items]: users in the order of their ids, then items
  Tensor y_train;                   // [n, 1]
  Tensor x_test;                    // csr [m, users + items]
  Tensor y_test;                    // [m, 1]
  std::int64_t users = 0;           // that have a column: those of the training set
  std::int64_t items = 0;           // likewise
  std::int64_t unseen_users = 0;    // of the test set that are not in the training set: they have no column,
  std::int64_t unseen_items = 0;    // so the rows that rate them have no one there
  std::int64_t unseen_ratings = 0;  // the rows of the test set this concerns
};

/// One-hot users and items of both sets, columns given out by the training set. Throws ValueError where it is empty.
UserItemDesign one_hot_user_item(const std::vector<Rating>& train, const std::vector<Rating>& test,
                                 DType dtype = float32);

}  // namespace gradus
