// A session: a graph on a device, with the values of its variables. run(fetches, feeds) compiles a plan for the
// fetches and the types of the feeds, keeps it, and runs it. Reads in a run see the variables as they were before
// it; assigns take effect when it ends.
//
//   Graph g;
//   Expr x = g.placeholder("x", {any, 3});
//   Expr w = g.variable("w", zeros({3}));
//   Expr y = reduce_sum(x * w, 1);
//   Session session(g);
//   Tensor result = session.run(y, {{x, Tensor({{1, 2, 3}})}});
//
// A session is used by one thread at a time; several sessions may share a graph that no longer grows. A second call in
// a session that is being used throws Error, and a call in one whose graph has been destroyed ValueError.
#pragma once

#include <gradus/core/cluster/communicator.h>
#include <gradus/core/device/device.h>
#include <gradus/core/graph/graph.h>
#include <gradus/core/run/profile.h>
#include <gradus/core/run/steps.h>
#include <gradus/core/tensor/tensor.h>

#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace gradus {

/// A placeholder and its value for one run: a tensor, a number, or a std::vector of numbers, which is one of rank 1.
/// The latter two take the placeholder's dtype, where that has them. Any other node but an assign or a group may be fed
/// as well: it is not computed then, and a variable keeps its value.
struct Feed {
  Feed() = default;
  Feed(Expr fed, Tensor tensor) : placeholder(fed), value(std::move(tensor)) {}
  template <class T>
  requires std::is_arithmetic_v<T> Feed(Expr fed, T number) : placeholder(fed), value(fitting(fed, Number(number))) {}
  template <Element T>
  Feed(Expr fed, const std::vector<T>& numbers) : placeholder(fed), value(fitting(fed, Tensor::from(numbers))) {}

  /// The number as a scalar, or the numbers, of the placeholder's dtype; or, where they would be others then, of their
  /// own.
  static Tensor fitting(const Expr& placeholder, const Number& number);
  static Tensor fitting(const Expr& placeholder, const Tensor& numbers);

  Expr placeholder;
  Tensor value;
};

/// The feeds of a run: {{X, x}, {y, t}}, or a vector of Feed. Few feeds are held without an allocation.
class Feeds {
 public:
  Feeds();
  Feeds(const Feeds& other);
  Feeds& operator=(const Feeds& other);
  ~Feeds();
  // NOLINTBEGIN(google-explicit-constructor)
  Feeds(std::initializer_list<Feed> feeds);
  Feeds(const std::vector<Feed>& feeds);
  Feeds(std::span<const Feed> feeds);
  // NOLINTEND(google-explicit-constructor)

