#include <gradus/core/error.h>
#include <gradus/core/run/rank_runs.h>
#include <gradus/core/run/session_state.h>

#include <algorithm>

namespace gradus {

PreparedRun::PreparedRun(std::shared_ptr<Session::State> session, std::span<const Expr> fetches,
                         std::span<const Expr> placeholders)
    : session_(std::move(session)),
      fetches_(fetches.begin(), fetches.end()),
      placeholders_(placeholders.begin(), placeholders.end()) {
  if (fetches_.empty()) fail<FeedError>("prepare: there is nothing to fetch");
  session_->check(fetches_, {}, "prepare");
  for (auto p = placeholders_.begin(); p != placeholders_.end(); ++p) {
    check_fed_node(session_->token, *p, "prepare");
    if (std::any_of(placeholders_.begin(), p, [&](const Expr& other) { return same_node(other, *p); }))
      fail<FeedError>("prepare: {} is named twice", p->name());
  }
}

Tensor PreparedRun::run(std::span<const Tensor* const> values) {
  if (values.size() != placeholders_.size()) {
    std::string names;
    for (const Expr& p : placeholders_) names += (names.empty() ? "" : ", ") + p.name();
    fail<FeedError>("a prepared run takes {} value{} ({}) but was given {}", placeholders_.size(),
                    placeholders_.size() == 1 ? "" : "s", names, values.size());
  }
  const Session::Use use(*session_);
  session_->graph();
  if (session_->over_ranks) {
    std::vector<Feed> feeds;
    for (std::size_t i = 0; i < values.size(); ++i) feeds.emplace_back(placeholders_[i], *values[i]);
    results_ = session_->over_ranks->run(*session_, fetches_, feeds);
    if (!results_.empty()) return results_.front();
  }
  const bool fits = plan_ && storages_ == session_->storages &&
                    std::equal(fed_.begin(), fed_.end(), values.begin(), [](const Fed& a, const Tensor* b) {
                      return a.ones == b->ones() && a.type == b->type() && a.holds == truth_of(*b);
                    });
  if (!fits) {
    plan_.reset();
    fed_.clear();
    std::vector<Feed> feeds;
    for (std::size_t i = 0; i < values.size(); ++i) {
      feeds.emplace_back(placeholders_[i], *values[i]);
      fed_.push_back({values[i]->type(), values[i]->ones(), truth_of(*values[i])});
    }
    session_->plan_for(fetches_, feeds);
    plan_ = session_->plans.front().plan;
    storages_ = session_->storages;
  }
  plan_->run(values, session_->runs);
  ++session_->runs;
  return plan_->result(0);
}

Tensor PreparedRun::result(std::size_t i) const {
  if (i < results_.size()) return results_[i];
  if (!plan_ || i >= fetches_.size())
    fail<ValueError>("a prepared run of {} fetch{} has no result {}{}", fetches_.size(),
                     fetches_.size() == 1 ? "" : "es", i, plan_ ? "" : " before its first call");
  return plan_->result(i);
}

}  // namespace gradus
