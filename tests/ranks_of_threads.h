// Runs a function on each of some ranks, which are threads, and gives what they give, by rank; or what each threw.
#pragma once

#include <gradus/core/cluster/communicator.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

template <class T>
struct OfRanks {
  std::vector<T> result;
  std::vector<std::string> error;  // empty: none
};

template <class T, class F>
OfRanks<T> on_ranks(int ranks, F&& f, const gradus::CommunicatorOptions& options = {}) {
  std::vector<gradus::Communicator> ends = gradus::Communicator::threads(ranks, options);
  OfRanks<T> out{std::vector<T>(ends.size()), std::vector<std::string>(ends.size())};
  std::vector<std::thread> threads;
  for (std::size_t r = 0; r < ends.size(); ++r)
    threads.emplace_back([&out, &f, r, mine = std::move(ends[r])]() mutable {
      gradus::Communicator end = std::move(mine);
      try {
        out.result[r] = f(end);
      } catch (const std::exception& error) {
        out.error[r] = error.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  return out;
}
