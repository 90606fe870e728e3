// Ranks that are threads: what they exchange, and what is said where one does not come, has left, has failed, or is in
// another step. And the sums of pieces: one tree, whoever has which of them.
#include "ranks_of_threads.h"

#include <gradus/core/cluster/piece_sums.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

using namespace gradus;

namespace {

std::vector<std::byte> bytes_of(std::int64_t number, std::size_t times = 1) {
  const std::vector<std::int64_t> numbers(times, number);
  const auto bytes = std::as_bytes(std::span(numbers));
  return {bytes.begin(), bytes.end()};
}

std::int64_t number_in(std::span<const std::byte> bytes) {
  std::int64_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number;
}

}  // namespace

TEST_CASE("ranks give one another what they have, exchange after exchange") {
  const auto all = on_ranks<std::int64_t>(5, [](Communicator& rank) {
    std::int64_t sum = 0;
    for (std::int64_t e = 0; e < 200; ++e) {
      const auto theirs =
          rank.all_gather("numbers", bytes_of(100 * e + rank.rank(), static_cast<std::size_t>(e % 3 + 1)));
      for (int r = 0; r < rank.size(); ++r) {
        if (number_in(theirs[static_cast<std::size_t>(r)]) != 100 * e + r) throw Error("not what rank sent");
        sum += number_in(theirs[static_cast<std::size_t>(r)]);
      }
    }
    if (rank.bytes_sent() != 4 * 8 * (67 + 67 * 2 + 66 * 3)) throw Error(fmt::format("{} bytes", rank.bytes_sent()));
    return sum;
  });
  for (const std::string& error : all.error) CHECK_EQ(error, "");
  for (const std::int64_t sum : all.result) CHECK_EQ(sum, all.result.front());
}

TEST_CASE("ranks give each of the others its own") {
  const auto all = on_ranks<std::int64_t>(4, [](Communicator& rank) {
    std::int64_t sent = 0;
    for (int e = 0; e < 60; ++e) {
      // Rank r gives rank s so many numbers, to some none: 1000 r + 10 s + e.
      const auto times = [&](int from, int to) { return static_cast<std::size_t>((from + 2 * to + e) % 5); };
      std::vector<std::vector<std::byte>> mine;
      for (int to = 0; to < 4; ++to) {
        mine.push_back(bytes_of(1000 * rank.rank() + 10 * to + e, times(rank.rank(), to)));
        if (to != rank.rank()) sent += std::ssize(mine.back());
      }
      if (e == 31 && rank.rank() == 2) rank.raise_flag();
      const auto theirs = rank.all_to_all("numbers", mine);
      for (int from = 0; from < 4; ++from)
        if (!std::ranges::equal(theirs[static_cast<std::size_t>(from)],
                                bytes_of(1000 * from + 10 * rank.rank() + e, times(from, rank.rank()))))
          throw Error(fmt::format("exchange {}: not what rank {} gave", e, from));
      if (rank.flag_seen() != (e >= 31)) throw Error("the flag is not seen");
    }
    if (rank.bytes_sent() != sent) throw Error(fmt::format("{} bytes sent, not {}", rank.bytes_sent(), sent));
    return sent;
  });
  for (const std::string& error : all.error) CHECK_EQ(error, "");
  const auto few = on_ranks<int>(2, [](Communicator& rank) {
    rank.all_to_all("numbers", {{}});
    return 0;
  });
  for (const std::string& error : few.error)
    CHECK_EQ(error, "all_to_all in step 'numbers': 1 messages are given for 2 ranks; one for each is expected");
  const auto other = on_ranks<int>(2, [](Communicator& rank) {
    if (rank.rank() == 0)
      rank.all_to_all("rows of V", {{}, {}});
    else
      rank.barrier("V");
    return 0;
  });
  for (const std::string& error : other.error)
    CHECK_EQ(error,
             "rank 0 is in step 'rows of V' while rank 1 is in step 'V'; all ranks must run the same, in the same "
             "order");
}

TEST_CASE("a flag of one rank is seen by all in the same exchange") {
  const auto all = on_ranks<int>(3, [](Communicator& rank) {
    int seen = -1;
    for (int e = 0; e < 20; ++e) {
      if (rank.rank() == 1 && e == 7) rank.raise_flag();
      rank.barrier("step");
      if (rank.flag_seen() && seen < 0) seen = e;
    }
    return seen;
  });
  for (const int seen : all.result) CHECK_EQ(seen, 7);
}

