// Random graphs (random_graph.h), each trained for some steps with all passes of the plan compiler, without any, and
// without some: to rounding the results of the reference executor, and on three threads the same bits as on one.
//
// GRADUS_FUZZ=N tries N graphs instead of those of every day; GRADUS_FUZZ_SEED=S begins with seed S. What is printed of
// a failing graph begins with its seed: GRADUS_FUZZ_SEED=S GRADUS_FUZZ=1 tries it alone.
#include "random_graph.h"
#include "thorough.h"
#include "values_of.h"

#include <gradus/core/listed.h>
#include <gradus/core/run/reference.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace gradus {
namespace {

constexpr double tolerance = 1e-9;  // of the largest number of a run
constexpr std::array<const char*, 6> pass_names{
    "fold_constants", "simplify", "reassociate", "share_common_subexpressions", "store_transposed", "tiles"};

std::int64_t from_environment(const char* name, std::int64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoll(text, nullptr, 10);
}

double largest_of(const std::vector<Tensor>& tensors) {
  double largest = 0;
  for (const Tensor& tensor : tensors)
    for (const double x : values_of(tensor))
      if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
  return largest;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = values_of(a);
  const std::vector<double> y = values_of(b);
  return a.type() == b.type() && x.size() == y.size() &&
         (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0);
}

// "" or where the two differ. `scale` is the largest number that took part.
std::string difference(const Tensor& expected, const Tensor& found, double scale) {
  if (expected.type() != found.type()) return fmt::format("{} instead of {}", found.type(), expected.type());
  const std::vector<double> x = values_of(expected);
  const std::vector<double> y = values_of(found);
  if (x.size() != y.size()) return fmt::format("{} numbers instead of {}", y.size(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool same =
        x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i])) || std::abs(x[i] - y[i]) <= tolerance * scale;
    if (!same) return fmt::format("number {} is {} instead of {}; the largest is {}", i, y[i], x[i], scale);
  }
  return {};
}

// A session and what distinguishes it.
struct Way {
  std::string name;
  SessionOptions options;
  std::unique_ptr<Session> session;
};

class Comparison {
 public:
  Comparison(RandomGraph& random, Dice& dice) : random_(random) {
    std::vector<std::string> some;
    for (const char* const pass : pass_names)
      if (dice.chance(0.4)) some.emplace_back(pass);
    add("without any pass", {.threads = 1, .without = {pass_names.begin(), pass_names.end()}});
    add("with all passes", {.threads = 1});
    add("with all passes on 3 threads", {.threads = 3});
    add(fmt::format("without {}", listed(some)), {.threads = 1, .without = some});
  }

  // Empty, or what differs first.
  std::string run(Dice& dice) {
    for (std::size_t step = 0; step < random_.batches.size(); ++step) {
      const std::vector<Feed>& feeds = random_.batches[step];
      // What is fetched is there as a whole: gradients alone, then the training with a few values.
      std::vector<Expr> gradients = random_.gradients;
      if (dice.chance(0.5)) gradients.push_back(random_.loss);
      std::string found = compare(gradients, feeds);
      std::vector<Expr> fetches{random_.train};
      if (dice.chance(0.7)) fetches.push_back(random_.loss);
      for (std::int64_t left = dice.below(4); left > 0; --left) fetches.push_back(dice.pick(random_.values));
      if (found.empty() && dice.chance(0.5)) found = compare({dice.pick(random_.values)}, feeds);
      if (found.empty()) found = compare(fetches, feeds);
      if (!found.empty()) return fmt::format("step {}: {}", step, found);
    }
    return {};
  }

  // The largest number seen: where it is great, differences mean little.
  double largest() const { return largest_; }

 private:
  void add(std::string name, const SessionOptions& options) {
    ways_.push_back({std::move(name), options, std::make_unique<Session>(random_.g, Device::cpu(), options)});
  }

  // The results of a run, then all variables.
  template <class Executor>
  std::vector<Tensor> results(Executor& executor, const std::vector<Expr>& fetches, const std::vector<Feed>& feeds) {
    std::vector<Tensor> all = executor.run(fetches, feeds);
    for (const Expr& variable : random_.g.variables()) all.push_back(executor.value(variable));
    return all;
  }

