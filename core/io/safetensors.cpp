#include <gradus/core/io/safetensors.h>

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/core/io/json.h>
#include <gradus/core/listed.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <vector>

namespace gradus {

namespace {

using HeaderJson = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "files are little-endian and read as they are");

constexpr std::uint64_t header_limit = 100'000'000;  // the format's own limit, in bytes: metadata may be long texts,
constexpr JsonLimits header_limits{.depth = 8, .members = 100'000, .values = 2'000'000};  // but are no deep trees
constexpr std::string_view metadata_key = "__metadata__";
constexpr std::string_view dtype_names[dtype_count] = {"F32", "F64", "I32", "I64", "BOOL"};

// A tensor as the header describes it.
struct Entry {
  std::string name;
  DType dtype;
  Shape shape;
  std::uint64_t begin;  // bytes from where the numbers of all tensors begin
  std::uint64_t end;
};

std::uint64_t bytes_of(DType dtype, const Shape& shape) {
  return static_cast<std::uint64_t>(shape.size()) * size_of(dtype);
}

// Looks for an object that names a key twice: of two equal keys the parser keeps one silently.
class DuplicateKeys final : public nlohmann::json_sax<HeaderJson> {
 public:
  const std::optional<std::string>& found() const { return found_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(std::int64_t) override { return true; }
  bool number_unsigned(std::uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(HeaderJson::binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    open_.emplace_back();
    return true;
  }
  bool key(std::string& name) override {
    if (!open_.back().insert(name).second) found_ = name;
    return !found_;
  }
  bool end_object() override {
    open_.pop_back();
    return true;
  }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  std::vector<std::set<std::string>> open_;  // the keys of the objects that are open
  std::optional<std::string> found_;
};

// The header as JSON. (A callback of HeaderJson::parse would look at all members of an object once for each.)
HeaderJson parse_header(const std::string& path, const std::string& text) {
  if (!keeps_within(text, header_limits))
    fail<IoError>("{}: the header is nested more than {} deep, names more than {} tensors or holds more than {} values",
                  path, header_limits.depth, header_limits.members, header_limits.values);
  DuplicateKeys duplicates;
  HeaderJson::sax_parse(text, &duplicates);
  if (duplicates.found()) fail<IoError>("{}: the header names '{}' twice", path, *duplicates.found());
  HeaderJson header = HeaderJson::parse(text, nullptr, false);
  if (!header.is_object()) fail<IoError>("{}: the header is not JSON", path);
  return header;
}

// An array of sizes.
std::vector<std::int64_t> sizes(const HeaderJson& value, const std::string& path, std::string_view tensor,
                                std::string_view key) {
  std::vector<std::int64_t> out;
  const bool all = value.is_array() && std::all_of(value.begin(), value.end(), [&](const HeaderJson& number) {
                     if (!number.is_number_unsigned() || number.get<std::uint64_t>() > INT64_MAX) return false;
                     out.push_back(number.get<std::int64_t>());
                     return true;
                   });
  if (!all) fail<IoError>("{}: tensor '{}': '{}' is not a list of sizes", path, tensor, key);
  return out;
}

Entry parse_entry(const std::string& path, const std::string& name, const HeaderJson& value) {
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
      !value.contains("data_offsets"))
    fail<IoError>("{}: tensor '{}' is not described by 'dtype', 'shape' and 'data_offsets'", path, name);
  const auto dtype = std::find_if(std::begin(dtype_names), std::end(dtype_names), [&](std::string_view known) {
    return value["dtype"].is_string() && value["dtype"].get_ref<const std::string&>() == known;
  });
  if (dtype == std::end(dtype_names))
    fail<IoError>("{}: tensor '{}': dtype {} is not one of {}", path, name, value["dtype"].dump(), listed(dtype_names));
  const std::vector<std::int64_t> offsets = sizes(value["data_offsets"], path, name, "data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1])
    fail<IoError>("{}: tensor '{}': data_offsets {} are not a begin and an end", path, name,
                  value["data_offsets"].dump());
  Entry out{name,
            static_cast<DType>(dtype - std::begin(dtype_names)),
            {},
            static_cast<std::uint64_t>(offsets[0]),
            static_cast<std::uint64_t>(offsets[1])};
  try {
    out.shape = Shape(sizes(value["shape"], path, name, "shape"));
  } catch (const TypeError& error) {
    fail<IoError>("{}: tensor '{}': {}", path, name, error.what());
  }
  if (out.end - out.begin != bytes_of(out.dtype, out.shape))
    fail<IoError>("{}: tensor '{}': {} {} takes {} bytes but data_offsets [{}, {}] hold {}", path, name, out.dtype,
                  out.shape, bytes_of(out.dtype, out.shape), out.begin, out.end, out.end - out.begin);
  return out;
}

// Throws unless the entries, which are put in the order of the file, fill `bytes` bytes without gap or overlap.
void check_contiguous(const std::string& path, std::vector<Entry>& entries, std::uint64_t bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t reached = 0;
  std::string_view before;
  for (const Entry& entry : entries) {
    if (entry.end > bytes)
      fail<IoError>("{}: tensor '{}' ends at byte {} but the file holds {} bytes of numbers", path, entry.name,
                    entry.end, bytes);
    if (entry.begin < reached) fail<IoError>("{}: tensors '{}' and '{}' overlap", path, before, entry.name);
    if (entry.begin > reached)
      fail<IoError>("{}: bytes {} to {}, before tensor '{}', belong to no tensor", path, reached, entry.begin,
                    entry.name);
    reached = entry.end;
    before = entry.name;
  }
  if (reached != bytes) fail<IoError>("{}: bytes {} to {}, at the end, belong to no tensor", path, reached, bytes);
}

std::string read_header(FileReader& file) {
  const std::string& path = file.path();
  std::uint64_t length = 0;
  if (file.left() < sizeof length)
    fail<IoError>("{}: has {} bytes; a safetensors file has at least {}", path, file.left(), sizeof length);
  file.read(&length, sizeof length);
  if (length > header_limit)
    fail<IoError>("{}: says that its header has {} bytes; at most {} are allowed", path, length, header_limit);
  if (length > file.left())
    fail<IoError>("{}: says that its header has {} bytes but {} are left", path, length, file.left());
  std::string text(length, '\0');
  file.read(text.data(), text.size());
  if (!text.starts_with('{')) fail<IoError>("{}: the header does not begin with '{{'", path);
  return text;
}

}  // namespace

bool has_metadata(const std::string& path, const std::string& key) {
  try {
    FileReader file(path);
    const HeaderJson header = parse_header(path, read_header(file));
    const auto metadata = header.find(metadata_key);
    return metadata != header.end() && metadata->is_object() && metadata->contains(key);
  } catch (const IoError&) {
    return false;
  }
}

SafeTensorsFile::SafeTensorsFile(const std::string& path) : file_(path) {
  const HeaderJson header = parse_header(path, read_header(file_));
  std::vector<Entry> entries;
  for (const auto& [key, value] : header.items()) {
    if (key != metadata_key) {
      entries.push_back(parse_entry(path, key, value));
      continue;
    }
    if (!value.is_object()) fail<IoError>("{}: {} is not an object of strings", path, key);
    for (const auto& [name, text] : value.items()) {
      if (!text.is_string()) fail<IoError>("{}: {}: '{}' is {}; it must be a string", path, key, name, text.dump());
      metadata_.emplace(name, text.get<std::string>());
    }
  }
  check_contiguous(path, entries, file_.left());
  const std::uint64_t of_header = file_.size() - file_.left();
  for (const Entry& entry : entries) {
    types_.emplace(entry.name, Type{entry.dtype, entry.shape, Layout::dense});
    begin_.emplace(entry.name, of_header + entry.begin);
  }
}

Tensor SafeTensorsFile::tensor(const std::string& name) const {
  const Type& type = types_.at(name);
  Tensor tensor = Tensor::uninitialized(type);
  const std::size_t bytes = bytes_of(type.dtype, type.shape);
  file_.read_at(begin_.at(name), tensor.writable_data(), bytes);
  if (type.dtype == boolean) check_bools(fmt::format("{}: tensor '{}'", path(), name), {tensor.data(), bytes});
  return tensor;
}

SafeTensors load_safetensors(const std::string& path) {
  const SafeTensorsFile file(path);
  SafeTensors out;
  out.metadata = file.metadata();
  for (const auto& [name, type] : file.types()) out.tensors.emplace(name, file.tensor(name));
  return out;
}

void save_safetensors(const std::string& path, const std::map<std::string, WrittenTensor>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  using Item = std::map<std::string, WrittenTensor>::value_type;
  std::vector<const Item*> items;
  for (const Item& item : tensors) {
    if (item.first == metadata_key) fail<ValueError>("{}: no tensor may be named {}", path, metadata_key);
    items.push_back(&item);
  }
  // Large elements first: each tensor then begins at a multiple of its element's size.
  std::stable_sort(items.begin(), items.end(),
                   [](const Item* a, const Item* b) { return size_of(a->second.dtype) > size_of(b->second.dtype); });

  HeaderJson header = HeaderJson::object();
  if (!metadata.empty()) header[std::string(metadata_key)] = metadata;
  std::uint64_t end = 0;
  for (const Item* item : items) {
    const auto& [name, tensor] = *item;
    const std::uint64_t begin = end;
    end += bytes_of(tensor.dtype, tensor.shape);
    header[name] = {{"dtype", dtype_names[static_cast<int>(tensor.dtype)]},
                    {"shape", std::vector<std::int64_t>(tensor.shape.begin(), tensor.shape.end())},
                    {"data_offsets", {begin, end}}};
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const HeaderJson::exception&) {
    fail<ValueError>("{}: a name or metadata is not UTF-8", path);
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > header_limit)
    fail<ValueError>("{}: the header would have {} bytes; at most {} are allowed", path, text.size(), header_limit);
  write_file_atomically(path, [&](FileWriter& file) {
    const std::uint64_t length = text.size();
    file.write(&length, sizeof length);
    file.write(text.data(), text.size());
    for (const Item* item : items) item->second.write(file);
  });
}

void save_safetensors(const std::string& path, const SafeTensors& contents, const TensorStacks& stacks) {
  std::map<std::string, WrittenTensor> tensors;
  const auto add = [&](const std::string& name, const Shape& shape, std::span<const Tensor> parts) {
    for (const Tensor& part : parts)
      if (part.layout() != Layout::dense)
        fail<TypeError>("{}: '{}' is {}; only dense tensors are written, so take to_dense() first", path, name,
                        part.type());
    tensors.emplace(name, WrittenTensor{parts.front().dtype(), shape, [parts](FileWriter& file) {
                                          for (const Tensor& part : parts)
                                            file.write(part.data(), bytes_of(part.dtype(), part.shape()));
                                        }});
  };
  for (const auto& [name, tensor] : contents.tensors) add(name, tensor.shape(), std::span(&tensor, 1));
  for (const auto& [name, parts] : stacks) {
    const auto is_other = [&first = parts.front()](const Tensor& part) { return part.type() != first.type(); };
    if (std::any_of(parts.begin(), parts.end(), is_other))
      fail<TypeError>("{}: the tensors of '{}' are not of one type", path, name);
    add(name, parts.front().shape().insert(0, std::ssize(parts)), parts);
  }
  save_safetensors(path, tensors, contents.metadata);
}

}  // namespace gradus
