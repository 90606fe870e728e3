#include <gradus/core/run/session.h>

#include <gradus/core/device/device_plan.h>
#include <gradus/core/device/recompute.h>
#include <gradus/core/error.h>
#include <gradus/core/graph/nodes.h>
#include <gradus/core/listed.h>
#include <gradus/core/plan/look_up_again.h>
#include <gradus/core/plan/passes.h>
#include <gradus/core/plan/store_transposed.h>
#include <gradus/core/run/cpu_plan.h>
#include <gradus/core/run/rank_runs.h>
#include <gradus/core/run/session_state.h>

#include <fmt/format.h>

#include <algorithm>

namespace gradus {

namespace {

// A stream of batches of many sizes must not fill the memory: on the CPU plans share what they work in.
constexpr std::size_t plans_kept = 512, plans_kept_on_device = 64;

std::string name_with_place(const Expr& e) { return fmt::format("{} ({})", e.name(), to_string(e.where())); }

std::string_view called(const Expr& fed) {
  return fed.kind() == Kind::placeholder ? "the placeholder"
         : fed.kind() == Kind::variable  ? "the variable"
                                         : "the node";
}

void check_feed(const GraphToken& graph, const Feed& feed, std::string_view caller) {
  const Expr& p = feed.placeholder;
  check_fed_node(graph, p, caller);
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
  fail<FeedError>("{}: {} {} is {} but was fed {}{}", caller, called(p), name_with_place(p), to_string(want),
                  to_string(have), hint);
}

void check_feeds(const GraphToken& graph, const Feeds& feeds, std::string_view caller) {
  for (auto feed = feeds.begin(); feed != feeds.end(); ++feed) {
    check_feed(graph, *feed, caller);
    if (std::any_of(feeds.begin(), feed,
                    [&](const Feed& other) { return same_node(other.placeholder, feed->placeholder); }))
      fail<FeedError>("{}: {} {} is fed twice", caller, called(feed->placeholder), name_with_place(feed->placeholder));
  }
}

std::vector<FedType> types_of(const Feeds& feeds) {
  std::vector<FedType> types;
  for (const Feed& feed : feeds) types.push_back(fed_type(feed.placeholder, feed.value));
  return types;
}

// A placeholder whose shape is known explains itself.
std::vector<FedType> explained_types(Graph& graph, const Feeds& feeds) {
  std::vector<FedType> types = types_of(feeds);
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Expr node = graph[id];
    const bool fed =
        std::any_of(types.begin(), types.end(), [&](const FedType& f) { return same_node(f.placeholder, node); });
    if (!fed && node.kind() == Kind::placeholder && node.shape().known()) types.push_back({node, node.type()});
  }
  return types;
}

}  // namespace

void check_fed_node(const GraphToken& graph, const Expr& node, std::string_view caller) {
  if (!node.valid()) fail<FeedError>("{}: a value is fed to no expression; a placeholder is expected", caller);
  if (!node.belongs_to(graph))
    fail<FeedError>("{}: {} does not belong to the session's graph", caller, to_string(node));
  if (node.kind() == Kind::assign || node.kind() == Kind::group)
    fail<FeedError>("{}: {} is fed, but it is there to be run; a placeholder or a value is expected", caller,
                    to_string(node));
  if (holds_rows(node.type()))
    fail<FeedError>("{}: {} is fed, but only dense and csr values are; to_dense makes it one", caller, to_string(node));
}

Tensor Feed::fitting(const Expr& placeholder, const Number& number) {
  const DType own = number.is_bool() ? boolean : number.is_whole() ? int64 : float32;
  const DType wanted = placeholder.valid() ? placeholder.dtype() : own;
  return Tensor::scalar(number, number.fits(wanted) ? wanted : own);
}

Tensor Feed::fitting(const Expr& placeholder, const Tensor& numbers) {
  if (!placeholder.valid() || placeholder.dtype() == numbers.dtype()) return numbers;
  const DType wanted = placeholder.dtype();
  const bool fit = dispatch(numbers.dtype(), [&]<class T>(TypeTag<T>) {
    const std::span<const T> all = numbers.span<T>();
    return std::all_of(all.begin(), all.end(), [&](T number) { return Number(number).fits(wanted); });
  });
  return fit ? numbers.cast(wanted) : numbers;
}

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

namespace {
bool are(std::span<const NodeId> ids, const GraphToken& graph, std::span<const Expr> wanted) {
  return std::equal(ids.begin(), ids.end(), wanted.begin(), wanted.end(),
                    [&](NodeId id, const Expr& e) { return id == e.id() && e.belongs_to(graph); });
}
}  // namespace

