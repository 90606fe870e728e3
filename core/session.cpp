#include <gradus/core/session.h>

#include <gradus/core/cpu_plan.h>
#include <gradus/core/device/device_plan.h>
#include <gradus/core/device/recompute.h>
#include <gradus/core/error.h>
#include <gradus/core/nodes.h>
#include <gradus/core/passes.h>
#include <gradus/core/session_state.h>
#include <gradus/core/store_transposed.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace gradus {

namespace {

// Those that are not for one node at a time: see passes.h, store_transposed.h, schedule.h, recompute.h,
// device_schedule.h and device_plan.h.
constexpr std::string_view stores_pass = "drop_dead_stores";
constexpr std::string_view storage_pass = "store_transposed";
constexpr std::string_view strips_pass = "strips";
constexpr std::string_view recomputing_pass = "recompute";
constexpr std::string_view fusing_pass = "fuse";
constexpr std::string_view recording_pass = "record";
constexpr std::array other_passes = {stores_pass,      storage_pass, strips_pass,
                                     recomputing_pass, fusing_pass,  recording_pass};
constexpr std::size_t plans_kept = 64;  // a stream of batches of many sizes must not fill the memory

void check_feed(const Graph& graph, const Feed& feed) {
  const Expr& p = feed.placeholder;
  if (!p || &p.graph() != &graph) fail<FeedError>("run: {} does not belong to the session's graph", to_string(p));
  if (p.kind() != Kind::placeholder) fail<FeedError>("run: {} is fed, but it is no placeholder", to_string(p));
  const Type& want = p.type();
  const Type& have = feed.value.type();
  if (want.dtype == have.dtype && want.layout == have.layout && matches(want.shape, have.shape)) return;
  std::string_view hint;
  if (want.layout == Layout::dense && have.layout == Layout::csr)
    hint = "; feed its to_dense(), or declare a sparse_placeholder";
  else if (want.layout == Layout::csr && have.layout == Layout::dense)
    hint = "; feed its to_csr()";
  else if (want.dtype != have.dtype)
    hint = "; cast the tensor, or declare the placeholder with its dtype";
  fail<FeedError>("run: the placeholder {} ({}) is {} but was fed {}{}", p.name(), to_string(p.where()),
                  to_string(want), to_string(have), hint);
}

void check_feeds(const Graph& graph, const Feeds& feeds) {
  for (auto feed = feeds.begin(); feed != feeds.end(); ++feed) {
    check_feed(graph, *feed);
    if (std::any_of(feeds.begin(), feed, [&](const Feed& other) { return other.placeholder == feed->placeholder; }))
      fail<FeedError>("run: {} is fed twice", feed->placeholder.name());
  }
}

}  // namespace

Feeds::Feeds() = default;
Feeds::Feeds(const Feeds& other) = default;
Feeds& Feeds::operator=(const Feeds& other) = default;
Feeds::~Feeds() = default;
Feeds::Feeds(std::initializer_list<Feed> feeds) : Feeds(std::span(feeds.begin(), feeds.size())) {}
Feeds::Feeds(const std::vector<Feed>& feeds) : Feeds(std::span(feeds)) {}
Feeds::Feeds(std::span<const Feed> feeds) : size_(feeds.size()) {
  if (size_ <= few) {
    std::copy(feeds.begin(), feeds.end(), few_.begin());
  } else {
    many_.assign(feeds.begin(), feeds.end());
  }
}

bool CachedPlan::is_for(const Graph& graph, std::span<const Expr> wanted, const Feeds& given) const {
  return std::equal(fetches.begin(), fetches.end(), wanted.begin(), wanted.end(),
                    [&](NodeId id, const Expr& e) { return id == e.id() && &graph == &e.graph(); }) &&
         std::equal(feeds.begin(), feeds.end(), given.begin(), given.end(), [](const FedType& a, const Feed& b) {
           return a.placeholder == b.placeholder && a.type == b.value.type() && a.ones == b.value.ones();
         });
}

bool CachedPlan::is_for(const Graph& graph, std::span<const Expr> wanted, std::span<const FedType> given) const {
  return std::equal(fetches.begin(), fetches.end(), wanted.begin(), wanted.end(),
                    [&](NodeId id, const Expr& e) { return id == e.id() && &graph == &e.graph(); }) &&
         std::is_permutation(feeds.begin(), feeds.end(), given.begin(), given.end(),
                             [](const FedType& a, const FedType& b) {
                               return a.placeholder == b.placeholder && a.type == b.type && a.ones == b.ones;
                             });
}

void Session::State::check(std::span<const Expr> fetches, const Feeds& feeds) const {
  for (const Expr& fetch : fetches)
    if (!fetch || &fetch.graph() != &graph)
      fail<FeedError>("run: {} does not belong to the session's graph", to_string(fetch));
  check_feeds(graph, feeds);
}

std::shared_ptr<Plan> Session::State::compile(std::span<const Expr> fetches, std::span<const FedType> feeds) {
  const auto uses = [&](std::string_view pass) {
    return std::find(without.begin(), without.end(), pass) == without.end();
  };
  const auto drafted = [&](const Storage& storage) {
    Draft draft = make_draft(fetches, feeds, storage);
    return rewritten(uses(stores_pass) ? drop_dead_stores(std::move(draft)) : std::move(draft), without);
  };
  turn(unfit_transposed(graph, variables.transposed));
  Storage storage{variables.transposed, transposing_node(graph)};
  Draft draft = drafted(storage);
  std::vector<Expr> wanted;
  if (uses(storage_pass) && storage.transposing) wanted = wanted_transposed(draft, graph, variables.transposed);
  if (!wanted.empty()) {
    for (const Expr& variable : wanted) {
      const std::size_t number = variable_number(variable);
      storage.transposed.resize(std::max(storage.transposed.size(), number + 1), false);
      storage.transposed[number] = true;
    }
    Draft other = drafted(storage);
    if (numbers_moved(other) < numbers_moved(draft)) {
      turn(wanted);
      draft = std::move(other);
    }
  }
  if (on_device) {
    if (uses(recomputing_pass) && uses(fusing_pass)) draft = recompute(draft);
    return std::make_shared<DevicePlan>(make_program(std::move(draft)), variables, *on_device, uses(fusing_pass),
                                        uses(recording_pass));
  }
  return std::make_shared<CpuPlan>(make_program(std::move(draft)), variables, workers, uses(strips_pass));
}

