// How a plan becomes data (steps.h): which of its nodes are listed, in which order, and what each stands for.
#include <gradus/core/at.h>
#include <gradus/core/graph/nodes.h>
#include <gradus/core/run/plan.h>

#include <algorithm>
#include <limits>
#include <set>

namespace gradus {

namespace {

class Listing {
 public:
  Listing(const Program& program, const Schedule& schedule, const MemoryPlan& memory)
      : program_(program), schedule_(schedule), memory_(memory), ids_(program.nodes.size(), -1) {
    list_nodes();
    for (std::size_t id = 0; id < nodes_.size(); ++id) ids_[at(nodes_[id])] = static_cast<int>(id);
  }

  // By id.
  const std::vector<int>& nodes() const { return nodes_; }
  // Of the value of a node; -1 where it is not listed.
  int id_of(int node) const { return node < 0 ? -1 : ids_[at(value_of(node))]; }

  PlanStep step(int id) const {
    const ProgramNode& n = node(id);
    PlanStep step;
    step.id = ids_[at(id)];
    step.form = form_of(n);
    step.op = n.op->name();
    step.attributes = n.op->attributes();
    if (n.kind == Kind::placeholder || n.kind == Kind::variable) step.name = n.origin.name();
    step.where = n.origin.where();
    for (int i = 0; i < static_cast<int>(n.inputs.size()); ++i) {
      const int input = n.inputs[at(i)];
      // (An assign is shown with the variable that it names.)
      step.inputs.push_back({n.op->reads(i) || n.kind == Kind::assign ? id_of(input) : -1, node(input).type});
    }
    step.type = n.type;
    set_place(id, step);
    if (step.place != StepPlace::none) count_bytes(n, step);
    return step;
  }

  // Of dense tensors that are there as a whole, read or written: how much of a sparse one is stored, a plan does not
  // know.
  std::int64_t dense_bytes(const Group& group) const {
    std::set<int> whole;
    for (const int id : group.nodes) {
      if (memory_.kept[at(id)]) whole.insert(id);
      for_each_read(program_, node(id), [&](int, int root) {
        if (!is_computed(node(root)) || memory_.kept[at(root)]) whole.insert(root);
      });
    }
    std::int64_t bytes = 0;
    for (const int id : whole)
      if (const Type& type = node(id).type; type.layout == Layout::dense) bytes += dense_bytes(type);
    return bytes;
  }

  // Says of each step which of the user's nodes it is. One without a value in the plan is included in the first step
  // that needs it.
  void add_user_nodes(Graph& graph, std::vector<PlanStep>& list) const {
    std::vector<int> included_in(program_.became.size(), -1);
    for (auto id = static_cast<NodeId>(program_.became.size()) - 1; id >= 0; --id) {
      const Expr user = graph[id];
      int value = program_.became[at(id)];
      while (value >= 0 && id_of(value) < 0 && node(value).is_view) value = node(value).viewed();
      const int own = id_of(value);
      const int step = own >= 0 ? own : included_in[at(id)];
      if (step < 0) continue;
      for (int i = 0; i < user.arity(); ++i)
        if (user.op().reads(i)) included_in[at(user.input(i).id())] = step;
      if (user.kind() == Kind::constant && own >= 0 && same_node(graph.find(user.name()), user))
        list[at(own)].name = user.name();  // else it is a number, and called what it is
      if (user.kind() != Kind::op) continue;
      (own >= 0 ? list[at(own)].nodes : list[at(step)].including).push_back({user.name(), user.where()});
    }
    for (PlanStep& step : list) {
      std::reverse(step.nodes.begin(), step.nodes.end());
      std::reverse(step.including.begin(), step.including.end());
    }
  }

 private:
  const ProgramNode& node(int id) const { return program_.nodes[at(id)]; }
  static std::int64_t dense_bytes(const Type& type) {
    return type.shape.size() * static_cast<std::int64_t>(size_of(type.dtype));
  }

  // An assign has the value that it assigns.
  int value_of(int id) const {
    while (node(id).kind == Kind::assign) id = node(id).inputs[1];
    return id;
  }

  // Views come where they are first read; assigns whose value is not written in place, at the end.
  void list_nodes() {
    std::vector<bool> seen(program_.nodes.size(), false);
    std::vector<int> steps, views;
    const auto read = [&](int id) {
      for (id = value_of(id); !seen[at(id)]; id = value_of(node(id).viewed())) {
        seen[at(id)] = true;
        if (!node(id).is_view) break;
        views.push_back(id);
      }
      steps.insert(steps.end(), views.rbegin(), views.rend());
      views.clear();
    };
    for (const Group& group : schedule_.groups)
      for (const int id : group.nodes) {
        const ProgramNode& n = node(id);
        for (int i = 0; i < static_cast<int>(n.inputs.size()); ++i)
          if (n.op->reads(i)) read(n.inputs[at(i)]);
        if (const int variable = variable_of(id); variable >= 0) seen[at(variable)] = true;
        seen[at(id)] = true;
        steps.push_back(id);
      }
    for (const int id : program_.fetches)
      if (node(id).kind != Kind::group) read(id);
    for (const int id : memory_.copied) {
      read(id);
      seen[at(variable_of(id))] = true;
      steps.push_back(id);
    }
    for (int id = 0; id < static_cast<int>(program_.nodes.size()); ++id)
      if (const Kind kind = node(id).kind; seen[at(id)] && kind != Kind::op && kind != Kind::assign)
        nodes_.push_back(id);
    nodes_.insert(nodes_.end(), steps.begin(), steps.end());
  }

