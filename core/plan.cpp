#include <gradus/core/plan.h>

#include <gradus/core/nodes.h>
#include <gradus/core/table_rows.h>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>

namespace gradus {

namespace {

const VariableOp& variable_op(const Expr& variable) { return static_cast<const VariableOp&>(variable.op()); }

std::size_t number_of(const Expr& variable) { return static_cast<std::size_t>(variable_op(variable).number()); }

std::size_t bytes_stored(const Value& value) {
  return static_cast<std::size_t>(value.stored) * size_of(value.type.dtype);
}

// memcpy, but a null pointer is fine where there is nothing to copy.
void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

}  // namespace

Plan::Plan(Program program, Variables& variables, Workers& workers, bool use_strips)
    : program_(std::move(program)),
      variables_(variables),
      workers_(workers),
      schedule_(make_schedule(program_, use_strips)),
      memory_(plan_memory(program_, schedule_)),
      arena_(static_cast<std::size_t>(memory_.arena_bytes)),
      values_(program_.nodes.size()),
      results_(program_.fetches.size()),
      staged_(memory_.copied.size()) {
  place_values();
  steps_.reserve(program_.nodes.size());
  const std::vector<std::vector<int>> views = moving_views();
  const auto follow = [&](int root) {
    for (const int view : views[static_cast<std::size_t>(root)])
      steps_.push_back({view, true, false, {}, nullptr, {&value(node(view).viewed())}, {}, 0});
  };
  for (int id = 0; id < static_cast<int>(program_.nodes.size()); ++id)
    if (node(id).kind == Kind::placeholder) follow(id);
  for (const Group& group : schedule_.groups) {
    if (group.strip_rows > 0) {
      add_region(group);
    } else {
      add_step(group.nodes.front());
    }
    for (const int id : group.nodes) follow(id);
  }
  for (int id = 0; id < static_cast<int>(program_.nodes.size()); ++id)
    if (node(id).live && node(id).type.layout != Layout::dense && node(id).kind != Kind::constant &&
        !(node(id).is_view && lies_still(id)))
      sparse_.push_back(&value(id));
}

// Whether a root is there as a whole, and not just strip by strip.
bool Plan::exists(int root) const { return !is_computed(node(root)) || memory_.kept[static_cast<std::size_t>(root)]; }

// Whether a node's numbers are at the same address in every run.
bool Plan::lies_still(int id) const {
  const ProgramNode& root = node(program_.root(id));
  return root.kind != Kind::placeholder && (root.kind != Kind::op || root.type.layout == Layout::dense);
}

void Plan::place_values() {
  for (int id = 0; id < static_cast<int>(program_.nodes.size()); ++id) {
    const ProgramNode& n = node(id);
    Value& v = value(id);
    v.type = n.type;
    if (!n.live || n.kind == Kind::placeholder || n.kind == Kind::group) continue;
    v.stored = n.type.shape.size();
    if (n.kind == Kind::constant) {
      const Tensor& constant = static_cast<const ConstantOp*>(n.op)->value();
      v.data = const_cast<std::byte*>(constant.data());  // only ever read
      v.stored = constant.stored();
      v.pattern = constant.pattern();
      v.ones = constant.ones();
      v.index = constant.index();
    } else if (n.kind == Kind::variable) {
      variables_.initialize(n.origin);
      v.data = variables_.memory[number_of(n.origin)].data();
    } else if (n.is_view) {
      if (!lies_still(id)) continue;
      const Value& shown = value(n.viewed());
      v.data = shown.data;
      v.stored = shown.stored;
      v.pattern = shown.pattern;
      v.ones = shown.ones;
      v.index = shown.index;
    } else if (const int variable = memory_.in_variable[static_cast<std::size_t>(id)]; variable >= 0) {
      variables_.initialize(node(variable).origin);
      v.data = variables_.memory[number_of(node(variable).origin)].data();
    } else if (memory_.offset[static_cast<std::size_t>(id)] >= 0) {
      v.data = arena_.data() + memory_.offset[static_cast<std::size_t>(id)];
    }
  }
  for (const int id : memory_.copied) variables_.initialize(node(node(id).inputs[0]).origin);
  for (const int id : memory_.scattered) {
    if (id < 0) continue;
    variables_.initialize(node(id).origin);
    value(id).data = variables_.memory[number_of(node(id).origin)].data();
  }
}

void Plan::add_region(const Group& group) {
  auto region = std::make_unique<Region>(program_, schedule_, group, memory_, values_);
  steps_.push_back({group.nodes.front(), false, false, {}, std::move(region), {}, {}, 0});
}

void Plan::add_step(int id) {
  const ProgramNode& n = node(id);
  Step step{id, false, false, {}, nullptr, {}, {}, n.op->is_random() ? stream_of(n.origin.name()) : 0};
  std::vector<Type> types;
  for (const int input : n.inputs) {
    step.inputs.push_back(&value(input));
    types.push_back(node(input).type);
  }
  if (const RowKernel kernel = n.op->row_kernel(types)) step.loop.emplace(*n.op, kernel, step.inputs, value(id));
  step.plain = step.loop && step.loop->is_plain() && value(id).stored <= Loop::chunk;
  steps_.push_back(std::move(step));
}

std::vector<std::vector<int>> Plan::moving_views() const {
  std::vector<std::vector<int>> views(program_.nodes.size());
  for (int id = 0; id < static_cast<int>(program_.nodes.size()); ++id)
    if (node(id).live && node(id).is_view && !lies_still(id) && exists(program_.root(id)))
      views[static_cast<std::size_t>(program_.root(id))].push_back(id);
  return views;
}

void Plan::bind(std::span<const Tensor* const> feeds) {
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    if (program_.feeds[i] < 0) continue;
    const Tensor& tensor = *feeds[i];
    Value& v = value(program_.feeds[i]);
    v.data = const_cast<std::byte*>(tensor.data());  // only ever read
    v.stored = tensor.stored();
    v.pattern = tensor.pattern();
    v.ones = tensor.ones();
    v.index = tensor.index();
  }
}