TEST_CASE("a rank that does not come is named, with what was last heard of it") {
  const CommunicatorOptions options{.limit = std::chrono::seconds(1)};
  std::atomic<int> have_waited = 0;
  const auto all = on_ranks<int>(
      4,
      [&](Communicator& rank) {
        rank.note(fmt::format("epoch 2, batch {}", 310 + rank.rank()));
        rank.barrier("W");
        while (rank.rank() == 1 && have_waited < 3) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        try {
          rank.barrier("V");
        } catch (const Error&) {
          ++have_waited;
          throw;
        }
        return 0;
      },
      options);
  for (const std::string& error : all.error) {
    CAPTURE(error);
    CHECK_NE(error.find("has waited 1 s in step 'V' for rank 1 (last heard: epoch 2, batch 311)"), std::string::npos);
  }
}

TEST_CASE("ranks that leave, fail, or do something else are named at once") {
  const auto left = on_ranks<int>(3, [](Communicator& rank) {
    if (rank.rank() != 2) rank.barrier("V");
    return 0;
  });
  CHECK_NE(left.error[0].find("rank 2 has left while rank"), std::string::npos);
  CHECK_NE(left.error[1].find("waits in step 'V'"), std::string::npos);
  const auto failed = on_ranks<int>(3, [](Communicator& rank) {
    if (rank.rank() == 1) rank.fail("no such file");
    rank.barrier("V");
    return 0;
  });
  for (const std::string& error : failed.error) CHECK_EQ(error, "rank 1 has failed: no such file");
  const auto other = on_ranks<int>(2, [](Communicator& rank) {
    rank.barrier(rank.rank() == 0 ? "V" : "W");
    return 0;
  });
  for (const std::string& error : other.error)
    CHECK_EQ(error,
             "rank 0 is in step 'V' while rank 1 is in step 'W'; all ranks must run the same, in the same order");
  CHECK_THROWS_WITH_AS(Communicator::threads(0), "Communicator::threads of 0 ranks; 1 or more is expected", ValueError);
}

TEST_CASE("sums of pieces are the same bits, however the pieces are shared out") {
  constexpr std::int64_t pieces = 11;
  const auto given = [](std::int64_t piece) -> std::vector<Tensor> {
    if (piece == 4) return {};  // no rows
    const auto p = static_cast<float>(piece);
    auto index = std::make_shared<RowIndex>();
    for (Index row = 0; row < 20; ++row)
      if ((row * 7 + piece) % 3 != 0) index->row.push_back(row);
    std::vector<float> numbers;
    for (std::int64_t i = 0; i < 2 * index->count(); ++i) numbers.push_back(1.1F * p + 1e-3F * static_cast<float>(i));
    const Tensor rows = Tensor::rows({20, 2}, index, Tensor::from(numbers, {index->count(), 2}));
    const Tensor column = Tensor::rows({20}, index, Tensor::from(std::vector<float>(index->row.size(), p)));
    return {Tensor({0.1F + p, 1e6F * p}), rows, column};
  };
  const auto with = [&](int ranks) {
    std::vector<PieceSums> all(static_cast<std::size_t>(ranks), PieceSums(pieces));
    for (int r = 0; r < ranks; ++r)
      for (std::int64_t p = first_piece(r, ranks, pieces); p < first_piece(r + 1, ranks, pieces); ++p)
        all[static_cast<std::size_t>(r)].add(p, given(p));
    for (int r = 1; r < ranks; ++r) all[0].add_bytes(all[static_cast<std::size_t>(r)].to_bytes());
    return all[0].total();
  };
  const std::vector<Tensor> one = with(1);
  for (int ranks = 2; ranks <= 11; ++ranks) {
    const std::vector<Tensor> sums = with(ranks);
    for (std::size_t i = 0; i < one.size(); ++i) CHECK_EQ(sums[i], one[i]);
    CHECK_EQ(sums[1].index(), sums[2].index());
  }
  double expected = 0;
  for (std::int64_t p = 0; p < pieces; ++p) expected += p == 4 ? 0 : 0.1 + static_cast<double>(p);
  CHECK_EQ(one[0].at(0), doctest::Approx(expected));
  CHECK_EQ(one[2].to_dense().at(0), doctest::Approx(1 + 2 + 5 + 7 + 8 + 10));
  CHECK_EQ(one[2].to_dense().at(1), doctest::Approx(0 + 1 + 3 + 6 + 7 + 9 + 10));
  PieceSums few(3);
  few.add(0, given(0));
  CHECK_THROWS_WITH_AS(few.total(), "no rank has sent the sums of piece 1 of 3", ClusterError);
}
