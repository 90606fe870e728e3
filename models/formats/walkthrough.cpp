// Recording: which nodes and steps are kept, and what of a large tensor.
#include <gradus/models/formats/walkthrough.h>

#include <gradus/core/at.h>
#include <gradus/core/error.h>
#include <gradus/core/plan/passes.h>
#include <gradus/models/formats/graph_layout.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>

namespace gradus {

namespace {

constexpr std::size_t most_nodes = 400;
constexpr std::int64_t most_steps = 1'000'000, most_elements = 4096, most_lines = 64;

// Steps that are kept: the first eleven, then ever fewer, and the last.
std::set<std::int64_t> kept_steps(std::int64_t steps) {
  std::set<std::int64_t> kept = {steps};
  for (std::int64_t step = 0; step < steps; step = std::max(step + 1, step < 11 ? step + 1 : step * 9 / 8))
    kept.insert(step);
  return kept;
}

WalkthroughValue in_blocks(const Tensor& tensor) {
  const Tensor dense = tensor.to_dense();
  const std::int64_t columns = dense.rank() == 0 ? 1 : dense.dim(-1), rows = dense.size() / columns;
  const auto block = [](std::int64_t count) { return (count + most_lines - 1) / most_lines; };
  const std::int64_t high = block(rows), wide = block(columns);
  const std::int64_t out_rows = (rows + high - 1) / high, out_columns = (columns + wide - 1) / wide;
  std::vector<double> sum(at(out_rows * out_columns)), count(sum.size());
  WalkthroughValue out;
  out.whole = false;
  out.least = std::numeric_limits<double>::infinity();
  out.greatest = -out.least;
  std::int64_t i = 0;
  for (const double value : dense) {
    const std::size_t cell = at(i / columns / high * out_columns + i % columns / wide);
    sum[cell] += value;
    ++count[cell];
    out.least = std::min(out.least, value);
    out.greatest = std::max(out.greatest, value);
    ++i;
  }
  out.numbers = Tensor::make<float>({out_rows, out_columns}, [&](std::span<float> numbers) {
    for (std::size_t cell = 0; cell < numbers.size(); ++cell)
      numbers[cell] = static_cast<float>(sum[cell] / count[cell]);
  });
  return out;
}

WalkthroughValue kept(const Tensor& tensor) {
  if (tensor.size() > most_elements) return in_blocks(tensor);
  WalkthroughValue value;
  value.numbers = tensor;
  return value;
}

// What is fetched at once, and where it goes in a frame.
struct Fetched {
  std::vector<Expr> exprs;

