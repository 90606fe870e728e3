// Of a trainer over ranks that share out tables: this rank's rows of what it keeps of them, and where it writes these.
#include <gradus/core/at.h>
#include <gradus/models/training/detail/trainer_state.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

namespace gradus {

Parameters Trainer::State::own_rows_now() {
  Parameters out;
  for (const Expr& parameter : model.parameters) out.emplace(parameter.name(), session->own_value(parameter));
  return out;
}

Tensor Trainer::State::own_rows_of(const Expr& variable, const Tensor& value) const {
  // It may be from before the first step, which finds out what is shared out.
  if (!session->shares_out(variable) || value.type() != variable.type()) return value;
  Tensor rows = Tensor::uninitialized(own_type(variable));
  const RowOwners owners = owners_of(variable);
  for (std::int64_t i = 0; i < rows.dim(0); ++i) {
    const Tensor row = value.row_range(owners.row(i), 1);
    const std::size_t bytes = static_cast<std::size_t>(row.stored()) * size_of(row.dtype());
    if (bytes > 0) std::memcpy(rows.writable_data() + static_cast<std::size_t>(i) * bytes, row.data(), bytes);
  }
  return rows;
}

bool Trainer::State::is_finite() {
  bool all = true;
  for (const Expr& parameter : model.parameters) {
    const Tensor own = session->own_value(parameter);
    dispatch_floating(own.dtype(), [&]<class T>(TypeTag<T>) {
      all = all && std::ranges::all_of(own.span<T>(), [](T x) { return std::isfinite(x); });
    });
  }
  if (!ranks) return all;
  for (const auto& theirs : ranks->all_gather("whether all is finite", std::as_bytes(std::span(&all, 1))))
    all = all && theirs.front() != std::byte{0};
  return all;
}

void Trainer::State::assign_own(const Parameters& own) {
  for (const Expr& parameter : model.parameters)
    session->assign_own(parameter, own_rows_of(parameter, own.at(parameter.name())));
}

RowOwners Trainer::State::owners_of(const Expr& variable) const {
  return session->shares_out(variable) ? RowOwners{ranks->rank(), ranks->size()} : RowOwners{};
}

Type Trainer::State::own_type(const Expr& variable) const {
  return {variable.dtype(), variable.shape().with(0, owners_of(variable).own(variable.shape()[0])), Layout::dense};
}

// What ranks share out each writes by itself, before the first says in the state's file that it belongs to it.
StateShards Trainer::State::save_shards(const std::string& path) {
  std::map<std::string, OwnRowsToWrite> own;
  for (const Expr& variable : graph.variables())
    if (session->shares_out(variable)) {
      own.emplace(fmt::format("{}{}", variable_prefix, variable.name()),
                  OwnRowsToWrite{own_type(variable), [this, variable] { return session->own_value(variable); }});
      if (const auto found = best.find(variable.name()); found != best.end())
        own.emplace(fmt::format("{}{}", best_prefix, variable.name()),
                    OwnRowsToWrite{own_type(variable),
                                   [this, found, variable] { return own_rows_of(variable, found->second); }});
    }
  if (own.empty()) return {};
  StateShards shards{ranks->rank() == 0 ? writing_at(path) + 1 : 0, {}};
  const auto number_in = [](std::span<const std::byte> bytes, auto number) {
    std::memcpy(&number, bytes.data(), std::min(bytes.size(), sizeof number));
    return number;
  };
  shards.writing = number_in(ranks->all_gather("the checkpoint", std::as_bytes(std::span(&shards.writing, 1))).front(),
                             std::int64_t{});
  const std::uint32_t sum = write_shard(shard_path(path, at(ranks->rank()), shards.writing), own);
  for (const auto& theirs : ranks->all_gather("shards of the checkpoint", std::as_bytes(std::span(&sum, 1))))
    shards.checksum.push_back(number_in(theirs, std::uint32_t{}));
  return shards;
}

}  // namespace gradus
