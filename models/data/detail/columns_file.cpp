#include <gradus/models/data/detail/columns_file.h>

#include <gradus/core/error.h>
#include <gradus/core/io/checksum.h>
#include <gradus/core/io/file.h>
#include <gradus/core/tensor/sparse.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <vector>

namespace gradus {

namespace {

constexpr const char* field_name = "field";
constexpr const char* ids_name = "indices";
constexpr const char* item_name = "item_columns";

// A whole number of the metadata.
std::int64_t number(const SafeTensors& file, const std::string& path, const char* key) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) fail_damaged(path, fmt::format("its metadata have no {}", key));
  const std::string& text = found->second;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    fail_damaged(path, fmt::format("\"{}\" is not a whole number", key));
  return value;
}

// A number for each column; null where the file has none.
const Tensor* of_columns(const SafeTensors& file, const std::string& path, const char* name, DType dtype,
                         std::int64_t count) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) return nullptr;
  const Type expected{dtype, {count}, Layout::dense};
  if (found->second.type() != expected)
    fail_damaged(path, fmt::format("{} is {}; {} is expected", name, found->second.type(), expected));
  return &found->second;
}

}  // namespace

void add_columns(SafeTensors& file, const Columns& columns) {
  const Shape shape{columns.count};
  if (columns.field) file.tensors.emplace(field_name, Tensor::from(*columns.field));  // [p]
  if (columns.ids)
    file.tensors.emplace(ids_name, Tensor::make<std::int64_t>(shape, [&](std::span<std::int64_t> out) {
                           const auto& index = columns.ids->index();
                           std::transform(index.begin(), index.end(), out.begin(),
                                          [](std::uint64_t i) { return static_cast<std::int64_t>(i); });
                         }));  // [p]
  if (!columns.of_item.empty())
    file.tensors.emplace(item_name, Tensor::make<bool>(shape, [&](std::span<bool> out) {
                           std::copy(columns.of_item.begin(), columns.of_item.end(), out.begin());
                         }));  // [p]
  file.metadata.emplace("features", fmt::to_string(columns.count));
  if (columns.table) file.metadata.emplace("feature_table", to_json(*columns.table));
  if (columns.hash_bits > 0) file.metadata.emplace("hash_bits", fmt::to_string(columns.hash_bits));
}

Columns columns_in(const SafeTensors& file, const std::string& path) {
  Columns out;
  out.count = number(file, path, "features");
  if (out.count < 0 || out.count > max_sparse_dimension) fail_damaged(path, "\"features\" is out of range");
  if (const auto table = file.metadata.find("feature_table"); table != file.metadata.end()) {
    out.table = std::make_shared<const FeatureTable>(feature_table_from_json(table->second, path));
    if (out.table->features() != out.count)
      fail_damaged(path, fmt::format("it has {} features but its table has {}", out.count, out.table->features()));
  }
  if (file.metadata.contains("hash_bits")) {
    const std::int64_t bits = number(file, path, "hash_bits");
    if (bits < 1 || bits > FeatureTable::most_hash_bits || out.count != std::int64_t{1} << bits)
      fail_damaged(path, "\"hash_bits\" does not fit its features");
    out.hash_bits = static_cast<int>(bits);
  }
  if (const Tensor* const field = of_columns(file, path, field_name, int32, out.count)) {
    const auto fields = field->span<Index>();
    if (std::any_of(fields.begin(), fields.end(), [](Index f) { return f < -1; }))
      fail_damaged(path, "it has a field that is none");
    out.field = std::make_shared<const std::vector<Index>>(fields.begin(), fields.end());
  }
  if (const Tensor* const ids = of_columns(file, path, ids_name, int64, out.count)) {
    const auto index = ids->span<std::int64_t>();
    try {
      out.ids = std::make_shared<const SparseIds>(std::vector<std::uint64_t>(index.begin(), index.end()));
    } catch (const ValueError& error) {
      fail_damaged(path, error.what());
    }
  }
  if (const Tensor* const item = of_columns(file, path, item_name, boolean, out.count))
    out.of_item.assign(item->span<bool>().begin(), item->span<bool>().end());
  if ((out.table != nullptr) + (out.ids != nullptr) + (out.hash_bits > 0) > 1)
    fail_damaged(path, "its columns are described twice");
  return out;
}

bool is_of_columns(std::string_view tensor) {
  return tensor == field_name || tensor == ids_name || tensor == item_name;
}

std::string checksum(const std::map<std::string, Tensor>& tensors, const std::map<std::string, std::string>& metadata,
                     const TensorStacks& stacks) {
  std::uint32_t crc = 0;
  const auto add = [&crc](const void* bytes, std::size_t count) { crc = crc32_of(bytes, count, crc); };
  TensorStacks all = stacks;
  for (const auto& [name, tensor] : tensors) all[name] = {tensor};
  for (const auto& [name, parts] : all) {
    add(name.c_str(), name.size() + 1);
    for (const Tensor& part : parts) add(part.data(), static_cast<std::size_t>(part.stored()) * size_of(part.dtype()));
  }
  for (const auto& [key, text] : metadata) {
    if (key == checksum_key) continue;
    add(key.c_str(), key.size() + 1);
    add(text.c_str(), text.size() + 1);
  }
  return fmt::format("{:08x}", crc);
}

}  // namespace gradus
