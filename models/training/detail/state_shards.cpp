#include <gradus/models/training/detail/state_shards.h>

#include <gradus/core/error.h>
#include <gradus/core/io/checksum.h>
#include <gradus/core/io/safetensors.h>

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <filesystem>

namespace gradus {

namespace {

constexpr const char* checksums_key = "shards";  // hexadecimal, by rank, with a space between
constexpr const char* writing_key = "shards_writing";

std::size_t bytes_of(const Tensor& x) { return static_cast<std::size_t>(x.stored()) * size_of(x.dtype()); }

// All numbers of a text, with a space between.
template <class T>
std::vector<T> numbers_in(std::string_view text, int base, const std::string& path) {
  std::vector<T> out;
  while (!text.empty()) {
    T number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc()) fail<IoError>("{}: is damaged: its shards are '{}'", path, text);
    out.push_back(number);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!text.empty()) text.remove_prefix(1);
  }
  return out;
}

}  // namespace

std::string shard_path(const std::string& path, std::size_t rank, std::int64_t writing) {
  return fmt::format("{}.shard-{}.{}", path, rank, writing);
}

StateShards shards_in(const std::map<std::string, std::string>& metadata, const std::string& path) {
  const auto checksums = metadata.find(checksums_key), writing = metadata.find(writing_key);
  if (checksums == metadata.end() || writing == metadata.end()) return {};
  const std::vector<std::int64_t> number = numbers_in<std::int64_t>(writing->second, 10, path);
  if (number.size() != 1) fail<IoError>("{}: is damaged: {} is '{}'", path, writing_key, writing->second);
  return {number[0], numbers_in<std::uint32_t>(checksums->second, 16, path)};
}

void add_metadata(const StateShards& shards, std::map<std::string, std::string>& metadata) {
  if (shards.checksum.empty()) return;
  std::string checksums;
  for (const std::uint32_t checksum : shards.checksum)
    checksums += fmt::format("{}{:08x}", checksums.empty() ? "" : " ", checksum);
  metadata.emplace(checksums_key, checksums);
  metadata.emplace(writing_key, fmt::format("{}", shards.writing));
}

std::int64_t writing_at(const std::string& path) {
  if (!std::filesystem::exists(path) || !has_metadata(path, writing_key)) return 0;
  return shards_in(SafeTensorsFile(path).metadata(), path).writing;
}

std::uint32_t write_shard(const std::string& path, const std::map<std::string, OwnRowsToWrite>& own) {
  std::uint32_t sum = 0;
  std::map<std::string, WrittenTensor> tensors;
  for (const auto& each : own) {
    const OwnRowsToWrite& of = each.second;
    tensors.emplace(each.first, WrittenTensor{of.type.dtype, of.type.shape, [&sum, &of](FileWriter& file) {
                                                const Tensor rows = of.make();
                                                sum = crc32_of(rows.data(), bytes_of(rows), sum);
                                                file.write(rows.data(), bytes_of(rows));
                                              }});
  }
  save_safetensors(path, tensors, {});
  return sum;
}

std::map<std::string, Tensor> read_shards(const std::string& path, const StateShards& shards,
                                          const std::map<std::string, WantedRows>& wanted) {
  std::map<std::string, Tensor> out;
  for (const auto& [name, rows] : wanted) {
    const Shape shape = rows.whole.shape.with(0, rows.owners.own(rows.whole.shape[0]));
    out.emplace(name, Tensor::uninitialized({rows.whole.dtype, shape, Layout::dense}));
  }
  const auto count = static_cast<std::int64_t>(shards.checksum.size());
  for (std::int64_t r = 0; r < count; ++r) {
    const RowOwners there{static_cast<int>(r), static_cast<int>(count)};
    const std::string name_of_shard = shard_path(path, static_cast<std::size_t>(r), shards.writing);
    const SafeTensorsFile file(name_of_shard);
    std::uint32_t sum = 0;
    for (const auto& [name, type] : file.types()) {
      const auto found = wanted.find(name);
      if (found == wanted.end()) fail<IoError>("{}: is damaged: {} is of no table", name_of_shard, name);
      const auto& [whole, owners] = found->second;
      const Type expected{whole.dtype, whole.shape.with(0, there.own(whole.shape[0])), Layout::dense};
      if (type != expected)
        fail<IoError>("{}: is damaged: {} is {}; {} is expected", name_of_shard, name, type, expected);
      const Tensor rows = file.tensor(name);
      sum = crc32_of(rows.data(), bytes_of(rows), sum);
      Tensor& to = out.at(name);
      const std::size_t bytes = rows.dim(0) > 0 ? bytes_of(rows) / static_cast<std::size_t>(rows.dim(0)) : 0;
      for (std::int64_t i = 0; i < rows.dim(0) && bytes > 0; ++i)
        if (const std::int64_t row = there.row(i); owners.has(row))
          std::memcpy(to.writable_data() + static_cast<std::size_t>(owners.here(row)) * bytes,
                      rows.data() + static_cast<std::size_t>(i) * bytes, bytes);
    }
    if (file.types().size() != wanted.size())
      fail<IoError>("{}: is damaged: it has {} tensors; {} are expected", name_of_shard, file.types().size(),
                    wanted.size());
    if (sum != shards.checksum[static_cast<std::size_t>(r)])
      fail<IoError>("{}: is damaged: its checksum is not that of its contents", name_of_shard);
  }
  return out;
}

void remove_other_shards(const std::string& path, std::int64_t writing) {
  const std::filesystem::path state(path);
  const std::string begin = state.filename().string() + ".shard-", end = fmt::format(".{}", writing);
  std::error_code ignored;
  std::vector<std::filesystem::path> stale;
  for (std::filesystem::directory_iterator file(state.has_parent_path() ? state.parent_path() : ".", ignored), last;
       !ignored && file != last; file.increment(ignored))
    if (const std::string name = file->path().filename().string(); name.starts_with(begin) && !name.ends_with(end))
      stale.push_back(file->path());
  for (const std::filesystem::path& file : stale) std::filesystem::remove(file, ignored);
}

}  // namespace gradus
