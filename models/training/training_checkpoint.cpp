// The state of a training in a file: one safetensors file, written as a whole or not at all. It holds every variable
// (optimizer slots among them), the best parameters so far, where in which epoch training is, and the sums it has made;
// and what it must not be mixed up with: the options and a checksum of the data.
#include <gradus/core/error.h>
#include <gradus/core/safetensors.h>
#include <gradus/models/training/model_file.h>
#include <gradus/models/training/trainer_state.h>

#include <fmt/format.h>

namespace gradus {

namespace {

constexpr const char* checkpoint_key = "gradus_checkpoint";
constexpr std::string_view checkpoint_version = "1";
constexpr std::string_view variable_prefix = "variable/";
constexpr std::string_view best_prefix = "best/";
constexpr const char* position_name = "position";  // int64: epoch, batch, rows, best epoch
constexpr const char* sums_name = "sums";          // float64: error_sum, weight_sum
constexpr const char* history_name = "history";    // float64 [epochs, 3]: loss, validation, seconds

}  // namespace

// Which data a state is of.
const std::string& Trainer::State::data_checksum() {
  if (checksum_of_data.empty())
    checksum_of_data =
        fmt::format("{:08x}{:08x}", train_data->fingerprint(), validation_data ? validation_data->fingerprint() : 0);
  return checksum_of_data;
}

void Trainer::save(const std::string& path) {
  State& s = *state_;
  SafeTensors file;
  for (const Expr& variable : s.graph.variables())
    file.tensors.emplace(fmt::format("{}{}", variable_prefix, variable.name()), s.session->value(variable));
  for (const auto& [name, value] : s.best) file.tensors.emplace(fmt::format("{}{}", best_prefix, name), value);
  file.tensors.emplace(position_name, Tensor::from(std::vector<std::int64_t>{s.epoch, s.batch, s.rows, s.best_epoch}));
  file.tensors.emplace(sums_name, Tensor::from(std::vector<double>{s.error_sum, s.weight_sum}));
  std::vector<double> history;
  for (const EpochRecord& record : s.history)
    history.insert(history.end(), {record.loss, record.validation, record.seconds});
  file.tensors.emplace(history_name, Tensor::from(history, {std::ssize(s.history), 3}));
  file.metadata = {
      {checkpoint_key, std::string(checkpoint_version)}, {"options", to_json(s.options)}, {"data", s.data_checksum()}};
  file.metadata.emplace("checksum", checksum(file.tensors, file.metadata));
  save_safetensors(path, file);
}

void Trainer::restore(const std::string& path) {
  State& s = *state_;
  const SafeTensors file = load_safetensors(path);
  const auto text = [&](const char* key) -> std::string {
    const auto found = file.metadata.find(key);
    if (found == file.metadata.end())
      fail<IoError>("{}: is no state of a training: its metadata have no {}", path, key);
    return found->second;
  };
  if (text(checkpoint_key) != checkpoint_version)
    fail<IoError>("{}: is a state of version {}; this program reads version {}", path, text(checkpoint_key),
                  checkpoint_version);
  if (text("checksum") != checksum(file.tensors, file.metadata))
    fail<IoError>("{}: is damaged: its checksum is not that of its contents", path);
  if (text("data") != s.data_checksum()) fail<IoError>("{}: is of a training on other data", path);
  if (const std::string other = difference(s.options, training_options_from_json(text("options"), path));
      !other.empty())
    fail<IoError>("{}: is of a training with other options: {}", path, other);

  const auto tensor = [&](const std::string& name, DType dtype) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end() || found->second.dtype() != dtype)
      fail<IoError>("{}: is damaged: {} is missing or of another dtype", path, name);
    return found->second;
  };
  for (const Expr& variable : s.graph.variables()) {
    const Tensor value = tensor(fmt::format("{}{}", variable_prefix, variable.name()), variable.dtype());
    if (value.type() != variable.type())
      fail<IoError>("{}: is damaged: {} is {}; {} is expected", path, variable.name(), value.type(), variable.type());
    s.session->assign(variable, value);
  }
  s.best.clear();
  for (const auto& [name, value] : file.tensors)
    if (name.starts_with(best_prefix)) s.best.emplace(name.substr(best_prefix.size()), value);
  const Tensor position = tensor(position_name, int64);
  const Tensor history = tensor(history_name, float64);
  const Tensor sums = tensor(sums_name, float64);
  if (sums.size() != 2) fail<IoError>("{}: is damaged: {} is {}", path, sums_name, sums.shape());
  if (position.size() != 4) fail<IoError>("{}: is damaged: {} is {}", path, position_name, position.shape());
  const auto at = position.span<std::int64_t>();
  s.epoch = at[0];
  s.batch = at[1];
  s.rows = at[2];
  s.best_epoch = at[3];
  s.error_sum = sums.stored_value(0);
  s.weight_sum = sums.stored_value(1);
  const auto rows = history.span<double>();
  s.history.clear();
  for (std::size_t i = 0; i + 2 < rows.size(); i += 3)
    s.history.push_back({std::ssize(s.history) + 1, rows[i], rows[i + 1], rows[i + 2]});
  const bool fits = s.epoch == std::ssize(s.history) && s.batch >= 0 && s.batch <= s.batches.count() &&
                    s.best_epoch >= 0 && s.best_epoch <= s.epoch;
  if (!fits) fail<IoError>("{}: is damaged: it says epoch {}, batch {}", path, s.epoch, s.batch);
}

}  // namespace gradus
