#include <gradus/core/run/steps.h>

#include <gradus/core/at.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace gradus {

namespace {

std::string with_name(const PlanSteps& steps, int id) {
  const PlanStep& step = steps.list[at(id)];
  const bool is_number = step.form == StepForm::constant && !step.attributes.empty();
  const std::string name = is_number ? to_string(step.attributes) : step.name;
  return fmt::format("%{}{}{}", id, name.empty() ? "" : " ", name);
}

std::string_view word_of(StepForm form) {
  switch (form) {
    case StepForm::view: return "view";
    case StepForm::loop: return "loop";
    case StepForm::call: return "call";
    case StepForm::host: return "host";
    case StepForm::copy: return "copy";
    default: return "given";
  }
}

// What a value's bytes_each are for: "row that %0 X touches".
std::string each_of(const PlanSteps& steps, const PlanStep& step) {
  const std::string of = with_name(steps, step.each_of < 0 ? step.id : step.each_of);
  if (step.type.layout == Layout::csr) return fmt::format("non-zero of {}", of);
  return fmt::format("row that {} {}", of, step.each_of < 0 ? "holds" : "touches");
}

std::string place_of(const PlanSteps& steps, const PlanStep& step) {
  const auto of = [&](std::string_view words, int id) { return fmt::format("  {} {}", words, with_name(steps, id)); };
  std::string place;
  switch (step.place) {
    case StepPlace::none: break;
    case StepPlace::arena: place = fmt::format("  at {}", step.offset); break;
    case StepPlace::variable: place = of(step.form == StepForm::copy ? "to" : "in place of", step.target); break;
    case StepPlace::rows: place = of("to rows of", step.target); break;
    case StepPlace::grows:
      place = fmt::format("  grows: {} bytes a {}, at most {}", step.bytes_each, each_of(steps, step), step.bytes);
      break;
    case StepPlace::tile: place = "  in tiles"; break;
    case StepPlace::registers: place = "  in registers"; break;
  }
  return place + (step.fetched ? ", fetched" : "");
}

// "add, multiply, ... 3 more".
std::string names_of(const std::vector<StepNode>& nodes) {
  constexpr std::size_t most = 3;
  std::string names;
  for (std::size_t i = 0; i < std::min(nodes.size(), most); ++i) names += (i == 0 ? "" : ", ") + nodes[i].name;
  return names + (nodes.size() > most ? fmt::format(", {} more", nodes.size() - most) : "");
}

std::string group_line(const PlanSteps& steps, std::size_t number) {
  const StepGroup& group = steps.groups[number];
  if (!group.kernel.empty())
    return fmt::format("      kernel {}, {} bytes of dense tensors\n", group.kernel, group.dense_bytes);
  std::string line =
      fmt::format("      region {}: {} in tiles of {}, {} bytes a tile", number,
                  group.rows_of < 0 ? fmt::format("{} rows", group.rows)
                                    : fmt::format("rows that {} touches", with_name(steps, group.rows_of)),
                  group.tile_rows, group.tile_bytes);
  if (group.sum_bytes > 0) line += fmt::format(" and {} of sums", group.sum_bytes);
  if (group.tiles > 1) line += fmt::format(", {} tiles at once", group.tiles);
  return line + "\n";
}

std::string kernel_line(const PlanSteps& steps, std::size_t number) {
  const StepKernel& kernel = steps.kernels[number];
  return fmt::format("{}kernel {} of {} step{}, {}\n", steps.list[at(kernel.first)].group >= 0 ? "        " : "  ",
                     number, kernel.count, kernel.count == 1 ? "" : "s", kernel.state);
}

// "832 bytes of intermediate results + 64 for each row that %0 X touches + 12288 for tiles".
std::string memory(const PlanSteps& steps) {
  std::string text = fmt::format("{} bytes of intermediate results", steps.arena_bytes);
  std::map<std::string, std::int64_t> growing;
  for (const PlanStep& step : steps.list)
    if (step.place == StepPlace::grows) growing[each_of(steps, step)] += step.bytes_each;
  for (const auto& [each, bytes] : growing) text += fmt::format(" + {} for each {}", bytes, each);
  // Regions work one after the other in the same memory.
  std::int64_t known = 0, a_tile = 0;
  for (const StepGroup& group : steps.groups) {
    std::int64_t& most = group.tiles > 0 ? known : a_tile;
    const std::int64_t tiles = std::max<std::int64_t>(group.tiles, 1);
    most = std::max(most, tiles * group.tile_bytes + (group.tiles > 0 ? tiles - 1 : 1) * group.sum_bytes);
  }
  if (known > 0) text += fmt::format(" + {} for tiles", known);
  if (a_tile > 0) text += fmt::format(" + {} for each tile at work", a_tile);
  return text;
}

struct Word {
  bool (*occurs)(const PlanStep& step);
  std::string_view meaning;
};

constexpr Word words[] = {
    {[](const PlanStep& s) { return s.type.layout == Layout::csr; },
     "csr: a matrix of which just the non-zeros are stored"},
    {[](const PlanStep& s) { return s.type.layout == Layout::rows; },
     "rows: some rows of a table, of which the others are 0"},
    {[](const PlanStep& s) { return s.type.layout == Layout::part; },
     "part: some rows of a table; the others are not known"},
    {[](const PlanStep& s) {
       return std::any_of(s.inputs.begin(), s.inputs.end(), [](const StepInput& i) { return i.id < 0; });
     },
     "a shape among what is read: of this input nothing else is needed"},
    {[](const PlanStep& s) { return s.form == StepForm::view; },
     "view: the numbers of what it reads, perhaps under another shape; nothing is computed"},
    {[](const PlanStep& s) { return s.form == StepForm::loop; }, "loop: element by element"},
    {[](const PlanStep& s) { return s.form == StepForm::call; }, "call: by a kernel of the op's own"},
    {[](const PlanStep& s) { return s.form == StepForm::host; }, "host: element by element, on the host"},
    {[](const PlanStep& s) { return s.form == StepForm::copy; },
     "copy: the variable gets its new value when the run ends"},
    {[](const PlanStep& s) { return s.place == StepPlace::arena; },
     "at N: N bytes into the memory for intermediate results, which later values use again"},
    {[](const PlanStep& s) { return s.place == StepPlace::variable && s.form != StepForm::copy; },
     "in place of a variable: written over its old value"},
    {[](const PlanStep& s) { return s.place == StepPlace::rows; },
     "to rows of a variable: just the rows that this value holds are written, where the variable lies"},
    {[](const PlanStep& s) { return s.place == StepPlace::grows; },
     "grows: only a run knows how much is stored; the memory is kept for the next"},
    {[](const PlanStep& s) { return s.place == StepPlace::tile; },
     "in tiles: for some rows at a time, in the cache; the value is never there as a whole"},
    {[](const PlanStep& s) { return s.place == StepPlace::registers; }, "in registers: never in memory"},
};

std::string legend(const PlanSteps& steps) {
  std::string text =
      "\n%N is a value: first what a run is given, then what is computed, in the order of work, from the values in "
      "brackets.\n# the nodes of the program that have this value (with those whose work it does), and their line.\n";
  if (!steps.groups.empty())
    text += steps.groups.front().kernel.empty()
                ? "region: all of its steps are computed for some rows, a tile, before the next tile.\n"
                : "kernel: its steps are one launch.\n";
  if (!steps.kernels.empty())
    text +=
        "kernel: one loop, element by element, computes its steps as soon as it is compiled; until then they run one "
        "after the other, to the same numbers.\n";
  for (const Word& word : words)
    if (std::any_of(steps.list.begin(), steps.list.end(), word.occurs)) text += fmt::format("{}.\n", word.meaning);
  return text;
}

}  // namespace