  // The variable that the node writes, or -1.
  int variable_of(int id) const {
    if (node(id).kind == Kind::assign) return node(id).inputs[0];
    return std::max(memory_.in_variable[at(id)], memory_.scattered[at(id)]);
  }

  StepForm form_of(const ProgramNode& n) const {
    switch (n.kind) {
      case Kind::placeholder: return StepForm::placeholder;
      case Kind::variable: return StepForm::variable;
      case Kind::constant: return StepForm::constant;
      case Kind::assign: return StepForm::copy;
      default: break;
    }
    if (n.is_view) return StepForm::view;
    return n.op->row_kernel(input_types(program_, n)) != nullptr ? StepForm::loop : StepForm::call;
  }

  void set_place(int id, PlanStep& step) const {
    if (step.is_given() || step.form == StepForm::view) return;
    step.target = id_of(variable_of(id));
    if (step.target >= 0) {
      step.place = memory_.scattered[at(id)] >= 0 ? StepPlace::rows : StepPlace::variable;
    } else if (!memory_.kept[at(id)]) {
      step.place = StepPlace::tile;
    } else if (step.type.layout != Layout::dense) {
      step.place = StepPlace::grows;
    } else {
      step.place = StepPlace::arena;
      step.offset = memory_.offset[at(id)];
    }
  }

  void count_bytes(const ProgramNode& n, PlanStep& step) const {
    constexpr auto index_bytes = static_cast<std::int64_t>(sizeof(Index));
    const Type& type = step.type;
    if (type.layout == Layout::dense) {
      step.bytes = dense_bytes(type);
      return;
    }
    const bool csr = type.layout == Layout::csr;
    const Expr source = csr ? program_.facts.pattern_source(n.origin) : program_.facts.row_set(n.origin);
    const bool own_index = !source.valid() || same_node(source, n.origin);
    const std::int64_t count = csr ? type.shape.size() : type.shape[0];
    const auto size = static_cast<std::int64_t>(size_of(type.dtype));
    step.bytes_each =
        size * (csr ? 1 : type.shape.size() / std::max<std::int64_t>(1, count)) + (own_index ? index_bytes : 0);
    if (!own_index) step.each_of = id_of(source.id());
    // However large a matrix is that could have non-zeros everywhere.
    step.bytes = std::min(count, std::numeric_limits<std::int64_t>::max() / 2 / step.bytes_each) * step.bytes_each;
    if (csr && own_index) step.bytes += (type.shape[0] + 1) * static_cast<std::int64_t>(sizeof(std::int64_t));
  }

  const Program& program_;
  const Schedule& schedule_;
  const MemoryPlan& memory_;
  std::vector<int> nodes_;
  std::vector<int> ids_;  // by node
};

// What is printed between steps of a group, or of a kernel, belongs to it.
void put_views_into_groups(std::vector<PlanStep>& list) {
  int last = -1, kernel = -1;  // of the last step
  std::size_t views = 0;       // that came since
  for (std::size_t id = 0; id < list.size(); ++id) {
    if (list[id].form == StepForm::view) {
      ++views;
      continue;
    }
    for (std::size_t view = id - views; view < id; ++view) {
      if (list[id].group == last) list[view].group = last;
      if (list[id].kernel == kernel) list[view].kernel = kernel;
    }
    last = list[id].group;
    kernel = list[id].kernel;
    views = 0;
  }
}

}  // namespace

std::vector<int> Plan::listed() const { return Listing(program_, schedule_, memory_).nodes(); }

PlanSteps Plan::list_steps(Graph& graph, std::span<const GroupForm> forms) const {
  const Listing listing(program_, schedule_, memory_);
  PlanSteps steps;
  steps.arena_bytes = memory_.arena_bytes;
  for (const int id : listing.nodes()) steps.list.push_back(listing.step(id));
  listing.add_user_nodes(graph, steps.list);
  for (const int fetch : program_.fetches)
    if (node(fetch).kind != Kind::group) steps.list[at(listing.id_of(fetch))].fetched = true;
  for (std::size_t g = 0; g < forms.size(); ++g) {
    const Group& group = schedule_.groups[g];
    for (const int id : group.nodes) {
      PlanStep& step = steps.list[at(listing.id_of(id))];
      step.form = forms[g].form.value_or(step.form);
      if (!forms[g].together) continue;
      step.group = static_cast<int>(steps.groups.size());
      if (!forms[g].together->kernel.empty() && step.place == StepPlace::tile) step.place = StepPlace::registers;
    }
    for (const StepKernel& kernel : forms[g].kernels) {
      for (int m = kernel.first; m < kernel.first + kernel.count; ++m)
        steps.list[at(listing.id_of(group.nodes[at(m)]))].kernel = static_cast<int>(steps.kernels.size());
      steps.kernels.push_back(kernel);
      steps.kernels.back().first = listing.id_of(group.nodes[at(kernel.first)]);
    }
    if (!forms[g].together) continue;
    StepGroup& together = steps.groups.emplace_back(*forms[g].together);
    together.dense_bytes = listing.dense_bytes(group);
    if (!together.kernel.empty()) continue;
    together.rows = group.rows;
    together.rows_of = listing.id_of(group.active_in);
    together.tile_rows = group.tile_rows;
  }
  put_views_into_groups(steps.list);
  return steps;
}

}  // namespace gradus
