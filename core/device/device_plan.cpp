#include <gradus/core/device/device_plan.h>

#include <gradus/core/device/device_schedule.h>
#include <gradus/core/device/recorded_work.h>
#include <gradus/core/graph/nodes.h>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gradus {

namespace {

// Rows of a table replaced by those of a block.
const KernelText scatter_rows_text{"scatter_rows",
                                   R"(
extern "C" __global__ void NAME(gr_int64 n, gr_int64 width, const int* row, const T* block, T* table) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) table[row[i / width] * width + i % width] = block[i];
}
)",
                                   {}};

}  // namespace

DevicePlan::DevicePlan(Program program, Variables& variables, DeviceState& state, bool fuse, bool record)
    : Plan(std::move(program), variables, [&](const Program& p) { return device_schedule(p, fuse); }),
      state_(state),
      accelerator_(state.accelerator),
      arena_(accelerator_, memory_.arena_bytes),
      staged_(memory_.copied.size()),
      here_(program_.nodes.size()),
      of_feeds_(program_.nodes.size()) {
  if (!record) why_not_ = "the session records nothing";
  // A recording updates the variables before what is fetched is read.
  for (const int fetch : program_.fetches)
    if (node(program_.root(fetch)).kind == Kind::variable && !memory_.copied.empty())
      why_not_ = fmt::format("{} is fetched as it was before the run", node(fetch).origin.name());
  place_values(arena_.data(), [this](const Tensor& constant) { return upload_constant(constant); });
  find_known_numbers();
  const std::vector<std::vector<int>> views = moving_views();
  const auto follow = [&](int root) {
    for (const int view : views[static_cast<std::size_t>(root)])
      steps_.push_back({view, true, nullptr, nullptr, {&value(node(view).viewed())}, {}, {}, 0});
  };
  for (int id = 0; id < static_cast<int>(program_.nodes.size()); ++id)
    if (node(id).kind == Kind::placeholder) follow(id);
  for (const Group& group : schedule_.groups) {
    const int first = group.nodes.front();
    const ProgramNode& n = node(first);
    Step step{first, false, nullptr, nullptr, {}, {}, {}, n.op->traits().is_random ? stream_of(n.origin.name()) : 0};
    for (const int input : n.inputs) {
      step.inputs.push_back(&value(input));
      step.known.push_back({.of_feeds = of_feeds_[static_cast<std::size_t>(input)]});
    }
    if (!group.kernels.empty()) {
      step.loop = std::make_unique<DeviceLoop>(program_, group.nodes, memory_, values_);
    } else if (n.op->traits().runs_on_host || n.op->row_kernel(input_types(program_, n)) != nullptr) {
      step.on_host = std::make_unique<HostStep>(n.origin, step.inputs, value(first));
    }
    if (n.op->traits().is_random && why_not_.empty())
      why_not_ = fmt::format("{} is done anew in every run", n.origin.name());
    steps_.push_back(std::move(step));
    for (const int id : group.nodes) follow(id);
  }
}

DevicePlan::~DevicePlan() = default;

const std::byte* DevicePlan::upload_constant(const Tensor& constant) {
  const auto bytes = constant.stored() * static_cast<std::int64_t>(size_of(constant.dtype()));
  if (bytes == 0) return nullptr;
  DeviceMemory& memory = constants_.emplace_back(accelerator_, bytes);
  accelerator_->upload(memory.data(), constant.data(), bytes);
  return memory.data();
}

void DevicePlan::find_known_numbers() {
  for (std::size_t id = 0; id < program_.nodes.size(); ++id) {
    const ProgramNode& n = program_.nodes[id];
    if (n.kind == Kind::constant) here_[id] = static_cast<const ConstantOp*>(n.op)->value().data();
    of_feeds_[id] = n.kind != Kind::variable && !n.op->traits().is_random &&
                    std::all_of(n.inputs.begin(), n.inputs.end(),
                                [&](int input) { return of_feeds_[static_cast<std::size_t>(input)]; });
    if (n.live && n.type.layout != Layout::dense) dense_ = false;
  }
}