bool CachedPlan::is_for(const GraphToken& graph, std::span<const Expr> wanted, const Feeds& given) const {
  return are(fetches, graph, wanted) &&
         std::equal(feeds.begin(), feeds.end(), given.begin(), given.end(), [](const FedType& a, const Feed& b) {
           return same_node(a.placeholder, b.placeholder) && a.type == b.value.type() && a.ones == b.value.ones() &&
                  a.holds == truth_of(b.value);
         });
}

bool CachedPlan::is_for(const GraphToken& graph, std::span<const Expr> wanted, std::span<const FedType> given) const {
  return are(fetches, graph, wanted) && std::is_permutation(feeds.begin(), feeds.end(), given.begin(), given.end(),
                                                            [](const FedType& a, const FedType& b) {
                                                              return same_node(a.placeholder, b.placeholder) &&
                                                                     a.type == b.type && a.ones == b.ones &&
                                                                     a.holds == b.holds;
                                                            });
}

Graph& Session::State::graph() const {
  Graph* const graph = token.graph();
  if (graph == nullptr)
    fail<ValueError>("a session was used after its graph was destroyed; a graph must outlive its sessions");
  return *graph;
}

void Session::State::check(std::span<const Expr> fetches, const Feeds& feeds, std::string_view caller) const {
  graph();
  for (std::size_t i = 0; i < fetches.size(); ++i) {
    if (!fetches[i].valid()) fail<FeedError>("{}: fetch {} is no expression", caller, i);
    if (!fetches[i].belongs_to(token))
      fail<FeedError>("{}: {} does not belong to the session's graph", caller, to_string(fetches[i]));
  }
  check_feeds(token, feeds, caller);
}

bool are_same(std::span<const FedType> a, std::span<const FedType> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const FedType& one, const FedType& other) {
    return same_node(one.placeholder, other.placeholder) && one.type == other.type && one.ones == other.ones &&
           one.holds == other.holds;
  });
}

Session::State::Compiled Session::State::compile(std::span<const Expr> fetches, std::span<const FedType> feeds,
                                                 std::string_view caller, bool may_turn, bool of_own_rows) const {
  const auto uses = [&](std::string_view pass) {
    return std::find(without.begin(), without.end(), pass) == without.end();
  };
  const auto drafted = [&](const Storage& storage) {
    return rewritten(make_draft(fetches, feeds, storage, caller), without);
  };
  const auto turn_in = [](Storage& storage, std::span<const Expr> turned) {
    for (const Expr& variable : turned) {
      const std::size_t number = variable_number(variable);
      storage.transposed.resize(std::max(storage.transposed.size(), number + 1), false);
      storage.transposed[number] = !storage.transposed[number];
    }
  };
  Storage storage{variables.transposed, transposing_node(graph()), {}};
  std::vector<Expr> shared_out;
  for (const Expr& variable : graph().variables()) {
    if (!variables.is_shared_out(variable)) continue;
    shared_out.push_back(variable);
    if (!of_own_rows) continue;
    storage.rows.resize(std::max(storage.rows.size(), variable_number(variable) + 1), -1);
    storage.rows[variable_number(variable)] = variables.owners.own(variable.shape()[0]);
  }
  std::vector<Expr> turned = unfit_transposed(graph(), storage.transposed);
  turn_in(storage, turned);
  Compiled compiled{drafted(storage)};
  std::vector<Expr> wanted;
  if (may_turn && uses(storage_pass) && storage.transposing.valid())
    wanted = wanted_transposed(compiled.draft, graph(), storage.transposed);
  std::erase_if(wanted, [&](const Expr& variable) {
    return std::any_of(shared_out.begin(), shared_out.end(), [&](const Expr& e) { return same_node(e, variable); });
  });
  if (!wanted.empty()) {
    turn_in(storage, wanted);
    Draft other = drafted(storage);
    if (elements_relaid(other) < elements_relaid(compiled.draft)) {
      compiled.draft = std::move(other);
      turned.insert(turned.end(), wanted.begin(), wanted.end());
    }
  }
  compiled.turned = std::move(turned);
  if (on_device && uses(recomputing_pass) && uses(fusing_pass)) compiled.draft = recompute(compiled.draft);
  if (!on_device && uses(recomputing_pass)) compiled.draft = look_up_again(compiled.draft);
  return compiled;
}

std::shared_ptr<Plan> Session::State::make_plan(Draft draft, Variables& stored) {
  const auto uses = [&](std::string_view pass) {
    return std::find(without.begin(), without.end(), pass) == without.end();
  };
  Program program = make_program(std::move(draft));
  if (on_device)
    return std::make_shared<DevicePlan>(std::move(program), stored, *on_device, uses(fusing_pass),
                                        uses(recording_pass));
  return std::make_shared<CpuPlan>(std::move(program), stored, workers, working,
                                   CpuPasses{uses(tiles_pass), uses(compile_pass)});
}