  const Feed* begin() const { return size_ <= few ? few_.data() : many_.data(); }
  const Feed* end() const { return begin() + size_; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t few = 4;
  std::size_t size_ = 0;
  std::array<Feed, few> few_;
  std::vector<Feed> many_;
};

struct SessionOptions {
  int threads = 0;  // inside one op; 0 means all cores. Results do not depend on it.
  /// Passes of the plan compiler to leave out: fold_constants, simplify, reassociate,
  /// share_common_subexpressions, store_transposed; on the CPU tiles and compile; on other devices recompute, fuse and
  /// record. Without `reassociate` no sum is regrouped: what a plan gives then differs from the graph, op by op, by
  /// rounding alone, also where sums or powers leave the range of the dtype.
  std::vector<std::string> without = {};
  /// Of a session over ranks: how many pieces a batch is cut into. Results depend on it, and not on the ranks.
  std::int64_t pieces = 16;
  /// Of a session over ranks: variables of more bytes are shared out by rows, row i to rank i mod R, and with them
  /// those that are computed with row by row, as an optimizer's of a table. Rows of a batch look such a table up by an
  /// index or a csr matrix, and find its rows with their owners, which update them. All ranks must say the same.
  std::int64_t shard_above = std::int64_t{256} << 20;
};

/// Rows of a batch: those that are a rank's.
struct OwnRows {
  std::int64_t first = 0, count = 0;
};

class Plan;
class PreparedRun;
class RankRuns;
class TableRun;
struct Recorder;

struct RestoreOptions {
  /// The variables to read; if none is named, all, which then must be just those of the file.
  std::vector<Expr> only = {};
  /// Of variables that the file has under another name: the name there, and the one here.
  std::map<std::string, std::string> rename = {};
};

struct ExplainOptions {
  bool kernels = false;  // with the text of each kernel
};

class Session {
 public:
  /// The graph may still grow; it must outlive the session.
  explicit Session(Graph& graph, const Device& device = Device::cpu(), const SessionOptions& options = {});
  /// Over ranks: each makes such a session of the same graph and makes the same calls. Placeholders that were declared
  /// with an `any` first dimension are fed each rank's own rows, others the same everywhere. What is computed is as if
  /// one session had been fed all rows: sums over rows are of all ranks' rows, and variables stay the same on all.
  /// Fetches that are a row's own, as predictions, are the rank's own rows. A run without a sum over rows meets nobody.
  Session(Graph& graph, const Device& device, const Communicator& ranks, const SessionOptions& options = {});
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Computes what is fetched, and nothing else. Throws FeedError for feeds that are missing or do not fit, ValueError
  /// where two assigns would set one variable, and what the ops throw; then no variable has changed.
  Tensor run(const Expr& fetch, const Feeds& feeds = {});
  std::vector<Tensor> run(std::span<const Expr> fetches, const Feeds& feeds = {});
  /// auto [loss, accuracy] = session.run({loss_expr, accuracy_expr}, feeds);
  template <std::size_t n>
  requires(n > 1) std::array<Tensor, n> run(const Expr (&fetches)[n], const Feeds& feeds = {}) {
    std::array<Tensor, n> results;
    run_into(std::span(fetches), feeds, results);
    return results;
  }

  /// For hot loops: a run whose fetches and placeholders are decided, so that a call just brings the values.
  ///   auto step = session.prepare(train, {X, y});
  ///   for (const auto& [x, t] : batches) step(x, t);
  PreparedRun prepare(std::span<const Expr> fetches, std::span<const Expr> placeholders);
  PreparedRun prepare(const Expr& fetch, std::initializer_list<Expr> placeholders);

  /// Sets all variables to their initial values. (They also get them by themselves, when first used.)
  void initialize();
  /// A variable's value, now. Of one that is shared out by rows all ranks must ask, and each gets all of it.
  Tensor value(const Expr& variable);
  /// Throws TypeError unless the value has the variable's dtype and shape.
  void assign(const Expr& variable, const Tensor& value);

  /// Whether ranks share out the variable's rows. Of such a one this rank has rows r, r + R, ... of R ranks:
  /// own_value() gives these, of others all rows; and assign_own() sets them. No rank need wait for another.
  bool shares_out(const Expr& variable) const;
  Tensor own_value(const Expr& variable);
  void assign_own(const Expr& variable, const Tensor& rows);
  /// All rows of what each rank has own rows of, as own_value() gives them: all ranks must call it. Where a rank is
  /// named, it alone gets them, some at a time, and others no tensor, if they share the variable out.
  Tensor all_rows(const Expr& variable, const Tensor& own, std::optional<int> for_rank = {});

  /// Writes all variables (optimizer slots among them) as safetensors; the file is replaced only when complete.
  void save(const std::string& path);
  /// Reads them back. Throws IoError, with all that differs, unless names, dtypes and shapes are the graph's; then no
  /// variable has changed. Where all are read, training goes on as if it had not stopped; with `only`, the other
  /// variables and the random numbers of later runs stay as they are.
  void restore(const std::string& path, const RestoreOptions& options = {});

