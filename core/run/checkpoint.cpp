// A session's state in a file, and back: a safetensors file that holds every variable under its name, optimizer
// slots among them. Its metadata hold the version of this format and the number of runs so far, on which random
// nodes depend: training goes on after a restore as if it had never stopped.
#include <gradus/core/error.h>
#include <gradus/core/graph/nodes.h>
#include <gradus/core/io/safetensors.h>
#include <gradus/core/run/session_state.h>

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string_view>

namespace gradus {

namespace {

constexpr std::string_view version_key = "gradus_format";
constexpr std::string_view version = "1";
constexpr std::string_view runs_key = "gradus_runs";

std::optional<std::string_view> metadatum(const SafeTensors& file, std::string_view key) {
  const auto found = file.metadata.find(std::string(key));
  return found == file.metadata.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

std::uint64_t runs_in(const SafeTensors& file, const std::string& path) {
  const auto written = metadatum(file, version_key);
  if (!written) fail<IoError>("restore: {} is no checkpoint of a session: its metadata name no {}", path, version_key);
  if (*written != version)
    fail<IoError>("restore: {} has {} {}; only {} is known", path, version_key, *written, version);
  const std::string_view text = metadatum(file, runs_key).value_or("");
  std::uint64_t runs = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), runs);
  if (error != std::errc() || end != text.data() + text.size())
    fail<IoError>("restore: {} has {} '{}'; a number is expected", path, runs_key, text);
  return runs;
}

// A line for each thing in which the file is not the graph's: first the variables in the order they were made, then
// what only the file has.
std::string differences(Graph& graph, const SafeTensors& file) {
  std::string text;
  for (const Expr& variable : graph.variables()) {
    const auto found = file.tensors.find(variable.name());
    const std::string here = fmt::format("\n  {} ({})", variable.name(), to_string(variable.where()));
    if (found == file.tensors.end()) {
      text += fmt::format("{} is {} but is missing in the file", here, to_string(variable.type()));
    } else if (const Type& type = found->second.type(); type != variable.type()) {
      text +=
          fmt::format("{} is {} but {} in the file; their {} differ", here, to_string(variable.type()), to_string(type),
                      type.shape == variable.shape()   ? "dtypes"
                      : type.dtype == variable.dtype() ? "shapes"
                                                       : "dtypes and shapes");
    }
  }
  for (const auto& [name, tensor] : file.tensors)
    if (const Expr node = graph.find(name); !node.valid() || node.kind() != Kind::variable)
      text += fmt::format("\n  {} is {} in the file but no variable of the graph", name, to_string(tensor.type()));
  return text;
}

}  // namespace

void Session::save(const std::string& path) {
  const Use use(*state_);
  SafeTensors file;
  file.metadata.emplace(version_key, version);
  file.metadata.emplace(runs_key, fmt::format("{}", state_->runs));
  for (const Expr& variable : state_->graph().variables())
    file.tensors.emplace(variable.name(), state_->value(variable));
  save_safetensors(path, file);
}

void Session::restore(const std::string& path) {
  const Use use(*state_);
  const SafeTensors file = load_safetensors(path);
  const std::uint64_t runs = runs_in(file, path);
  if (const std::string found = differences(state_->graph(), file); !found.empty())
    fail<IoError>("restore: {} does not fit the graph:{}", path, found);
  for (const Expr& variable : state_->graph().variables())
    state_->variables.write(variable, file.tensors.at(variable.name()));
  state_->runs = runs;
}

}  // namespace gradus
