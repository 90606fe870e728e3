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

// The file's tensors under the names that the graph has for them.
std::map<std::string, Tensor> renamed(const SafeTensors& file, const std::map<std::string, std::string>& rename,
                                      const std::string& path) {
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, tensor] : file.tensors) {
    const auto other = rename.find(name);
    const std::string& here = other == rename.end() ? name : other->second;
    if (!tensors.emplace(here, tensor).second)
      fail<ValueError>("restore: two tensors of {} would be {}; each is renamed to a name of its own", path, here);
  }
  for (const auto& [name, here] : rename)
    if (!file.tensors.contains(name)) fail<ValueError>("restore: {} has no {}, which is to be {}", path, name, here);
  return tensors;
}

// A line for each thing in which the file is not the graph's: first the variables in the order they were made, then
// what only the file has.
std::string differences(Graph& graph, std::span<const Expr> variables, const std::map<std::string, Tensor>& tensors,
                        bool all) {
  std::string text;
  for (const Expr& variable : variables) {
    const auto found = tensors.find(variable.name());
    const std::string here = fmt::format("\n  {} ({})", variable.name(), to_string(variable.where()));
    if (found == tensors.end()) {
      text += fmt::format("{} is {} but is missing in the file", here, to_string(variable.type()));
    } else if (const Type& type = found->second.type(); type != variable.type()) {
      text +=
          fmt::format("{} is {} but {} in the file; their {} differ", here, to_string(variable.type()), to_string(type),
                      type.shape == variable.shape()   ? "dtypes"
                      : type.dtype == variable.dtype() ? "shapes"
                                                       : "dtypes and shapes");
    }
  }
  for (const auto& [name, tensor] : tensors)
    if (const Expr node = graph.find(name); all && (!node.valid() || node.kind() != Kind::variable))
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

void Session::restore(const std::string& path, const RestoreOptions& options) {
  const Use use(*state_);
  Graph& graph = state_->graph();
  for (const Expr& variable : options.only)
    if (!state_->is_variable(variable))
      fail<TypeError>("restore: {} is not a variable of the session's graph", to_string(variable));
  const SafeTensors file = load_safetensors(path);
  const std::uint64_t runs = runs_in(file, path);
  const bool all = options.only.empty();
  const std::vector<Expr> variables = all ? graph.variables() : options.only;
  const std::map<std::string, Tensor> tensors = renamed(file, options.rename, path);
  if (const std::string found = differences(graph, variables, tensors, all); !found.empty())
    fail<IoError>("restore: {} does not fit the graph:{}", path, found);
  for (const Expr& variable : variables)
    state_->variables.write(variable, state_->variables.rows_here(variable, tensors.at(variable.name())));
  if (all) state_->runs = runs;
}

}  // namespace gradus