void DevicePlan::bind(std::span<const Tensor* const> feeds) {
  feeding_.clear();
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    if (program_.feeds[i] < 0) continue;
    const Tensor& tensor = *feeds[i];
    Value& v = value(program_.feeds[i]);
    const DeviceFeeds::Place place = state_.feeds.of(tensor);
    v.data = place.data;
    v.stored = tensor.stored();
    v.pattern = tensor.pattern();
    v.ones = tensor.ones();
    v.index = tensor.index();
    here_[static_cast<std::size_t>(program_.feeds[i])] = tensor.accelerator() == nullptr ? tensor.data() : nullptr;
    feeding_.push_back({place, v.pattern, v.index});
  }
}

void DevicePlan::run(std::span<const Tensor* const> feeds, std::uint64_t run_number, Recorder* recorder) {
  bind(feeds);
  make_room_for_results();
  const bool ran = std::exchange(ran_, false);  // until this run has ended well
  same_ = ran && feeding_ == fed_;
  bool again = same_;
  if (!feed_copies_.empty()) {
    again = ran;
    stage(ran);
  } else if (ran && !same_ && may_stage()) {
    stage(false);
  }
  if (!again) {
    recording_.reset();
    fed_.clear();
    state_.indices.drop_unused();
  }
  if (recorded_scratch_ != state_.scratch.data()) recording_.reset();  // another plan needed more
  if (recorder == nullptr && again && why_not_.empty() && (recording_ || record(run_number))) {
    accelerator_->replay(*recording_);
    for (std::size_t i = 0; i < recorded_.size(); ++i) value(program_.fetches[i]) = recorded_[i];
    keep_results();
  } else {
    run_steps(accelerator_, run_number, recorder);
    keep_results();
    update_variables(accelerator_);
  }
  release();
  fed_ = feeding_;
  ran_ = true;
}

void DevicePlan::run_steps(const std::shared_ptr<Accelerator>& accelerator, std::uint64_t run_number,
                           Recorder* recorder) {
  for (Step& step : steps_) {
    if (step.view) {
      show(*step.inputs.front(), value(step.node));
      continue;
    }
    Recorder::time(recorder, step.node, 0, [&] {
      run_step(accelerator, step, run_number);
      if (recorder != nullptr) accelerator->wait();
    });
  }
}

void DevicePlan::run_step(const std::shared_ptr<Accelerator>& accelerator, Step& step, std::uint64_t run_number) {
  const ProgramNode& n = node(step.node);
  std::string why_not;
  if (step.loop) {
    step.loop->run(accelerator, state_.indices);
  } else if (step.on_host) {
    with_place(n.origin, [&] { step.on_host->run(accelerator); });
    why_not = fmt::format("the host computes {}", n.origin.name());
  } else {
    DeviceCall call(accelerator, state_.indices, step.inputs, value(step.node), state_.scratch, step.growing);
    call.node = n.origin;
    for (std::size_t i = 0; i < step.known.size(); ++i) {
      step.known[i].here = here_[static_cast<std::size_t>(program_.root(n.inputs[i]))];
      step.known[i].unchanged = same_ && step.known[i].of_feeds;
    }
    call.known = step.known;
    call.stream = step.stream;
    call.run = run_number;
    n.op->launch(call);
    if (call.looked_at_numbers()) looked_at_numbers_ = true;
    if (call.looked_at_changing_numbers())
      why_not = fmt::format("the host must see in each run of what numbers {} is made", n.origin.name());
  }
  if (why_not_.empty()) why_not_ = why_not;
}

// Feeds that change from run to run may be copied: a recording then stays, and costs less than a launch of each kernel.
bool DevicePlan::may_stage() const {
  constexpr std::int64_t most_bytes = 1 << 20;  // which copy in the time of a launch
  if (!why_not_.empty() || !dense_ || looked_at_numbers_ || feeding_.empty()) return false;
  std::int64_t bytes = 0;
  for (const int id : program_.feeds)
    if (id >= 0) bytes += bytes_stored(values_[static_cast<std::size_t>(id)]);
  return bytes <= most_bytes;
}

