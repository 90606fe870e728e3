// The state of a training in a file: one safetensors file, written as a whole or not at all. It holds every variable
// (optimizer slots among them), the best parameters so far, where in which epoch training is, and the sums it has made;
// and what it must not be mixed up with: the options and a checksum of the data.
#include <gradus/core/error.h>
#include <gradus/core/io/safetensors.h>
#include <gradus/models/data/detail/columns_file.h>
#include <gradus/models/training/detail/trainer_state.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

namespace gradus {

namespace {

constexpr const char* checkpoint_key = "gradus_checkpoint";
constexpr std::string_view checkpoint_version = "1";
constexpr std::string_view version_with_shards = "2";
constexpr const char* position_name = "position";  // int64: epoch, batch, rows, best epoch
constexpr const char* sums_name = "sums";          // float64: error_sum, weight_sum
constexpr const char* means_name = "means";        // float32, of mcmc: Sampler::means
constexpr const char* history_name = "history";    // float64 [epochs, 3]: loss, validation, seconds

std::string text_in(const SafeTensors& file, const char* key, const std::string& path) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) fail<IoError>("{}: is no state of a training: its metadata have no {}", path, key);
  return found->second;
}

SafeTensors read_state(const std::string& path) {
  SafeTensors file = load_safetensors(path);
  const std::string version = text_in(file, checkpoint_key, path);
  if (version != checkpoint_version && version != version_with_shards)
    fail<IoError>("{}: is a state of version {}; this program reads versions {} and {}", path, version,
                  checkpoint_version, version_with_shards);
  if (text_in(file, checksum_key, path) != checksum(file.tensors, file.metadata))
    fail<IoError>("{}: is damaged: its checksum is not that of its contents", path);
  return file;
}

}  // namespace

// Which data a state is of.
const std::string& Trainer::State::data_checksum() {
  if (checksum_of_data.empty())
    checksum_of_data =
        fmt::format("{:08x}{:08x}{}", train_data->fingerprint(), validation_data ? validation_data->fingerprint() : 0,
                    columns.relations ? fmt::format("{:08x}", columns.relations->fingerprint()) : "");
  return checksum_of_data;
}

void Trainer::save(const std::string& path) {
  State& s = *state_;
  const StateShards shards = s.save_shards(path);
  if (!s.ranks || s.ranks->rank() == 0) {
    save_file(path, shards);
    remove_other_shards(path, shards.writing);
  }
  if (s.ranks) s.ranks->barrier("the checkpoint");  // all go on when it is there
}

void Trainer::save_file(const std::string& path, const StateShards& shards) {
  State& s = *state_;
  SafeTensors file;
  TensorStacks samples;  // of mcmc
  for (const Expr& variable : s.graph.variables())
    if (!s.session->shares_out(variable))
      file.tensors.emplace(fmt::format("{}{}", variable_prefix, variable.name()), s.session->value(variable));
  for (const auto& [name, value] : s.best)
    if (!s.session->shares_out(s.graph.find(name))) file.tensors.emplace(fmt::format("{}{}", best_prefix, name), value);
  file.tensors.emplace(position_name, Tensor::from(std::vector<std::int64_t>{s.epoch, s.batch, s.rows, s.best_epoch}));
  file.tensors.emplace(sums_name, Tensor::from(std::vector<double>{s.error_sum, s.weight_sum}));
  std::vector<double> history;
  for (const EpochRecord& record : s.history)
    history.insert(history.end(), {record.loss, record.validation, record.seconds});
  file.tensors.emplace(history_name, Tensor::from(history, {std::ssize(s.history), 3}));
  if (s.keeper) {
    const std::span<const float> means = s.chain ? s.chain->means() : s.means;
    file.tensors.emplace(means_name, Tensor::from(means, {std::ssize(means)}));
    file.tensors.merge(s.keeper->sums());
    samples = stacked(s.keeper->samples());
  }
  file.metadata = {{checkpoint_key, std::string(shards.checksum.empty() ? checkpoint_version : version_with_shards)},
                   {"options", to_json(s.options)},
                   {"data", s.data_checksum()}};
  add_metadata(shards, file.metadata);
  file.metadata.emplace(checksum_key, checksum(file.tensors, file.metadata, samples));
  save_safetensors(path, file, samples);
}