std::string formula(const PlanSteps& steps, int id) {
  const PlanStep& step = steps.list[at(id)];
  const std::string told = to_string(step.attributes);
  if (step.is_given()) {
    std::string text = fmt::format("%{} = {}", id, step.op);
    if (!step.name.empty() && step.name != told) text += " " + step.name;
    return text + (told.empty() ? "" : (text.ends_with(step.op) ? " " : "; ") + told);
  }
  std::string inputs;
  for (const StepInput& input : step.inputs)
    inputs += (inputs.empty() ? "" : ", ") +
              (input.id < 0 ? gradus::to_string(input.type.shape) : with_name(steps, input.id));
  return fmt::format("%{} = {}({}{}{})", id, step.op, inputs, inputs.empty() || told.empty() ? "" : "; ", told);
}

std::string details(const PlanSteps& steps, int id) {
  const PlanStep& step = steps.list[at(id)];
  std::string text = gradus::to_string(step.type);
  if (!step.is_given()) text += fmt::format("  {}", word_of(step.form));
  text += place_of(steps, step) + "  # ";
  if (!step.nodes.empty()) text += names_of(step.nodes);
  if (!step.including.empty())
    text += fmt::format("{}(with {})", step.nodes.empty() ? "" : " ", names_of(step.including));
  if (!step.nodes.empty() || !step.including.empty()) text += ", ";
  return text + gradus::to_string(step.where);
}

std::string to_string(const PlanSteps& steps, bool with_kernels) {
  std::int64_t computed = 0, alone = 0;
  std::string lines;
  int group = -1, kernel = -1;
  for (const PlanStep& step : steps.list) {
    computed += step.is_computed() ? 1 : 0;
    alone += step.is_computed() && step.group < 0 ? 1 : 0;
    if (step.group != group && step.group >= 0) lines += group_line(steps, at(step.group));
    if (step.kernel != kernel && step.kernel >= 0) lines += kernel_line(steps, at(step.kernel));
    group = step.group;
    kernel = step.kernel;
    lines += fmt::format("{:{}}{}  {}\n", "",
                         kernel >= 0  ? 10
                         : group >= 0 ? 8
                                      : 2,
                         formula(steps, step.id), details(steps, step.id));
  }
  std::string text = fmt::format("{} steps on {}", computed, steps.device);
  const bool launched = !steps.launch.empty();
  if (launched) text += fmt::format(" in {} kernels and {} calls", steps.groups.size(), alone);
  text = fmt::format("{}, {}{}{}\n{}{}", text, memory(steps), launched ? "; " : "", steps.launch, lines, legend(steps));
  for (std::size_t k = 0; k < steps.kernels.size() && with_kernels; ++k)
    text += fmt::format("\n// kernel {}\n{}", k, steps.kernels[k].text);
  for (std::size_t g = 0; g < steps.groups.size() && with_kernels; ++g) {
    if (steps.groups[g].text.empty()) continue;
    const auto first = std::find_if(steps.list.begin(), steps.list.end(),
                                    [&](const PlanStep& step) { return step.group == static_cast<int>(g); });
    text += fmt::format("\n// kernel {} from %{} on\n{}", steps.groups[g].kernel, first->id, steps.groups[g].text);
  }
  return text;
}

}  // namespace gradus