  int add(const Expr& expr) {
    exprs.push_back(expr);
    return static_cast<int>(exprs.size()) - 1;
  }
};

void check(const Session& session, const WalkthroughOptions& options, const std::vector<Expr>& nodes) {
  const Expr& loss = options.loss;
  if (!is_floating(loss.dtype()) || !loss.shape().known() || loss.shape().size() != 1)
    fail<TypeError>("record_walkthrough: the loss is {}; one floating number is expected (reduce_mean makes one)",
                    to_string(loss));
  for (const Expr& expr : {loss, options.train})
    if (expr.valid() && &expr.graph() != &session.graph())
      fail<TypeError>("record_walkthrough: {} is of another graph than the session's", to_string(expr));
  if (options.steps < 0 || options.steps > most_steps)
    fail<ValueError>("record_walkthrough: steps is {}; 0 to {} are expected", options.steps, most_steps);
  if (nodes.size() > most_nodes)
    fail<ValueError>(
        "record_walkthrough: {} needs {} nodes; a page shows at most {}: take a part of the graph as the loss",
        to_string(loss), nodes.size(), most_nodes);
}

std::vector<double> seconds_of(const Profile& profile) {
  std::vector<double> seconds(profile.plan.list.size());
  for (const StepTime& time : profile.steps) seconds[at(time.id)] = time.seconds;
  return seconds;
}

// In sessions of their own, so that what was recorded stays as it is.
std::vector<Walkthrough::Plan> plans_of(const Session& session, const Expr& fetch, const Feeds& feeds) {
  const bool on_cpu = session.device().is_cpu();
  std::vector<std::string> passes;
  for (const PassName& pass : pass_names())
    if ((on_cpu ? pass.on_cpu : pass.on_device) && pass.name != compile_pass) passes.emplace_back(pass.name);
  std::vector<Walkthrough::Plan> plans;
  const auto add = [&](const std::string& name, std::vector<std::string> without) {
    without.emplace_back(compile_pass);  // when its kernels are ready is the compiler's affair, not the plan's
    Session like(session.graph(), session.device(), {session.threads(), without});
    Walkthrough::Plan plan;
    plan.without = name;
    const Profile profile = like.profile(fetch, feeds);
    plan.steps = profile.plan;
    plan.seconds = seconds_of(profile);
    plans.push_back(std::move(plan));
  };
  add("", {});
  for (const std::string& pass : passes) add(pass, {pass});
  add("all passes", passes);
  return plans;
}

}  // namespace

Walkthrough record_walkthrough(Session& session, const WalkthroughOptions& options, const Feeds& feeds) {
  if (!options.loss.valid()) fail<TypeError>("record_walkthrough: the loss is no expression");
  Walkthrough run;
  run.nodes = nodes_of(options.loss);
  check(session, options, run.nodes);
  std::reverse(run.nodes.begin(), run.nodes.end());
  run.title = options.title.empty() ? std::string(options.loss.where().file) : options.title;
  run.title.erase(0, options.title.empty() ? run.title.rfind('/') + 1 : 0);

  std::vector<Expr> differentiated;
  std::map<NodeId, std::size_t> place;
  for (const Expr& node : run.nodes) {
    place[node.id()] = place.size();
    if (is_floating(node.dtype()) && node.kind() != Kind::constant) differentiated.push_back(node);
  }
  BackwardWalk walk;
  if (!differentiated.empty()) walk = walk_backward(options.loss, differentiated);
  run.parts = walk.parts;

  Fetched fetched;
  for (const Expr& node : run.nodes) fetched.add(node);
  std::vector<int> gradient_at(run.nodes.size(), -1), part_at(run.parts.size(), -1), parts_of(run.nodes.size());
  for (std::size_t i = 0; i < differentiated.size(); ++i)
    if (walk.gradients[i].valid()) gradient_at[place[differentiated[i].id()]] = fetched.add(walk.gradients[i]);
  const auto receiver = [&](const GradientPart& part) { return place[part.node.input(part.input).id()]; };
  for (const GradientPart& part : run.parts) ++parts_of[receiver(part)];
  for (std::size_t i = 0; i < run.parts.size(); ++i)
    if (parts_of[receiver(run.parts[i])] > 1) part_at[i] = fetched.add(run.parts[i].part);

  const std::int64_t steps = options.train.valid() ? options.steps : 0;
  const std::set<std::int64_t> wanted = kept_steps(steps);
  const Expr watched = options.train.valid() ? options.train : options.loss;
  for (std::int64_t step = 0; step <= steps; ++step) {
    if (!wanted.contains(step)) {
      run.losses.push_back(session.run({options.loss, options.train}, feeds).front().item());
      continue;
    }
    std::vector<Expr> fetches = fetched.exprs;
    if (step < steps) fetches.push_back(options.train);
    const std::vector<Tensor> results = session.run(fetches, feeds);
    const auto kept_at = [&](int i) -> std::optional<WalkthroughValue> {
      if (i < 0) return {};
      return kept(results[at(i)]);
    };
    Walkthrough::Frame frame;
    frame.step = step;
    for (std::size_t i = 0; i < run.nodes.size(); ++i) frame.values.push_back(kept(results[i]));
    for (const int i : gradient_at) frame.gradients.push_back(kept_at(i));
    for (const int i : part_at) frame.parts.push_back(kept_at(i));
    run.losses.push_back(results[run.nodes.size() - 1].to_dense().item());
    run.frames.push_back(std::move(frame));
  }
  run.plans = plans_of(session, watched, feeds);
  return run;
}

}  // namespace gradus