void Session::State::turn(std::span<const Expr> turned) {
  if (turned.empty()) return;
  plans.clear();
  ++storages;
  for (const Expr& variable : turned) variables.turn(variable);
}

Plan& Session::State::plan_for(std::span<const Expr> fetches, const Feeds& feeds) {
  graph();
  const auto found =
      std::find_if(plans.begin(), plans.end(), [&](const CachedPlan& p) { return p.is_for(token, fetches, feeds); });
  if (found != plans.end()) {
    if (found != plans.begin()) plans.splice(plans.begin(), plans, found);
    return *plans.front().plan;
  }
  check(fetches, feeds, "run");
  CachedPlan made;
  for (const Expr& fetch : fetches) made.fetches.push_back(fetch.id());
  made.feeds = types_of(feeds);
  Compiled compiled = compile(fetches, made.feeds, "run");
  return keep(std::move(made), std::move(compiled));
}

Plan& Session::State::plan_of(std::span<const Expr> fetches, std::span<const FedType> feeds, bool of_own_rows) {
  const auto found = std::find_if(plans.begin(), plans.end(), [&](const CachedPlan& p) {
    return are(p.fetches, token, fetches) && are_same(p.feeds, feeds);
  });
  if (found != plans.end()) {
    plans.splice(plans.begin(), plans, found);
    return *plans.front().plan;
  }
  CachedPlan made{{}, {feeds.begin(), feeds.end()}, nullptr};
  for (const Expr& fetch : fetches) made.fetches.push_back(fetch.id());
  return keep(std::move(made), compile(fetches, feeds, "run", false, of_own_rows));
}

Plan& Session::State::keep(CachedPlan made, Compiled compiled) {
  turn(compiled.turned);
  made.plan = make_plan(std::move(compiled.draft), variables);
  if (plans.size() == (on_device ? plans_kept_on_device : plans_kept)) plans.pop_back();
  plans.push_front(std::move(made));
  return *plans.front().plan;
}

Tensor Session::State::value(const Expr& variable) {
  graph();
  if (!is_variable(variable))
    fail<TypeError>("value: {} is not a variable of the session's graph", to_string(variable));
  if (variables.is_shared_out(variable)) return over_ranks->value(*this, variable);
  return variables.read(variable);
}

Session::Session(Graph& graph, const Device& device, const SessionOptions& options) {
  if (options.threads < 0) fail<ValueError>("a session with {} threads; 0 means all cores", options.threads);
  for (const std::string& name : options.without)
    if (std::none_of(pass_names().begin(), pass_names().end(), [&](const PassName& p) { return p.name == name; })) {
      std::vector<std::string_view> names;
      for (const PassName& pass : pass_names()) names.push_back(pass.name);
      fail<ValueError>("a session without the pass '{}'; the passes are {}", name, listed(names));
    }
  state_ = std::make_shared<State>(graph, device, options);
}

Session::Session(Graph& graph, const Device& device, const Communicator& ranks, const SessionOptions& options)
    : Session(graph, device, options) {
  const auto over = std::make_shared<RankRuns>(ranks, options.pieces);
  if (ranks.size() == 1 && options.pieces == 1) return;
  state_->over_ranks = over;
  state_->variables.owners = {ranks.rank(), ranks.size()};
  state_->variables.shard_above = options.shard_above;
}

Session::~Session() = default;

OwnRows Session::rows_of(std::int64_t rows, std::int64_t together) const {
  if (!state_->over_ranks) return {0, rows};
  const RankRuns& over = *state_->over_ranks;
  const auto begin = [&](int rank) {
    return first_row(first_piece(rank, over.ranks.size(), over.pieces), over.pieces, rows, together);
  };
  const int rank = over.ranks.rank();
  return {begin(rank), begin(rank + 1) - begin(rank)};
}

Graph& Session::graph() const { return state_->graph(); }
const Device& Session::device() const { return state_->device; }
int Session::threads() const { return state_->workers.threads(); }

void Session::compute(std::span<const Expr> fetches, const Feeds& feeds, Recorder* recorder) {
  state_->results.clear();
  if (state_->over_ranks) state_->results = state_->over_ranks->run(*state_, fetches, feeds);
  if (!state_->results.empty()) return;
  Plan& plan = state_->plan_for(fetches, feeds);
  state_->bound.clear();
  for (const Feed& feed : feeds) state_->bound.push_back(&feed.value);
  plan.run(state_->bound, state_->runs, recorder);
  ++state_->runs;
}

Tensor Session::result(std::size_t i) {
  return state_->results.empty() ? state_->plans.front().plan->result(i) : state_->results[i];
}

void Session::run_into(std::span<const Expr> fetches, const Feeds& feeds, std::span<Tensor> results) {
  const Use use(*state_);
  compute(fetches, feeds);
  for (std::size_t i = 0; i < results.size(); ++i) results[i] = result(i);
}