// Makes the placeholders' values copies of what is fed. `stand`: whether the copies hold the last run's feeds.
void DevicePlan::stage(bool stand) {
  std::vector<DeviceMemory> copies = std::exchange(feed_copies_, {});
  std::size_t number = 0;
  for (const int id : program_.feeds) {
    if (id < 0) continue;
    Value& v = value(id);
    if (number == copies.size()) copies.emplace_back(accelerator_, bytes_stored(v));
    std::byte* const copy = copies[number].data();
    if (!stand || feeding_[number] != fed_[number]) accelerator_->copy(copy, v.data, bytes_stored(v));
    v.data = copy;
    ++number;
  }
  feed_copies_ = std::move(copies);
}

// Whether there is a recording now. What it cannot contain throws; so may an op that would throw in a run that is not
// recorded, and does it again there.
bool DevicePlan::record(std::uint64_t run_number) {
  try {
    const auto work = std::make_shared<RecordedWork>(accelerator_);
    run_steps(work, run_number, nullptr);
    update_variables(work);
    recording_ = work->record();
  } catch (const Error& error) {
    why_not_ = error.what();
    return false;
  }
  recorded_scratch_ = state_.scratch.data();
  recorded_.clear();
  for (const int fetch : program_.fetches) recorded_.push_back(value(fetch));
  return true;
}

void DevicePlan::keep_results() {
  for (std::size_t i = 0; i < results_.size(); ++i) {
    if (node(program_.fetches[i]).kind == Kind::group) continue;
    const Value& v = value(program_.fetches[i]);
    std::byte* const to = fresh_result(i, v).writable_data();
    if (v.stored > 0) accelerator_->download(to, v.data, bytes_stored(v));
    finish_result(i, v);
  }
}

void DevicePlan::update_variables(const std::shared_ptr<Accelerator>& accelerator) {
  // Values that are variables themselves are put aside before any variable changes: a = b, b = a swaps.
  for (std::size_t i = 0; i < memory_.copied.size(); ++i) {
    const ProgramNode& assign = node(memory_.copied[i]);
    if (node(program_.root(assign.inputs[1])).kind != Kind::variable) continue;
    const Value& v = value(assign.inputs[1]);
    if (v.stored == 0) continue;
    staged_[i].reserve(accelerator, bytes_stored(v));
    accelerator->copy(staged_[i].data(), v.data, bytes_stored(v));
  }
  for (std::size_t i = 0; i < memory_.copied.size(); ++i) {
    const ProgramNode& assign = node(memory_.copied[i]);
    const Value& v = value(assign.inputs[1]);
    if (v.stored == 0) continue;
    std::byte* variable = variables_.data(node(assign.inputs[0]).origin);
    if (v.type.layout == Layout::dense) {
      accelerator->copy(variable, staged_[i].bytes() > 0 ? staged_[i].data() : v.data, bytes_stored(v));
      continue;
    }
    KernelText kernel = scatter_rows_text;
    kernel.settings = using_type(v.type.dtype);
    launch_on(*accelerator, kernel, grid_for(v.stored), v.stored, v.row_size(), state_.indices.of(v.index), v.data,
              variable);
  }
}

PlanSteps DevicePlan::steps(Graph& graph) const {
  std::vector<GroupForm> forms;
  for (const Step& step : steps_) {
    if (step.view) continue;
    GroupForm& form = forms.emplace_back();
    form.form = step.on_host ? StepForm::host : step.loop ? StepForm::loop : StepForm::call;
    if (step.loop) form.together = {.kernel = step.loop->name(), .text = std::string(step.loop->kernel().text)};
  }
  PlanSteps steps = list_steps(graph, forms);
  steps.device = accelerator_->name();
  steps.launch = recording_         ? fmt::format("recorded: a run is one launch{}",
                                          feed_copies_.empty() ? "" : " after its feeds are copied")
                 : why_not_.empty() ? "recorded when the same tensors are fed again"
                                    : fmt::format("not recorded, for {}", why_not_);
  return steps;
}

}  // namespace gradus