  std::string compare(const std::vector<Expr>& fetches, const std::vector<Feed>& feeds) {
    std::vector<Expr> names = fetches;
    for (const Expr& variable : random_.g.variables()) names.push_back(variable);
    std::vector<std::vector<Tensor>> all;
    for (Way& way : ways_) {
      try {
        all.push_back(results(*way.session, fetches, feeds));
      } catch (const std::exception& error) {
        return fmt::format("{}: {}", way.name, error.what()) + described(fetches, way, feeds);
      }
    }
    const std::vector<Tensor> expected = results(reference_, fetches, feeds);
    const double scale = std::max(1.0, largest_of(expected));
    largest_ = std::max(largest_, scale);
    for (std::size_t w = 0; w < ways_.size(); ++w)
      for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string how = difference(expected[i], all[w][i], scale);
        if (!how.empty())
          return fmt::format("{}: %{}, {}", ways_[w].name, names[i].id(), how) + described(fetches, ways_[w], feeds);
      }
    for (std::size_t i = 0; i < names.size(); ++i)
      if (!same_bits(all[1][i], all[2][i]))
        return fmt::format("%{} has other bits on 3 threads", names[i].id()) + described(fetches, ways_[1], feeds);
    return {};
  }

  std::string described(const std::vector<Expr>& fetches, const Way& way, const std::vector<Feed>& feeds) {
    return "\n" + smallest(way, feeds) + "fetched:\n" + listing(random_.g, fetches) + "\n" +
           Session(random_.g, Device::cpu(), way.options).explain(fetches, feeds);
  }

  // The first node of the graph that differs when it is fetched alone, with initial variables, by what leads to it.
  std::string smallest(const Way& way, const std::vector<Feed>& feeds) {
    for (NodeId id = 0; id < random_.g.size(); ++id) {
      const Expr e = random_.g[id];
      if (e.kind() != Kind::op || e.layout() == Layout::part) continue;
      std::string how;
      try {
        const Tensor expected = Reference().run(e, feeds);
        const Tensor found = Session(random_.g, Device::cpu(), way.options).run(e, feeds);
        how = difference(expected, found, std::max(1.0, largest_of({expected})));
      } catch (const std::exception& error) {
        how = error.what();
      }
      if (!how.empty()) {
        const std::array<Expr, 1> alone{e};
        return fmt::format("already %{} alone: {}\n", id, how) + listing(random_.g, alone) + "\n" +
               Session(random_.g, Device::cpu(), way.options).explain(alone, feeds);
      }
    }
    return "no single node alone differs\n";
  }

  RandomGraph& random_;
  Reference reference_;
  std::vector<Way> ways_;
  double largest_ = 0;
};

TEST_CASE("random graphs: the same results with all passes, without any, and on three threads") {
  const std::int64_t count = from_environment("GRADUS_FUZZ", thorough() ? 300 : 25);
  const std::int64_t first = from_environment("GRADUS_FUZZ_SEED", 1);
  const bool verbose = std::getenv("GRADUS_FUZZ_VERBOSE") != nullptr;
  std::int64_t compared = 0;
  std::int64_t large = 0;
  int failures = 0;
  for (std::int64_t seed = first; seed < first + count && failures < 3; ++seed) {
    std::string found;
    std::string summary = "while it was made";
    try {
      RandomGraph random(static_cast<std::uint64_t>(seed));
      summary = random.summary();
      if (verbose) fmt::print(stderr, "{} {}\n", seed, summary);
      Dice dice(static_cast<std::uint64_t>(seed) + 1'000'000'007);
      Comparison comparison(random, dice);
      found = comparison.run(dice);
      if (comparison.largest() > 1e4) ++large;
    } catch (const std::exception& error) {
      found = error.what();
    }
    ++compared;
    if (found.empty()) continue;
    ++failures;
    FAIL_CHECK(fmt::format("seed {}, {}\n{}", seed, summary, found));
  }
  CHECK(compared == count);
  CHECK(large <= count / 20);  // tolerances are of the largest number: it must stay small
  if (verbose) fmt::print(stderr, "{} graphs, {} of them with numbers beyond 1e4\n", compared, large);
}

}  // namespace
}  // namespace gradus