void Plan::run(std::span<const Tensor* const> feeds, std::uint64_t run_number, Recorder* recorder) {
  bind(feeds);
  for (Step& step : steps_) {
    Value& output = value(step.node);
    if (step.view) {
      const Value& shown = *step.inputs.front();
      output.data = shown.data;
      output.stored = shown.stored;
      output.pattern = shown.pattern;
      output.ones = shown.ones;
      output.index = shown.index;
      continue;
    }
    if (step.region) {
      step.region->run(workers_, run_number, recorder);
      continue;
    }
    if (step.plain) {
      Recorder::time(recorder, step.node, 0, [&] { step.loop->run_plain(step.inputs, output); });
      continue;
    }
    Call call(step.inputs, output, workers_, scratch_, step.growing);
    call.node = node(step.node).origin;
    call.stream = step.stream;
    call.run = run_number;
    Recorder::time(recorder, step.node, 0, [&] {
      if (step.loop) {
        step.loop->run(call);
      } else {
        node(step.node).op->compute(call);
      }
    });
  }
  keep_results();
  update_variables();
  let_go();
}

// Patterns and indices are shared with tensors of the caller's and with later steps; a step may write its index
// anew only when nobody else has it.
void Plan::let_go() {
  for (Value* value : sparse_) {
    value->pattern.reset();
    value->index.reset();
  }
}

void Plan::keep_results() {
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const int id = program_.fetches[i];
    const Value& v = value(id);
    if (node(id).kind == Kind::group) continue;
    Tensor& kept = results_[i];
    if (v.type.layout == Layout::dense) {
      if (kept.data() == nullptr || !kept.unique()) kept = Tensor::uninitialized(v.type);
      std::atomic_thread_fence(std::memory_order_acquire);  // whoever dropped it has read it
      copy_bytes(kept.writable_data(), v.data, bytes_stored(v));
      continue;
    }
    Shape stored = Shape({v.stored});
    if (v.type.layout != Layout::csr) stored = v.type.shape.with(0, v.index->count());
    Tensor numbers = Tensor::uninitialized({v.type.dtype, stored, Layout::dense});
    copy_bytes(numbers.writable_data(), v.data, bytes_stored(v));
    kept = v.type.layout == Layout::csr ? Tensor::csr(v.pattern, numbers)
                                        : Tensor::rows(v.type.shape, v.index, numbers, v.type.layout);
  }
}

Tensor Plan::result(std::size_t i) { return results_[i]; }

