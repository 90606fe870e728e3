#include <gradus/core/run/profile.h>

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/core/io/json.h>
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

double seconds(Recorder::Clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

Profile Session::profile(std::span<const Expr> fetches, const Feeds& feeds, int runs) {
  if (runs < 1) fail<ValueError>("profile: {} runs were asked for; at least 1 is needed", runs);
  Profile profile;
  profile.runs = runs;
  if (fetches.empty()) return profile;
  const Use use(*state_);
  compute(fetches, feeds);  // what only the first run does is not the step's
  const Plan& plan = *state_->plans.front().plan;
  const std::vector<int> order = plan.order();
  std::map<int, std::size_t> step_of;  // by node
  for (const int node : order) {
    step_of[node] = profile.steps.size();
    profile.steps.push_back({plan.formula_of(node), plan.details_of(node), 0, 0});
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

std::string to_string(const Profile& profile) {
  std::string text = fmt::format("{} runs, {:.4g} ms each (median)\n", profile.runs, 1e3 * profile.seconds);
  std::vector<std::size_t> order(profile.steps.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return profile.steps[a].seconds > profile.steps[b].seconds; });
  double all = 0;
  for (const StepTime& step : profile.steps) all += step.seconds;
  text += fmt::format("{:>10}  {:>5}  {:>6}  step\n", "us", "%", "calls");
  for (const std::size_t s : order) {
    const StepTime& step = profile.steps[s];
    text += fmt::format("{:10.2f}  {:5.1f}  {:6}  {}  {}\n", 1e6 * step.seconds,
                        all > 0 ? 100 * step.seconds / all : 0.0, step.calls, step.name, step.details);
  }
  return text;
}

// The format is Google's "Trace Event Format": complete events ("X"), times in microseconds.
void Profile::write_trace(const std::string& path) const {
  Json events = Json::array();
  for (const StepCall& call : calls) {
    const StepTime& step = steps[call.step];
    events.push_back({{"name", step.name.substr(0, step.name.find(" = "))},
                      {"cat", "step"},
                      {"ph", "X"},
                      {"ts", 1e6 * call.start},
                      {"dur", 1e6 * call.seconds},
                      {"pid", 1},
                      {"tid", call.lane},
                      {"args", {{"step", step.name}, {"details", step.details}}}});
  }
  const std::string text = to_text({{"traceEvents", std::move(events)}, {"displayTimeUnit", "ns"}}, 1);
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

}  // namespace gradus
