#include <gradus/core/run/cpu_plan.h>

#include <gradus/core/at.h>
#include <gradus/core/plan/form_kernels.h>
#include <gradus/core/tensor/table_rows.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace gradus {

namespace {

// memcpy, but a null pointer is fine where there is nothing to copy.
void copy_bytes(std::byte* to, const std::byte* from, std::int64_t bytes) {
  if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

}  // namespace

CpuPlan::CpuPlan(Program program, Variables& variables, Workers& workers, WorkingMemory& working,
                 const CpuPasses& passes)
    : Plan(std::move(program), variables,
           [&](const Program& p) {
             Schedule schedule = make_schedule(p, passes.tiles);
             if (passes.compile) form_kernels(p, schedule);
             return schedule;
           }),
      workers_(workers),
      working_(working),
      staged_(memory_.copied.size()) {
  place_values(nullptr, [](const Tensor& constant) { return constant.data(); });
  steps_.reserve(program_.nodes.size());
  const std::vector<std::vector<int>> views = moving_views();
  const auto follow = [&](int root) {
    for (const int view : views[static_cast<std::size_t>(root)])
      steps_.push_back({.node = view, .view = true, .inputs = {&value(node(view).viewed())}});
  };
  for (int id = 0; id < static_cast<int>(program_.nodes.size()); ++id)
    if (node(id).kind == Kind::placeholder) follow(id);
  for (const Group& group : schedule_.groups) {
    if (group.tile_rows > 0) {
      add_region(group);
    } else if (!group.kernels.empty()) {
      add_small_kernel(group);
    } else {
      steps_.push_back(step_of(group.nodes.front()));
    }
    steps_.back().writes = schedule_.may_write[at(steps_.back().node)];
    if (steps_.back().writes && steps_.back().region) writing_regions_.push_back(steps_.back().region.get());
    for (const int id : group.nodes) follow(id);
  }
  WorkingMemory::make_room(working_.growing, growing_);
}

void CpuPlan::add_region(const Group& group) {
  auto region = std::make_unique<Region>(program_, schedule_, group, memory_, values_, working_, growing_);
  steps_.push_back({.node = group.nodes.front(), .region = std::move(region)});
}

void CpuPlan::add_small_kernel(const Group& group) {
  const auto stored = [this](int id) { return !memory_.inner[at(id)]; };
  const auto no_table = [](int) { return -1; };
  Kernel kernel =
      make_kernel(program_, *kernel_space(program_, group.nodes.front()), group.nodes, true, stored, no_table);
  const std::int64_t inner = kernel.inner(), elements = node(group.nodes.front()).type.shape.size();
  Step step{.node = group.nodes.front(),
            .small = std::make_unique<SmallKernel>(SmallKernel{PlanKernel(std::move(kernel)), elements, inner})};
  SmallKernel& small = *step.small;
  for (const Kernel::Read& read : small.kernel.kernel().reads) {
    if (!has_static_address(read.node)) small.moving.push_back(small.reads.size());
    small.reads.push_back(&value(read.node));
  }
  for (const Kernel::Step& computed : small.kernel.kernel().steps)
    if (computed.stored) small.writes.push_back(&value(computed.node));
  for (const Kernel::Fold& fold : small.kernel.kernel().folds) small.writes.push_back(&value(fold.node));
  for (const int id : group.nodes) small.steps.push_back(step_of(id));
  small.in.resize(small.reads.size());
  small.out.resize(small.writes.size());
  place(small);
  steps_.push_back(std::move(step));
}

CpuPlan::Step CpuPlan::step_of(int id) {
  const ProgramNode& n = node(id);
  WorkingMemory::make_room(working_.growing, growing_ + 1);
  Step step{.node = id};
  std::vector<Type> types;
  for (const int input : n.inputs) {
    step.inputs.push_back(&value(input));
    types.push_back(node(input).type);
  }
  if (const RowKernel kernel = n.op->row_kernel(types)) step.loop.emplace(*n.op, kernel, step.inputs, value(id));
  step.plain = step.loop && step.loop->is_plain() && value(id).stored <= Loop::chunk;
  step.call.emplace(step.inputs, value(id), workers_, working_.scratch, working_.growing[growing_++]);
  step.call->node = n.origin;
  if (n.op->traits().is_random) step.call->stream = stream_of(n.origin.name());
  return step;
}

void CpuPlan::bind(std::span<const Tensor* const> feeds) {
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

void CpuPlan::run(std::span<const Tensor* const> feeds, std::uint64_t run_number, Recorder* recorder) {
  working_.arena.reserve(static_cast<std::size_t>(memory_.arena_bytes));
  if (std::exchange(arena_, working_.arena.data()) != working_.arena.data()) {
    move_arena(working_.arena.data());
    for (const Step& step : steps_)
      if (step.small) place(*step.small);
  }
  bind(feeds);
  make_room_for_results();
  bool nothing_written = true;
  for (Step& step : steps_) {
    Value& output = value(step.node);
    if (nothing_written && step.writes) {
      for (Region* const region : writing_regions_) region->make_room(workers_);
      nothing_written = false;
    }
    if (step.view) {
      show(*step.inputs.front(), output);
      continue;
    }
    if (step.region) {
      if (nothing_written) step.region->make_room(workers_);
      step.region->run(workers_, run_number, recorder);
      continue;
    }
    Recorder::time(recorder, step.node, 0, [&] { run_step(step, run_number); });
  }
  keep_results();
  update_variables();
  release();
}

void CpuPlan::run_step(Step& step, std::uint64_t run_number) {
  if (step.small) {
    // A call costs as much as some elements.
    constexpr std::int64_t call = 64;
    SmallKernel& small = *step.small;
    const std::int64_t work = (small.elements + call) * std::ssize(small.steps);
    if (const CompiledKernel::Function function = small.kernel.function(work)) return run_small_kernel(small, function);
    for (Step& each : small.steps) run_step(each, run_number);
    return;
  }
  Call& call = *step.call;
  call.run = run_number;
  if (!step.loop) return node(step.node).op->compute(call);
  with_place(call.node, [&] {
    if (step.plain) return step.loop->run_plain(step.inputs, call.out());
    step.loop->run(call);
  });
}

void CpuPlan::place(SmallKernel& small) {
  for (std::size_t k = 0; k < small.reads.size(); ++k) small.in[k] = small.reads[k]->data;
  for (std::size_t k = 0; k < small.writes.size(); ++k) small.out[k] = small.writes[k]->data;
}

void CpuPlan::run_small_kernel(SmallKernel& small, CompiledKernel::Function function) {
  for (const std::size_t k : small.moving) small.in[k] = small.reads[k]->data;
  function(small.elements / small.inner, small.in.data(), small.out.data(), nullptr, 0, small.inner);
}

void CpuPlan::keep_results() {
  for (std::size_t i = 0; i < results_.size(); ++i) {
    if (node(program_.fetches[i]).kind == Kind::group) continue;
    const Value& v = value(program_.fetches[i]);
    if (lends_rows_ && v.type.layout == Layout::rows && is_computed(node(program_.root(program_.fetches[i])))) {
      const Shape stored = v.type.shape.with(0, v.index->count());
      results_[i] = Tensor::on({v.type.dtype, stored, Layout::dense}, {std::shared_ptr<std::byte>(), v.data});
    } else {
      copy_bytes(fresh_result(i, v).writable_data(), v.data, bytes_stored(v));
    }
    finish_result(i, v);
  }
}

void CpuPlan::update_variables() {
  // Values that are variables themselves are put aside before any variable changes: a = b, b = a swaps.
  for (std::size_t i = 0; i < memory_.copied.size(); ++i) {
    const ProgramNode& assign = node(memory_.copied[i]);
    if (node(program_.root(assign.inputs[1])).kind != Kind::variable) continue;
    const Value& v = value(assign.inputs[1]);
    staged_[i].reserve(static_cast<std::size_t>(bytes_stored(v)));
    copy_bytes(staged_[i].data(), v.data, bytes_stored(v));
  }
  for (std::size_t i = 0; i < memory_.copied.size(); ++i) {
    const ProgramNode& assign = node(memory_.copied[i]);
    const Value& v = value(assign.inputs[1]);
    std::byte* variable = variables_.data(node(assign.inputs[0]).origin);
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

PlanSteps CpuPlan::steps(Graph& graph) const {
  std::vector<GroupForm> forms;
  for (const Step& step : steps_) {
    if (step.view) continue;
    GroupForm& form = forms.emplace_back();
    if (step.small)
      form.kernels = {{0,
                       static_cast<int>(step.small->steps.size()),
                       word_of(step.small->kernel.state()),
                       step.small->kernel.text(),
                       {}}};
    const Region* region = step.region.get();
    if (region == nullptr) continue;
    form.kernels = region->kernels();
    form.together = {.tile_bytes = region->bytes(), .sum_bytes = region->sum_bytes(), .tiles = region->pieces()};
  }
  PlanSteps steps = list_steps(graph, forms);
  steps.device = "cpu";
  return steps;
}

}  // namespace gradus
