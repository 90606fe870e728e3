#include <gradus/models/training/top_evaluation.h>

#include <gradus/core/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gradus {

namespace {

constexpr std::int64_t users_at_once = 1000;

double gain_at(std::size_t place) { return 1 / std::log2(static_cast<double>(place) + 2); }

// The most popular of the candidates that the user may be shown.
std::vector<Index> first_of(std::span<const Index> order, std::int64_t count, std::span<const Index> without) {
  std::vector<Index> out;
  for (const Index item : order) {
    if (std::ssize(out) == count) break;
    if (!std::binary_search(without.begin(), without.end(), item)) out.push_back(item);
  }
  return out;
}

}  // namespace

void TopMetrics::add(std::span<const Index> list, std::span<const Index> taken, std::int64_t others) {
  double sum = 0, found = 0, first = 0;
  for (std::size_t place = 0; place < list.size(); ++place) {
    if (!std::binary_search(taken.begin(), taken.end(), list[place])) continue;
    if (found == 0) first = 1 / static_cast<double>(place + 1);
    sum += gain_at(place);
    ++found;
  }
  const std::int64_t wanted = std::ssize(taken) + others;
  double most = 0;
  for (std::int64_t place = 0; place < std::min(wanted, count_); ++place)
    most += gain_at(static_cast<std::size_t>(place));
  ++users_;
  ndcg_ += sum / most;
  precision_ += found / static_cast<double>(count_);
  recall_ += found / static_cast<double>(wanted);
  mrr_ += first;
  hits_ += found > 0 ? 1 : 0;
}

Evaluation TopMetrics::mean() const {
  Evaluation out{users_, {}};
  const auto add = [&](std::string_view name, double sum) {
    out.metrics.emplace_back(fmt::format("{}@{}", name, count_), sum / static_cast<double>(users_));
  };
  add("ndcg", ndcg_);
  add("precision", precision_);
  add("recall", recall_);
  add("mrr", mrr_);
  add("hit rate", hits_);
  return out;
}

TopEvaluation evaluate_top(const TrainedModel& model, const std::string& path, const DataFile& test,
                           const Candidates& candidates, const std::string& users, const TopOptions& options,
                           const TrainerOptions& where) {
  std::optional<double> liked = options.liked;
  if (!liked && model.options.task == Task::binary) liked = model.one_two ? 2 : 1;
  const TakenItems taken = read_taken(model, test, candidates, users, liked);
  const bool excludes = !options.without.path.empty();
  std::vector<std::vector<Index>> without(static_cast<std::size_t>(taken.users.size()));
  std::vector<Index> order(candidates.names.size());
  if (excludes) {
    std::vector<std::int64_t> rows;
    without = read_pairs(model, options.without, candidates, taken.users, users, &rows);
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
      return rows[static_cast<std::size_t>(a)] > rows[static_cast<std::size_t>(b)];
    });
  }
  const Recommender recommend(model, path, candidates.x, where);
  TopMetrics of_model(options.count), of_popularity(options.count);
  TopEvaluation out;
  out.name = taken.name;
  for (std::int64_t first = 0; first < taken.users.size(); first += users_at_once) {
    const std::int64_t some = std::min(users_at_once, taken.users.size() - first);
    const auto lists =
        recommend(taken.users.x.row_range(first, some), options.count,
                  std::span(without).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(some)));
    for (std::size_t i = 0; i < lists.size(); ++i) {
      const std::size_t user = static_cast<std::size_t>(first) + i;
      std::vector<Index> wanted;
      std::set_difference(taken.items[user].begin(), taken.items[user].end(), without[user].begin(),
                          without[user].end(), std::back_inserter(wanted));
      const std::int64_t all = std::ssize(wanted) + taken.others[user];
      if (all == 0) continue;
      std::vector<Index> list;
      for (const Recommendation& each : lists[i]) list.push_back(each.item);
      of_model.add(list, wanted, taken.others[user]);
      if (excludes) of_popularity.add(first_of(order, options.count, without[user]), wanted, taken.others[user]);
      ++out.users;
      out.taken += all;
    }
  }
  if (out.users == 0)
    fail<ValueError>("{}: no row says that a user took what could be recommended{}{}", out.name,
                     liked ? fmt::format("; a target of {} or more would", *liked) : "",
                     excludes ? fmt::format("; those of {} do not count", options.without.path) : "");
  out.model = of_model.mean();
  if (excludes) out.popularity = of_popularity.mean();
  return out;
}

}  // namespace gradus