  /// The plan for these fetches as data: what is computed in which order, where it is written, and the nodes of the
  /// graph that it stands for. Nothing in the session changes. Placeholders with unknown dimensions need feeds. Throws
  /// as run() does for fetches and feeds that do not fit the graph.
  PlanSteps steps(std::span<const Expr> fetches, const Feeds& feeds = {});
  PlanSteps steps(const Expr& fetch, const Feeds& feeds = {}) { return steps(std::span(&fetch, 1), feeds); }
  /// The same as text; of a session over ranks the plans of each stage of the run, and what is exchanged between them.
  std::string explain(std::span<const Expr> fetches, const Feeds& feeds = {}, const ExplainOptions& options = {});
  std::string explain(const Expr& fetch, const Feeds& feeds = {}, const ExplainOptions& options = {}) {
    return explain(std::span(&fetch, 1), feeds, options);
  }

  /// Where the time goes: runs the fetches once to warm up, then `runs` times with a clock beside each step. These are
  /// runs like others: what they assign stays assigned. Of a session over ranks all must call it, and each is told how
  /// long its stages took, and how long it waited for others.
  Profile profile(std::span<const Expr> fetches, const Feeds& feeds = {}, int runs = 10);
  Profile profile(const Expr& fetch, const Feeds& feeds = {}, int runs = 10) {
    return profile(std::span(&fetch, 1), feeds, runs);
  }

  /// Of a batch of so many rows, those to feed on this rank; all, where the session is not over ranks. Where every rank
  /// feeds these, results are the same bits for any number of ranks. Of rows that the graph reads `together` at a time,
  /// as pairs, none are parted.
  OwnRows rows_of(std::int64_t rows, std::int64_t together = 1) const;

  Graph& graph() const;
  const Device& device() const;
  int threads() const;

 private:
  friend class PreparedRun;
  friend class RankRuns;
  friend class TableRun;
  struct State;
  class Use;
  void run_into(std::span<const Expr> fetches, const Feeds& feeds, std::span<Tensor> results);
  // Both while the session is held by a Use.
  void compute(std::span<const Expr> fetches, const Feeds& feeds, Recorder* recorder = nullptr);
  void profile_stages(std::span<const Expr> fetches, const Feeds& feeds, Profile& profile);
  Tensor result(std::size_t i);
  PlanSteps steps(std::span<const Expr> fetches, const Feeds& feeds, std::string_view caller);

  std::shared_ptr<State> state_;
};

/// What Session::prepare makes. It shares the session's variables and plans, and keeps them should the session go
/// first.
class PreparedRun {
 public:
  /// Runs with a value for each placeholder, in their order, and gives the first fetch. Throws as Session::run does,
  /// and FeedError for another number of values.
  template <class... T>
  requires(std::constructible_from<Feed, Expr, const T&>&&...) Tensor operator()(const T&... values) {
    return called(std::index_sequence_for<T...>(), values...);
  }
  /// Fetch number i of the last call. Throws ValueError where there is none.
  Tensor result(std::size_t i) const;

 private:
  friend class Session;
  PreparedRun(std::shared_ptr<Session::State> session, std::span<const Expr> fetches,
              std::span<const Expr> placeholders);
  // A value that is no tensor yet becomes one here, for the length of the call.
  template <std::size_t... i, class... T>
  Tensor called(std::index_sequence<i...>, const T&... values) {
    return run_with(as_tensor(i, values)...);
  }
  template <class... T>
  Tensor run_with(const T&... tensors) {
    const std::array<const Tensor*, sizeof...(T)> given{&tensors...};
    return run(given);
  }
  template <class T>
  decltype(auto) as_tensor(std::size_t i, const T& value) const {
    if constexpr (std::is_same_v<T, Tensor>) {
      return (value);
    } else {
      return Feed(i < placeholders_.size() ? placeholders_[i] : Expr(), value).value;
    }
  }
  Tensor run(std::span<const Tensor* const> values);

  std::shared_ptr<Session::State> session_;
  std::vector<Expr> fetches_;
  std::vector<Expr> placeholders_;
  struct Fed {
    Type type;
    bool ones;
    std::optional<bool> holds;
  };
  std::vector<Fed> fed_;  // what plan_ is for
  int storages_ = 0;      // likewise
  std::shared_ptr<Plan> plan_;
  std::vector<Tensor> results_;  // of the last call, where it was a run over ranks
};

}  // namespace gradus