void Plan::update_variables() {
  // Values that are variables themselves are put aside before any variable changes: a = b, b = a swaps.
  for (std::size_t i = 0; i < memory_.copied.size(); ++i) {
    const ProgramNode& assign = node(memory_.copied[i]);
    if (node(program_.root(assign.inputs[1])).kind != Kind::variable) continue;
    const Value& v = value(assign.inputs[1]);
    staged_[i].reserve(bytes_stored(v));
    copy_bytes(staged_[i].data(), v.data, bytes_stored(v));
  }
  for (std::size_t i = 0; i < memory_.copied.size(); ++i) {
    const ProgramNode& assign = node(memory_.copied[i]);
    const Value& v = value(assign.inputs[1]);
    std::byte* variable = variables_.memory[number_of(node(assign.inputs[0]).origin)].data();
    if (v.type.layout == Layout::dense) {
      copy_bytes(variable, staged_[i].bytes() > 0 ? staged_[i].data() : v.data, bytes_stored(v));
      continue;
    }
    const std::size_t row_bytes = static_cast<std::size_t>(v.row_size()) * size_of(v.type.dtype);
    const std::span<const Index> rows = v.index->row;
    workers_.for_each(v.index->count(), rows_at_a_time(row_bytes), [&](std::int64_t first, std::int64_t last) {
      const auto begin = static_cast<std::size_t>(first);
      scatter_rows(v.data + begin * row_bytes, rows.subspan(begin, static_cast<std::size_t>(last - first)), row_bytes,
                   variable);
    });
  }
}

std::vector<int> Plan::order() const {
  std::vector<int> nodes;
  for (const Group& group : schedule_.groups) nodes.insert(nodes.end(), group.nodes.begin(), group.nodes.end());
  return nodes;
}

std::string Plan::formula_of(int id) const {
  const ProgramNode& n = node(id);
  std::string inputs;
  for (const int input : n.inputs) inputs += (inputs.empty() ? "" : ", ") + node(input).origin.name();
  const std::string attributes = n.op->attributes();
  return fmt::format("{} = {}({}{}{})", n.origin.name(), n.op->name(), inputs, attributes.empty() ? "" : "; ",
                     attributes);
}

std::string Plan::details_of(int id) const {
  const ProgramNode& n = node(id);
  std::string place;
  if (const int variable = memory_.in_variable[static_cast<std::size_t>(id)]; variable >= 0) {
    place = fmt::format("in place of {}", node(variable).origin.name());
  } else if (const int table = memory_.scattered[static_cast<std::size_t>(id)]; table >= 0) {
    place = fmt::format("to its rows of {}", node(table).origin.name());
  } else if (n.is_view || (n.type.layout != Layout::dense && memory_.kept[static_cast<std::size_t>(id)])) {
    place = n.is_view ? "view" : "grows";
  } else if (memory_.kept[static_cast<std::size_t>(id)]) {
    place = fmt::format("at {}", memory_.offset[static_cast<std::size_t>(id)]);
  } else {
    place = "in strips";
  }
  const bool loop = n.op->row_kernel(input_types(program_, n)) != nullptr;
  return fmt::format("{}  {}  {}  ({})", to_string(n.type), loop ? "loop" : "call", place, to_string(n.origin.where()));
}

std::string Plan::explain() const {
  const auto line_of = [this](int id) { return fmt::format("{}  {}\n", formula_of(id), details_of(id)); };
  std::string text = fmt::format("{} steps, {} bytes of intermediate results\n", steps_.size(), memory_.arena_bytes);
  std::size_t group = 0;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    while (group < schedule_.groups.size() && schedule_.groups[group].nodes.front() != step.node && !step.view) ++group;
    if (!step.region) {
      text += fmt::format("{:4}  {}", i, line_of(step.node));
      continue;
    }
    const Group& g = schedule_.groups[group];
    const std::string rows = g.touched_by < 0 ? fmt::format("{} rows", g.rows)
                                              : fmt::format("rows that {} touches", node(g.touched_by).origin.name());
    text += fmt::format("{:4}  {} in strips of {}, {} bytes a strip\n", i, rows, g.strip_rows, step.region->bytes());
    for (const int id : g.nodes) text += fmt::format("        {}", line_of(id));
  }
  for (const int id : memory_.copied)
    text += fmt::format("      {} is copied from {} when the run ends\n", node(node(id).inputs[0]).origin.name(),
                        node(node(id).inputs[1]).origin.name());
  return text;
}

}  // namespace gradus