Tensor Session::run(const Expr& fetch, const Feeds& feeds) {
  Tensor value;
  run_into({&fetch, 1}, feeds, {&value, 1});
  return value;
}

std::vector<Tensor> Session::run(std::span<const Expr> fetches, const Feeds& feeds) {
  std::vector<Tensor> results(fetches.size());
  if (!fetches.empty()) run_into(fetches, feeds, results);
  return results;
}

PreparedRun Session::prepare(std::span<const Expr> fetches, std::span<const Expr> placeholders) {
  return {state_, fetches, placeholders};
}

PreparedRun Session::prepare(const Expr& fetch, std::initializer_list<Expr> placeholders) {
  return prepare(std::span(&fetch, 1), std::span(placeholders.begin(), placeholders.size()));
}

void Session::initialize() {
  const Use use(*state_);
  for (const Expr& variable : state_->graph().variables()) state_->variables.start(variable);
}

Tensor Session::value(const Expr& variable) {
  const Use use(*state_);
  return state_->value(variable);
}

void Session::assign(const Expr& variable, const Tensor& value) {
  const Use use(*state_);
  state_->graph();
  if (!state_->is_variable(variable))
    fail<TypeError>("assign: {} is not a variable of the session's graph", to_string(variable));
  if (variable.type() != value.type())
    fail<TypeError>("assign: the variable {} ({}) is {} but the value is {}", variable.name(),
                    to_string(variable.where()), to_string(variable.type()), to_string(value.type()));
  state_->variables.write(variable, state_->variables.rows_here(variable, value));
}

bool Session::shares_out(const Expr& variable) const {
  return state_->is_variable(variable) && state_->variables.is_shared_out(variable);
}

Tensor Session::own_value(const Expr& variable) {
  const Use use(*state_);
  state_->graph();
  if (!state_->is_variable(variable))
    fail<TypeError>("own_value: {} is not a variable of the session's graph", to_string(variable));
  return state_->variables.read(variable);
}

void Session::assign_own(const Expr& variable, const Tensor& rows) {
  const Use use(*state_);
  state_->graph();
  if (!state_->is_variable(variable))
    fail<TypeError>("assign_own: {} is not a variable of the session's graph", to_string(variable));
  if (const Type here = state_->variables.type_here(variable); rows.type() != here)
    fail<TypeError>("assign_own: of the variable {} ({}) this rank has {} but is given {}", variable.name(),
                    to_string(variable.where()), to_string(here), to_string(rows.type()));
  state_->variables.write(variable, rows);
}

Tensor Session::all_rows(const Expr& variable, const Tensor& own, std::optional<int> for_rank) {
  const Use use(*state_);
  if (!shares_out(variable) || own.type() == variable.type()) return own;
  if (const int ranks = state_->over_ranks->ranks.size(); for_rank && (*for_rank < 0 || *for_rank >= ranks))
    fail<ValueError>("all_rows: for rank {} of {}; 0 to {} is expected", *for_rank, ranks, ranks - 1);
  if (const Type here = state_->variables.type_here(variable); own.type() != here)
    fail<TypeError>("all_rows: of the variable {} ({}) this rank has {} but is given {}", variable.name(),
                    to_string(variable.where()), to_string(here), to_string(own.type()));
  return state_->over_ranks->all_rows(variable, own, for_rank);
}

PlanSteps Session::steps(std::span<const Expr> fetches, const Feeds& feeds) { return steps(fetches, feeds, "steps"); }

std::string Session::explain(std::span<const Expr> fetches, const Feeds& feeds, const ExplainOptions& options) {
  if (fetches.empty()) return {};
  if (state_->over_ranks) {
    const Use use(*state_);
    state_->check(fetches, feeds, "explain");
    std::string text =
        state_->over_ranks->explain(*state_, fetches, explained_types(state_->graph(), feeds), options.kernels);
    if (!text.empty()) return text;
  }
  return to_string(steps(fetches, feeds, "explain"), options.kernels);
}

PlanSteps Session::steps(std::span<const Expr> fetches, const Feeds& feeds, std::string_view caller) {
  if (fetches.empty()) return {};
  const Use use(*state_);
  state_->check(fetches, feeds, caller);
  Graph& graph = state_->graph();
  const std::vector<FedType> types = explained_types(graph, feeds);
  for (const CachedPlan& plan : state_->plans)
    if (plan.is_for(state_->token, fetches, types)) return plan.plan->steps(graph);
  State::Compiled compiled = state_->compile(fetches, types, caller);
  Variables none{.accelerator = state_->variables.accelerator, .are_places_only = true};
  return state_->make_plan(std::move(compiled.draft), none)->steps(graph);
}

}  // namespace gradus