void Session::State::turn(std::span<const Expr> turned) {
  if (turned.empty()) return;
  plans.clear();
  ++storages;
  for (const Expr& variable : turned) variables.turn(variable);
}

Plan& Session::State::plan_for(std::span<const Expr> fetches, const Feeds& feeds) {
  const auto found =
      std::find_if(plans.begin(), plans.end(), [&](const CachedPlan& p) { return p.is_for(graph, fetches, feeds); });
  if (found != plans.end()) {
    if (found != plans.begin()) plans.splice(plans.begin(), plans, found);
    return *plans.front().plan;
  }
  check(fetches, feeds);
  CachedPlan made;
  for (const Expr& fetch : fetches) made.fetches.push_back(fetch.id());
  for (const Feed& feed : feeds) made.feeds.push_back({feed.placeholder, feed.value.type(), feed.value.ones()});
  made.plan = compile(fetches, made.feeds);
  if (plans.size() == plans_kept) plans.pop_back();
  plans.push_front(std::move(made));
  return *plans.front().plan;
}

Tensor Session::State::value(const Expr& variable) {
  if (!variable || &variable.graph() != &graph || variable.kind() != Kind::variable)
    fail<TypeError>("value: {} is not a variable of the session's graph", to_string(variable));
  return variables.read(variable);
}

Session::Session(Graph& graph, const Device& device, const SessionOptions& options) {
  if (options.threads < 0) fail<ValueError>("a session with {} threads; 0 means all cores", options.threads);
  for (const std::string& name : options.without)
    if (std::find(other_passes.begin(), other_passes.end(), name) == other_passes.end() &&
        std::none_of(passes().begin(), passes().end(), [&](const Pass& pass) { return pass.name == name; })) {
      std::string names;
      for (const Pass& pass : passes()) names += std::string(pass.name) + ", ";
      names += fmt::format("{}", fmt::join(other_passes, ", "));
      fail<ValueError>("a session without the pass '{}'; the passes are {}", name, names);
    }
  state_ = std::make_unique<State>(graph, device, options);
}

Session::~Session() = default;

Graph& Session::graph() const { return state_->graph; }
const Device& Session::device() const { return state_->device; }
int Session::threads() const { return state_->workers.threads(); }

void Session::compute(std::span<const Expr> fetches, const Feeds& feeds, Recorder* recorder) {
  Plan& plan = state_->plan_for(fetches, feeds);
  state_->bound.clear();
  for (const Feed& feed : feeds) state_->bound.push_back(&feed.value);
  plan.run(state_->bound, state_->runs, recorder);
  ++state_->runs;
}

Tensor Session::result(std::size_t i) { return state_->plans.front().plan->result(i); }

Tensor Session::run(const Expr& fetch, const Feeds& feeds) {
  compute(std::span(&fetch, 1), feeds);
  return result(0);
}

std::vector<Tensor> Session::run(std::span<const Expr> fetches, const Feeds& feeds) {
  if (fetches.empty()) return {};
  compute(fetches, feeds);
  std::vector<Tensor> results;
  for (std::size_t i = 0; i < fetches.size(); ++i) results.push_back(result(i));
  return results;
}

PreparedRun Session::prepare(std::span<const Expr> fetches, std::span<const Expr> placeholders) {
  return {*this, fetches, placeholders};
}

PreparedRun Session::prepare(const Expr& fetch, std::initializer_list<Expr> placeholders) {
  return prepare(std::span(&fetch, 1), std::span(placeholders.begin(), placeholders.size()));
}

void Session::initialize() {
  for (const Expr& variable : state_->graph.variables()) state_->variables.start(variable);
}

Tensor Session::value(const Expr& variable) { return state_->value(variable); }

void Session::assign(const Expr& variable, const Tensor& value) {
  if (!variable || &variable.graph() != &state_->graph || variable.kind() != Kind::variable)
    fail<TypeError>("assign: {} is not a variable of the session's graph", to_string(variable));
  if (variable.type() != value.type())
    fail<TypeError>("assign: the variable {} ({}) is {} but the value is {}", variable.name(),
                    to_string(variable.where()), to_string(variable.type()), to_string(value.type()));
  state_->variables.write(variable, value);
}

std::string Session::explain(std::span<const Expr> fetches, const Feeds& feeds) {
  if (fetches.empty()) return {};
  state_->check(fetches, feeds);
  std::vector<FedType> types;
  for (const Feed& feed : feeds) types.push_back({feed.placeholder, feed.value.type(), feed.value.ones()});
  // A placeholder whose shape is known explains itself.
  for (NodeId id = 0; id < state_->graph.size(); ++id) {
    const Expr node = state_->graph[id];
    const bool fed = std::any_of(types.begin(), types.end(), [&](const FedType& f) { return f.placeholder == node; });
    if (!fed && node.kind() == Kind::placeholder && node.shape().known()) types.push_back({node, node.type()});
  }
  for (const CachedPlan& plan : state_->plans)
    if (plan.is_for(state_->graph, fetches, types)) return plan.plan->explain();
  return state_->compile(fetches, types)->explain();
}

}  // namespace gradus
