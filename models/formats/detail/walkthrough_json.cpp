// The format "gradus-walkthrough", version 1, of which docs/walkthrough.schema.json says what is in it; the scripts of
// walkthrough/ read it. Numbers of tensors are base64 of little-endian float32 (of other dtypes than float32, float64),
// and where a layout is sparse the positions of its elements in row-major order, int32, stand beside them.
#include <gradus/models/formats/detail/walkthrough_json.h>

#include <gradus/core/at.h>
#include <gradus/core/error.h>
#include <gradus/core/graph/op.h>
#include <gradus/core/io/file.h>
#include <gradus/models/formats/detail/base64.h>
#include <gradus/models/formats/utf8.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <span>
#include <string_view>

namespace gradus {

namespace {

using Value = WalkthroughValue;

template <class T>
std::string encoded(const std::vector<T>& numbers) {
  return base64(std::as_bytes(std::span(numbers)));
}

// Of a sparse tensor, where its stored elements stand in row-major order.
std::vector<std::int32_t> positions(const Tensor& tensor) {
  std::vector<std::int32_t> out;
  const auto add = [&](std::int64_t position) { out.push_back(static_cast<std::int32_t>(position)); };
  if (tensor.layout() == Layout::csr) {
    const CsrPattern& pattern = *tensor.pattern();
    for (std::int64_t row = 0; row < pattern.rows; ++row)
      for (std::int64_t i = pattern.row_start[at(row)]; i < pattern.row_start[at(row + 1)]; ++i)
        add(row * pattern.columns + pattern.column[at(i)]);
  } else {
    const std::int64_t width = tensor.stored() / std::max<std::int64_t>(1, tensor.index()->count());
    for (const Index row : tensor.index()->row)
      for (std::int64_t i = 0; i < width; ++i) add(row * width + i);
  }
  return out;
}

std::string numbers(const Tensor& tensor) {
  if (tensor.dtype() == float32) return base64(std::as_bytes(tensor.span<float>()));
  const Tensor values = tensor.values();
  return encoded(std::vector<double>(values.begin(), values.end()));
}

Json json_of(const Value& value) {
  if (!value.whole) return {{"means", numbers(value.numbers)}, {"least", value.least}, {"greatest", value.greatest}};
  if (value.numbers.layout() == Layout::dense) return numbers(value.numbers);
  return {{"at", encoded(positions(value.numbers))}, {"of", numbers(value.numbers)}};
}

std::vector<std::int64_t> dims_of(const Shape& shape) { return {shape.dims().begin(), shape.dims().end()}; }

std::string_view kind_of(const Expr& node) {
  switch (node.kind()) {
    case Kind::placeholder: return "placeholder";
    case Kind::variable: return "variable";
    case Kind::constant: return "constant";
    default: return "op";
  }
}

// By StepForm.
constexpr std::array<std::string_view, 8> form_words = {"placeholder", "variable", "constant", "view",
                                                        "loop",        "call",     "host",     "copy"};

class PageFacts {
 public:
  explicit PageFacts(const Walkthrough& run) : run_(run) {
    for (const Expr& node : run.nodes) {
      place_[node.id()] = place_.size();
      by_name_[node.name()] = place_[node.id()];
      const auto [file, line] = node.where();
      auto& [first, last] = lines_.try_emplace(file, line, line).first->second;
      first = std::min(first, line);
      last = std::max(last, line);
    }
    for (const auto& [file, lines] : lines_) source_[file] = source_.size();
  }

  Json json() {
    Json nodes = Json::array();
    for (std::size_t i = 0; i < run_.nodes.size(); ++i) nodes.push_back(node(i));
    Json parts = Json::array();
    for (const GradientPart& part : run_.parts)
      parts.push_back({{"from", place_.at(part.node.id())},
                       {"input", part.input},
                       {"to", place_.at(part.node.input(part.input).id())}});
    for (std::size_t i = 0; i < run_.parts.size(); ++i)
      if (const auto& value = run_.frames.front().parts[i]) parts[i]["shape"] = dims_of(value->numbers.shape());
    Json plans = Json::array();
    for (const Walkthrough::Plan& each : run_.plans) plans.push_back(plan(each));
    return {{"format", "gradus-walkthrough"},
            {"version", 1},
            {"made_by", "gradus " GRADUS_VERSION},
            {"title", printable(run_.title)},
            {"sources", sources()},
            {"nodes", nodes},
            {"backward", parts},
            {"plans", plans},
            {"loss", encoded(std::vector<float>(run_.losses.begin(), run_.losses.end()))}};
  }

 private:
  Json node(std::size_t i) const {
    const Expr& node = run_.nodes[i];
    const Value& value = run_.frames.front().values[i];
    const bool is_op = node.kind() == Kind::op;
    Json inputs = Json::array();
    for (int j = 0; j < node.arity(); ++j) inputs.push_back(place_.at(node.input(j).id()));
    return {{"name", printable(node.name())},
            {"op", is_op ? printable(node.op().name()) : std::string(kind_of(node))},
            {"attributes", is_op ? printable(to_string(node.op().attributes())) : ""},
            {"kind", kind_of(node)},
            {"dtype", to_string(node.dtype())},
            {"shape", dims_of(value.whole ? value.numbers.shape() : shape_of(node, i))},
            {"layout", to_string(node.layout())},
            {"inputs", inputs},
            {"source", source_.at(node.where().file)},
            {"line", node.where().line}};
  }

