#include <gradus/core/run/profile.h>

#include <gradus/core/at.h>
#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/core/io/json.h>
#include <gradus/core/run/rank_runs.h>
#include <gradus/core/run/recorder.h>
#include <gradus/core/run/session_state.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace gradus {

namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Whether a step runs with others, in a kernel.
bool is_in_kernel(const PlanSteps& plan, const PlanStep& step) {
  return step.kernel >= 0 || (step.group >= 0 && !plan.groups[at(step.group)].kernel.empty());
}

bool are_in_one_kernel(const PlanSteps& plan, const PlanStep& a, const PlanStep& b) {
  return is_in_kernel(plan, a) && a.group == b.group && a.kernel == b.kernel;
}

// What runs with another step is timed with it.
bool is_timed(const PlanSteps& plan, const PlanStep& step) {
  if (step.kernel >= 0) return plan.kernels[at(step.kernel)].first == step.id;
  const bool follows = step.id > 0 && are_in_one_kernel(plan, step, plan.list[at(step.id - 1)]);
  return step.is_computed() && !follows;
}

std::string name_of(const PlanSteps& plan, const StepTime& time) {
  const PlanStep& step = plan.list[at(time.id)];
  if (step.kernel >= 0) return fmt::format("kernel {}", step.kernel);
  return is_in_kernel(plan, step) ? plan.groups[at(step.group)].kernel : step.op;
}

// With all formulas of a kernel.
std::string text_of(const PlanSteps& plan, const StepTime& time) {
  std::string text = formula(plan, time.id);
  const PlanStep& first = plan.list[at(time.id)];
  for (auto id = at(time.id) + 1; id < plan.list.size() && are_in_one_kernel(plan, first, plan.list[id]); ++id)
    text += "; " + formula(plan, static_cast<int>(id));
  return text;
}

double seconds(Recorder::Clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

Profile Session::profile(std::span<const Expr> fetches, const Feeds& feeds, int runs) {
  if (runs < 1) fail<ValueError>("profile: {} runs were asked for; at least 1 is needed", runs);
  Profile profile;
  profile.runs = runs;
  if (fetches.empty()) return profile;
  const Use use(*state_);
  compute(fetches, feeds);  // what only the first run does is not the step's
  if (!state_->results.empty()) {
    profile_stages(fetches, feeds, profile);
    return profile;
  }
  const Plan& plan = *state_->plans.front().plan;
  profile.plan = plan.steps(state_->graph());
  const std::vector<int> nodes = plan.listed();
  std::map<int, std::size_t> step_of;  // by node
  for (const PlanStep& step : profile.plan.list)
    if (is_timed(profile.plan, step)) {
      step_of[nodes[at(step.id)]] = profile.steps.size();
      profile.steps.push_back({.id = step.id});
    }
  std::vector<double> whole;
  std::vector<std::vector<double>> spent(profile.steps.size());  // by step, a sum for each run
  for (int run = 0; run < runs; ++run) {
    Recorder recorder;
    compute(fetches, feeds, &recorder);
    whole.push_back(seconds(Recorder::Clock::now() - recorder.start));
    profile.calls.clear();
    for (std::size_t s = 0; s < spent.size(); ++s) {
      spent[s].push_back(0);
      profile.steps[s].calls = 0;
    }
    for (std::size_t lane = 0; lane < recorder.lanes.size(); ++lane)
      for (const auto& [node, begin, end] : recorder.lanes[lane]) {
        const std::size_t step = step_of.at(node);
        spent[step].back() += seconds(end - begin);
        ++profile.steps[step].calls;
        profile.calls.push_back({step, static_cast<int>(lane), seconds(begin - recorder.start), seconds(end - begin)});
      }
  }
  profile.seconds = median(whole);
  for (std::size_t s = 0; s < spent.size(); ++s) profile.steps[s].seconds = median(spent[s]);
  return profile;
}

// Of a run over ranks, which is several plans and what is exchanged between them.
void Session::profile_stages(std::span<const Expr> fetches, const Feeds& feeds, Profile& profile) {
  std::vector<double> whole;
  std::vector<std::vector<StageTime>> of_runs;
  for (int run = 0; run < profile.runs; ++run) {
    state_->over_ranks->timed = &of_runs.emplace_back();
    const auto start = Recorder::Clock::now();
    try {
      compute(fetches, feeds);
    } catch (...) {
      state_->over_ranks->timed = nullptr;
      throw;
    }
    state_->over_ranks->timed = nullptr;
    whole.push_back(seconds(Recorder::Clock::now() - start));
  }
  profile.seconds = median(whole);
  profile.stages = of_runs.back();
  for (std::size_t s = 0; s < profile.stages.size(); ++s) {
    std::vector<double> spent, waiting;
    for (const std::vector<StageTime>& of_run : of_runs) {
      spent.push_back(of_run.at(s).seconds);
      waiting.push_back(of_run.at(s).waiting);
    }
    profile.stages[s].seconds = median(spent);
    profile.stages[s].waiting = median(waiting);
  }
}

std::string to_string(const Profile& profile) {
  std::string text = fmt::format("{} runs, {:.4g} ms each (median)\n", profile.runs, 1e3 * profile.seconds);
  if (!profile.stages.empty()) {
    text += fmt::format("{:>10}  {:>12}  {:>10}  stage\n", "us", "of it waits", "bytes sent");
    for (const StageTime& stage : profile.stages)
      text += fmt::format("{:10.2f}  {:12.2f}  {:10}  {}\n", 1e6 * stage.seconds, 1e6 * stage.waiting, stage.bytes_sent,
                          stage.what);
    return text;
  }
  std::vector<std::size_t> order(profile.steps.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return profile.steps[a].seconds > profile.steps[b].seconds; });
  double all = 0;
  for (const StepTime& step : profile.steps) all += step.seconds;
  text += fmt::format("{:>10}  {:>5}  {:>6}  step\n", "us", "%", "calls");
  for (const std::size_t s : order) {
    const StepTime& step = profile.steps[s];
    text +=
        fmt::format("{:10.2f}  {:5.1f}  {:6}  {}  {}\n", 1e6 * step.seconds, all > 0 ? 100 * step.seconds / all : 0.0,
                    step.calls, text_of(profile.plan, step), details(profile.plan, step.id));
  }
  return text;
}

// The format is Google's "Trace Event Format": complete events ("X"), times in microseconds.
void Profile::write_trace(const std::string& path) const {
  Json events = Json::array();
  for (const StepCall& call : calls) {
    const StepTime& step = steps[call.step];
    events.push_back({{"name", name_of(plan, step)},
                      {"cat", "step"},
                      {"ph", "X"},
                      {"ts", 1e6 * call.start},
                      {"dur", 1e6 * call.seconds},
                      {"pid", 1},
                      {"tid", call.lane},
                      {"args", {{"step", text_of(plan, step)}, {"details", details(plan, step.id)}}}});
  }
  double start = 0;
  for (const StageTime& stage : stages) {
    events.push_back({{"name", stage.what},
                      {"cat", "stage"},
                      {"ph", "X"},
                      {"ts", 1e6 * start},
                      {"dur", 1e6 * stage.seconds},
                      {"pid", 1},
                      {"tid", 0},
                      {"args", {{"waits_us", 1e6 * stage.waiting}, {"bytes_sent", stage.bytes_sent}}}});
    start += stage.seconds;
  }
  const std::string text = to_text({{"traceEvents", std::move(events)}, {"displayTimeUnit", "ns"}}, 1);
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

}  // namespace gradus