void Trainer::restore(const std::string& path) {
  State& s = *state_;
  const SafeTensors file = read_state(path);
  // What options left open follows from the data; whether these are streamed is part of what they are.
  const TrainingOptions before = training_options_from_json(text_in(file, "options", path), path);
  const bool other_data = text_in(file, "data", path) != s.data_checksum();
  if (other_data && s.options.stream_above == before.stream_above)
    fail<IoError>("{}: is of a training on other data", path);
  if (const std::string other = difference(s.options, before); other_data || !other.empty())
    fail<IoError>("{}: is of a training with other options: {}", path, other);

  // All is looked at before anything is taken over: a state that is refused leaves the training as it was.
  const auto tensor = [&](const std::string& name, const Type& type) -> const Tensor& {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end()) fail<IoError>("{}: is damaged: it lacks {}", path, name);
    if (found->second.type() != type)
      fail<IoError>("{}: is damaged: {} is {}; {} is expected", path, name, found->second.type(), type);
    return found->second;
  };
  const auto position = tensor(position_name, {int64, {4}, Layout::dense}).span<std::int64_t>();
  const auto sums = tensor(sums_name, {float64, {2}, Layout::dense}).span<double>();
  const std::int64_t epoch = position[0], batch = position[1], rows = position[2], best_epoch = position[3];
  const std::int64_t epochs = std::clamp<std::int64_t>(epoch, 0, *s.options.epochs);
  const auto history = tensor(history_name, {float64, {epochs, 3}, Layout::dense}).span<double>();
  const bool has_best = s.start_validation || (s.validation_data && epoch > 0 && !s.keeper);
  const bool fits = epoch == epochs && batch >= 0 && batch <= s.batch_count() && rows >= 0 &&
                    rows <= s.train_data->size() && best_epoch >= (epoch > 0 && !s.start_validation ? 1 : 0) &&
                    best_epoch <= epoch && std::isfinite(sums[0]) && std::isfinite(sums[1]);
  if (!fits) fail<IoError>("{}: is damaged: it says epoch {}, batch {}, best epoch {}", path, epoch, batch, best_epoch);
  std::map<std::string, Tensor> values, best;
  const StateShards shards = shards_in(file.metadata, path);
  std::map<std::string, WantedRows> wanted;  // of shards
  // What the state's file does not have is in shards, if there are any.
  const auto take = [&](std::string_view prefix, const Expr& variable, std::map<std::string, Tensor>& to) {
    const std::string name = fmt::format("{}{}", prefix, variable.name());
    if (shards.checksum.empty() || file.tensors.contains(name))
      to.emplace(variable.name(), tensor(name, variable.type()));
    else
      wanted.emplace(name, WantedRows{variable.type(), s.owners_of(variable)});
  };
  for (const Expr& variable : s.graph.variables()) take(variable_prefix, variable, values);
  for (const Expr& parameter : s.model.parameters)
    if (has_best) take(best_prefix, parameter, best);
  std::size_t of_chain = 0;
  Tensor means;
  if (s.keeper) {
    s.begin_chain();
    means = tensor(means_name, {float32, {std::ssize(s.chain->means())}, Layout::dense});
    const auto of_keeper = s.keeper->expected(epoch, parameters_of(*s.session, s.model));
    for (const auto& [name, type] : of_keeper) tensor(name, type);
    of_chain = 1 + of_keeper.size();
  }
  const std::size_t expected = values.size() + best.size() + of_chain + 3;
  if (file.tensors.size() != expected)
    fail<IoError>("{}: is damaged: it has {} tensors; {} are expected", path, file.tensors.size(), expected);

  for (auto& [name, rows] : read_shards(path, shards, wanted)) {
    const bool is_best = name.starts_with(best_prefix);
    (is_best ? best : values).emplace(name.substr((is_best ? best_prefix : variable_prefix).size()), std::move(rows));
  }
  for (const Expr& variable : s.graph.variables()) {
    const Tensor& value = values.at(variable.name());
    if (value.type() == variable.type())
      s.session->assign(variable, value);
    else
      s.session->assign_own(variable, value);
  }
  s.best = std::move(best);
  if (s.keeper) {
    std::copy_n(means.span<float>().begin(), means.size(), s.chain->means().begin());
    s.keeper->restore(epoch, file.tensors);
    s.told_of_validation = MeanOfSamples(s.of_model.probit);
    for (const Parameters& mean : s.keeper->samples().means) s.tell_of_validation(mean);
  }
  s.epoch = epoch;
  s.batch = batch;
  s.rows = rows;
  s.best_epoch = best_epoch;
  s.error_sum = sums[0];
  s.weight_sum = sums[1];
  s.history.clear();
  for (std::size_t i = 0; i + 2 < history.size(); i += 3)
    s.history.push_back({std::ssize(s.history) + 1, history[i], history[i + 1], history[i + 2]});
}

TrainingOptions options_of_state(const std::string& path) {
  return training_options_from_json(text_in(read_state(path), "options", path), path);
}

void remove_training_state(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  remove_other_shards(path, 0);
}

bool is_training_state(const std::string& path) { return has_metadata(path, checkpoint_key); }

}  // namespace gradus