  // Those that are shown: gradients and optimizers have nodes of their own.
  std::vector<std::size_t> places(const std::vector<StepNode>& nodes) const {
    std::vector<std::size_t> out;
    for (const StepNode& node : nodes)
      if (const auto found = by_name_.find(node.name); found != by_name_.end()) out.push_back(found->second);
    return out;
  }

  // A shape that only a run knows is that of the blocks.
  Shape shape_of(const Expr& node, std::size_t i) const {
    return node.shape().known() ? node.shape() : run_.frames.front().values[i].numbers.shape();
  }

  // The lines around those that made nodes, of each file that can be read. Files are named without their folders, as
  // everywhere.
  Json sources() const {
    constexpr std::int64_t around = 12, most_lines = 600;
    Json sources = Json::array();
    for (const auto& [file, lines] : lines_) {
      Json source = {{"name", printable(file.substr(file.rfind('/') + 1))}, {"first", 1}, {"text", Json::array()}};
      const std::vector<std::string> text = lines_of(file);
      const auto count = static_cast<std::int64_t>(text.size());
      const std::int64_t first = std::max<std::int64_t>(1, lines.first - around);
      const std::int64_t last = std::min({lines.second + around, count, first + most_lines - 1});
      if (lines.second <= count) {
        source["first"] = first;
        for (std::int64_t line = first; line <= last; ++line) source["text"].push_back(printable(text[at(line - 1)]));
      }
      sources.push_back(source);
    }
    return sources;
  }

  // A build may name files from its own folder: then they are looked for from here. No lines where there is no file.
  static std::vector<std::string> lines_of(std::string path) {
    for (bool again = true; again;) {
      try {
        std::vector<std::string> lines(1);
        for (const std::byte byte : read_file(path)) {
          const char c = static_cast<char>(byte);
          if (c == '\n')
            lines.emplace_back();
          else if (c != '\r')
            lines.back() += c == '\t' ? std::string(4, ' ') : std::string(1, c);
        }
        return lines;
      } catch (const IoError&) {
        again = path.starts_with("../");
        while (path.starts_with("../")) path.erase(0, 3);
      }
    }
    return {};
  }

  Json plan(const Walkthrough::Plan& plan) const {
    const PlanSteps& all = plan.steps;
    Json steps = Json::array();
    for (const PlanStep& step : all.list) {
      std::int64_t read = 0;
      std::set<int> inputs;
      for (const StepInput& input : step.inputs)
        if (input.id >= 0 && inputs.insert(input.id).second)
          read += input.type.shape.size() * static_cast<std::int64_t>(size_of(input.type.dtype));
      Json each = {{"op", step.op},
                   {"formula", printable(formula(all, step.id))},
                   {"details", printable(details(all, step.id))},
                   {"form", form_words[static_cast<std::size_t>(step.form)]},
                   {"nodes", places(step.nodes)},
                   {"including", places(step.including)},
                   {"group", step.group}};
      if (step.is_computed()) {
        each["read"] = read;
        each["written"] = step.bytes;
        each["us"] = plan.seconds[at(step.id)] * 1e6;
      }
      steps.push_back(each);
    }
    return {{"without", plan.without}, {"bytes", all.arena_bytes}, {"device", all.device}, {"steps", steps}};
  }

  const Walkthrough& run_;
  std::map<NodeId, std::size_t> place_;
  std::map<std::string, std::size_t> by_name_;
  std::map<std::string, std::pair<int, int>> lines_;  // of each file, the first and the last that made a node
  std::map<std::string, std::size_t> source_;         // by file
};

// What differs between two frames, by number.
template <class T>
Json changes(const std::vector<T>& now, const std::vector<T>* before) {
  const auto value_of = [](const T& each) -> const Value* {
    if constexpr (std::is_same_v<T, Value>)
      return &each;
    else
      return each ? &*each : nullptr;
  };
  Json out = Json::object();
  for (std::size_t i = 0; i < now.size(); ++i) {
    const Value* value = value_of(now[i]);
    const Value* old = before == nullptr ? nullptr : value_of((*before)[i]);
    if (value != nullptr && (old == nullptr || !(value->numbers == old->numbers)))
      out[std::to_string(i)] = json_of(*value);
  }
  return out;
}

}  // namespace

Json facts_of(const Walkthrough& run) { return PageFacts(run).json(); }

Json frames_of(const Walkthrough& run, const std::vector<std::size_t>& frames) {
  Json out = Json::array();
  const Walkthrough::Frame* before = nullptr;
  for (const std::size_t i : frames) {
    const Walkthrough::Frame& frame = run.frames[i];
    out.push_back({{"t", frame.step},
                   {"value", changes(frame.values, before == nullptr ? nullptr : &before->values)},
                   {"gradient", changes(frame.gradients, before == nullptr ? nullptr : &before->gradients)},
                   {"part", changes(frame.parts, before == nullptr ? nullptr : &before->parts)}});
    before = &frame;
  }
  return out;
}

}  // namespace gradus
