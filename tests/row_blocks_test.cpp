// Views of data in blocks: that a split leaves no row out and is a function of the seed, and what tells data apart.
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/data/row_blocks.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

using namespace gradus;

namespace {

// Rows first to first + count: the target of each is its number, its weight one more.
Rows numbered(std::int64_t first, std::int64_t count) {
  std::vector<float> y, weight;
  std::vector<std::int64_t> start{0}, column;
  for (std::int64_t r = first; r < first + count; ++r) {
    y.push_back(static_cast<float>(r));
    weight.push_back(static_cast<float>(r + 1));
    column.push_back(r % 5);
    start.push_back(std::ssize(column));
  }
  return {Tensor::csr(count, 5, start, column, y), Tensor::from(y, {count, 1}), Tensor::from(weight, {count, 1})};
}

// Blocks of so many rows each.
SharedBlocks blocks_of(const std::vector<std::int64_t>& rows) {
  std::vector<SharedBlocks> parts;
  std::int64_t first = 0;
  for (const std::int64_t count : rows) {
    parts.push_back(in_one_block(numbered(first, count)));
    first += count;
  }
  return joined(std::move(parts));
}

std::vector<double> targets(const SharedBlocks& data) {
  std::vector<double> out;
  for (std::int64_t b = 0; b < data->blocks(); ++b) {
    const Rows rows = data->block(b);
    CHECK(rows.size() == data->rows_of(b));
    for (std::int64_t r = 0; r < rows.size(); ++r) {
      out.push_back(rows.y.at(r, 0));
      CHECK(rows.weight.at(r, 0) == out.back() + 1);
      CHECK(rows.x.at(r, static_cast<std::int64_t>(out.back()) % 5) == out.back());
    }
  }
  CHECK(std::ssize(out) == data->size());
  return out;
}

}  // namespace

TEST_CASE("a split of blocks has each row in one of its parts") {
  const SharedBlocks data = blocks_of({100, 1, 2, 57, 40});
  for (const double fraction : {0.01, 0.1, 0.5, 0.9, 0.99}) {
    CAPTURE(fraction);
    const SplitBlocks parts = split(data, fraction, 3);
    CHECK(parts.validation->size() == std::llround(fraction * 200));
    std::vector<double> all = targets(parts.train);
    const std::vector<double> validation = targets(parts.validation);
    CHECK(std::is_sorted(all.begin(), all.end()));
    CHECK(std::is_sorted(validation.begin(), validation.end()));
    all.insert(all.end(), validation.begin(), validation.end());
    std::sort(all.begin(), all.end());
    CHECK(all == targets(data));
    for (std::int64_t b = 0; b < parts.validation->blocks(); ++b) CHECK(parts.validation->rows_of(b) > 0);
  }
  // Of every block a part, others with another seed.
  const SplitBlocks parts = split(data, 0.2, 3);
  CHECK(parts.validation->blocks() >= 3);
  CHECK(targets(split(data, 0.2, 3).validation) == targets(parts.validation));
  CHECK(targets(split(data, 0.2, 4).validation) != targets(parts.validation));
  CHECK(refusal<ValueError>([&] { split(data, 0.001); }) ==
        "split: a fraction of 0.001 of 200 rows is asked for; each part must have one at least");
}

TEST_CASE("a single block is split as a data set in memory") {
  const Rows rows = numbered(0, 100);
  const Rows::Split whole = rows.split(0.3, 7);
  const SplitBlocks parts = split(in_one_block(rows), 0.3, 7);
  CHECK(parts.train->block(0).y == whole.train.y);
  CHECK(parts.validation->block(0).y == whole.validation.y);
}

TEST_CASE("blocks are changed on the way") {
  const SharedBlocks data = blocks_of({3, 2});
  const SharedBlocks minus = changed(data, [](Rows rows) {
    rows.y = zeros({rows.size(), 1});
    return rows;
  });
  CHECK(minus->blocks() == 2);
  CHECK(minus->block(1).y == zeros({2, 1}));
  CHECK(minus->block(1).weight == data->block(1).weight);
}

TEST_CASE("a fingerprint tells data from others") {
  const SharedBlocks data = blocks_of({30, 20});
  CHECK(blocks_of({30, 20})->fingerprint() == data->fingerprint());
  CHECK(blocks_of({30, 21})->fingerprint() != data->fingerprint());
  const SplitBlocks parts = split(data, 0.2, 1);
  CHECK(split(data, 0.2, 1).train->fingerprint() == parts.train->fingerprint());
  CHECK(split(data, 0.2, 2).train->fingerprint() != parts.train->fingerprint());
  CHECK(split(data, 0.3, 1).train->fingerprint() != parts.train->fingerprint());
  CHECK(parts.validation->fingerprint() != parts.train->fingerprint());
}
