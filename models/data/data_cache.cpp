#include <gradus/models/data/data_cache.h>

#include <gradus/core/error.h>
#include <gradus/core/io/checksum.h>
#include <gradus/core/io/file.h>
#include <gradus/core/io/json.h>
#include <gradus/core/io/safetensors.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/data/detail/columns_file.h>

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

namespace gradus {

namespace {

constexpr const char* cache_key = "gradus_cache";
constexpr std::string_view cache_version = "2";
constexpr std::string_view first_mark = "gradusdc";  // of version 1, which was a format of its own
constexpr const char* blocks_key = "blocks";
constexpr const char *length_name = "row_length", *column_name = "column", *value_name = "value", *y_name = "y",
                     *weight_name = "weight";

// Whether a file begins as caches of version 1 did.
bool is_first_version(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  char first[first_mark.size()];
  return file && std::fread(first, 1, sizeof first, file.get()) == sizeof first &&
         std::string_view(first, sizeof first) == first_mark;
}

// --- writing -----------------------------------------------------------------------------------------------

// Each tensor grows in a file of its own: how long it becomes is known only when all blocks are there.
class CacheWriter {
 public:
  explicit CacheWriter(const std::string& path)
      : path_(path), lengths_(path), columns_(path), y_(path), weights_(path) {}

  void add(const ReadRows& rows) {
    if (rows.y.size() != rows.size())
      fail<ValueError>("write_data_cache: the data has no targets; a cache is for training and evaluation");
    if (summary_.blocks == 0) {
      dtype_ = rows.x.dtype();
      weighted_ = rows.weighted();
    }
    const std::vector<std::int64_t>& start = rows.x.pattern()->row_start;
    std::vector<Index> lengths;
    for (std::size_t r = 1; r < start.size(); ++r) lengths.push_back(static_cast<Index>(start[r] - start[r - 1]));
    std::uint32_t crc = 0;
    put(lengths_, std::span<const Index>(lengths), crc);
    put(columns_, std::span<const Index>(rows.x.pattern()->column), crc);
    dispatch_floating(dtype_, [&]<class T>(TypeTag<T>) {
      put(y_, rows.y.span<T>(), crc);
      if (weighted_) put(weights_, rows.weight.span<T>(), crc);
      if (!rows.x.ones() && !values_) begin_values<T>();
      if (values_) put(*values_, rows.x.span<T>(), crc);
    });
    blocks_.push_back({rows.size(), rows.x.stored(), crc});
    const auto sum = [](const std::vector<std::int64_t>& counts) {
      return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    };
    summary_.rows += rows.size();
    summary_.columns = std::max(summary_.columns, rows.x.dim(1));
    ++summary_.blocks;
    summary_.unseen += sum(rows.unseen);
    summary_.missing += sum(rows.missing);
    summary_.other_fields += rows.other_fields;
    non_zeros_ += rows.x.stored();
    of_columns_ = rows.columns;
  }

  DataCacheSummary finish() {
    if (summary_.rows == 0) fail<ValueError>("write_data_cache: the data has no examples");
    Json blocks = Json::array();
    for (const Written& block : blocks_) blocks.push_back(Json::array({block.rows, block.non_zeros, block.crc}));
    SafeTensors about;
    of_columns_.count = summary_.columns;
    add_columns(about, of_columns_);
    about.metadata.emplace(cache_key, cache_version);
    about.metadata.emplace(blocks_key, to_text(blocks));
    about.metadata.emplace(checksum_key, checksum(about.tensors, about.metadata));
    std::map<std::string, WrittenTensor> tensors;
    for (const auto& [name, tensor] : about.tensors)
      tensors.emplace(name, WrittenTensor{tensor.dtype(), tensor.shape(), [&tensor = tensor](FileWriter& file) {
                                            file.write(tensor.data(), static_cast<std::size_t>(tensor.stored()) *
                                                                          size_of(tensor.dtype()));
                                          }});
    const auto add = [&](const char* name, DType dtype, std::int64_t size, const SpoolFile& from) {
      tensors.emplace(name, WrittenTensor{dtype, {size}, [&from](FileWriter& file) { from.copy_to(file); }});
    };
    add(length_name, int32, summary_.rows, lengths_);
    add(column_name, int32, non_zeros_, columns_);
    if (values_) add(value_name, dtype_, non_zeros_, *values_);
    add(y_name, dtype_, summary_.rows, y_);
    if (weighted_) add(weight_name, dtype_, summary_.rows, weights_);
    save_safetensors(path_, tensors, about.metadata);
    return summary_;
  }

 private:
  struct Written {
    std::int64_t rows, non_zeros;
    std::uint32_t crc;
  };

  template <class T>
  static void put(SpoolFile& to, std::span<const T> numbers, std::uint32_t& crc) {
    const auto bytes = std::as_bytes(numbers);
    to.write(bytes);
    crc = crc32_of(bytes.data(), bytes.size(), crc);
  }

  // All values of the blocks so far were 1.
  template <class T>
  void begin_values() {
    values_.emplace(path_);
    for (Written& block : blocks_) {
      const std::vector<T> ones(static_cast<std::size_t>(block.non_zeros), T{1});
      put(*values_, std::span<const T>(ones), block.crc);
    }
  }

  const std::string& path_;
  SpoolFile lengths_, columns_, y_, weights_;
  std::optional<SpoolFile> values_;  // none while all are 1
  DataCacheSummary summary_;
  DType dtype_ = float32;
  bool weighted_ = false;
  std::int64_t non_zeros_ = 0;
  Columns of_columns_;
  std::vector<Written> blocks_;
};

}  // namespace

DataCacheSummary write_data_cache(const std::string& path, Reader& source, const DataCacheOptions& options) {
  if (options.block_rows < 1 || options.block_rows > max_sparse_dimension)
    fail<ValueError>("write_data_cache: .block_rows is {}; 1 to {} are expected", options.block_rows,
                     max_sparse_dimension);
  CacheWriter writer(path);
  for (ReadRows rows = source.next(options.block_rows); rows.size() > 0; rows = source.next(options.block_rows))
    writer.add(rows);
  return writer.finish();
}

// --- reading -----------------------------------------------------------------------------------------------

struct DataCache::File {
  explicit File(const std::string& path) : tensors(path) {}

  const SafeTensorsFile tensors;
  std::vector<std::atomic<bool>> checked{};  // by block: whether it was found to be what was written
};

namespace {

// A whole number of the list of blocks.
std::int64_t whole(const std::string& path, const Json& json) {
  if (!json.is_number_integer() || json.get<double>() < 0 || json.get<double>() > 1e15)
    fail_damaged(path, "a number of its blocks is none");
  return json.get<std::int64_t>();
}

}  // namespace

// The checksum says that it is what was written; but anybody may have written it.
DataCache::DataCache(const std::string& path) : path_(path) {
  if (is_first_version(path))
    fail<IoError>("{}: is a cache of version 1; write_data_cache makes a new one of the data", path);
  FileReader(path).size();  // throws where it cannot be opened
  try {
    file_ = std::make_unique<File>(path);
  } catch (const IoError& error) {
    const std::string_view what(error.what());
    fail<IoError>("{}: is no data cache, or is damaged: {}", path, what.substr(std::min(what.size(), path.size() + 2)));
  }
  const SafeTensorsFile& file = file_->tensors;
  const auto text = [&](const char* key) -> const std::string& {
    const auto found = file.metadata().find(key);
    if (found == file.metadata().end()) fail_damaged(path, fmt::format("its metadata have no {}", key));
    return found->second;
  };
  if (!file.metadata().contains(cache_key))
    fail<IoError>("{}: is not a data cache, which write_data_cache makes", path);
  if (text(cache_key) != cache_version)
    fail<IoError>("{}: is a cache of version {}; version {} is expected: write_data_cache makes a new one of the data",
                  path, text(cache_key), cache_version);
  SafeTensors about{{}, file.metadata()};
  for (const auto& [name, type] : file.types())
    if (is_of_columns(name)) about.tensors.emplace(name, file.tensor(name));
  const std::string sum = checksum(about.tensors, about.metadata);
  if (text(checksum_key) != sum) fail_damaged(path, "its metadata are not what was written");
  std::from_chars(sum.data(), sum.data() + sum.size(), checksum_, 16);
  columns_ = columns_in(about, path);

  const Json blocks = parse_json(text(blocks_key));
  if (!blocks.is_array()) fail_damaged(path, "its blocks are not a list");
  std::int64_t non_zeros = 0;
  for (const Json& each : blocks) {
    if (!each.is_array() || each.size() != 3) fail_damaged(path, "a block is none");
    const Block block{rows_, whole(path, each[0]), non_zeros, whole(path, each[1]),
                      static_cast<std::uint32_t>(whole(path, each[2]))};
    if (block.rows < 1 || block.rows > max_sparse_dimension) fail_damaged(path, "a block has a size out of range");
    blocks_.push_back(block);
    rows_ += block.rows;
    non_zeros += block.non_zeros;
  }
  if (blocks_.empty()) fail_damaged(path, "it has no blocks");
  const auto y = file.types().find(y_name);
  if (y == file.types().end() || !is_floating(y->second.dtype)) fail_damaged(path, "it has no y of floating numbers");
  dtype_ = y->second.dtype;
  weighted_ = file.types().contains(weight_name);
  std::map<std::string, Type> expected{{length_name, {int32, {rows_}, Layout::dense}},
                                       {column_name, {int32, {non_zeros}, Layout::dense}},
                                       {y_name, {dtype_, {rows_}, Layout::dense}}};
  if (weighted_) expected.emplace(weight_name, Type{dtype_, {rows_}, Layout::dense});
  if (file.types().contains(value_name)) expected.emplace(value_name, Type{dtype_, {non_zeros}, Layout::dense});
  for (const auto& [name, type] : about.tensors) expected.emplace(name, type.type());
  if (file.types() != expected) fail_damaged(path, "its tensors do not fit its blocks");
  file_->checked = std::vector<std::atomic<bool>>(blocks_.size());
}

DataCache::~DataCache() = default;

std::size_t DataCache::bytes() const { return file_->tensors.bytes(); }

Rows DataCache::block(std::int64_t number) const {
  if (number < 0 || number >= blocks())
    fail<ValueError>("{}: block {} is asked for; there are {}, counted from 0", path_, number, blocks());
  const SafeTensorsFile& file = file_->tensors;
  const Block& of = blocks_[static_cast<std::size_t>(number)];
  std::atomic<bool>& checked = file_->checked[static_cast<std::size_t>(number)];
  const bool is_new = !checked.load(std::memory_order_relaxed);
  std::uint32_t crc = 0;
  const auto read = [&]<class T>(const char* name, std::int64_t first, std::span<T> to) {
    file.read(name, first, to);
    if (is_new) crc = crc32_of(to.data(), to.size_bytes(), crc);
  };

  std::vector<Index> lengths(static_cast<std::size_t>(of.rows));
  read(length_name, of.first_row, std::span(lengths));
  auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = of.rows;
  pattern->columns = columns_.count;
  pattern->row_start.reserve(lengths.size() + 1);
  for (const Index length : lengths) {
    if (length < 0) fail_damaged(path_, fmt::format("block {} is not what was written", number));
    pattern->row_start.push_back(pattern->row_start.back() + length);
  }
  if (pattern->non_zeros() != of.non_zeros)
    fail_damaged(path_, fmt::format("block {} is not what was written", number));
  read(column_name, of.first_non_zero, pattern->new_column(of.non_zeros));
  Rows out;
  dispatch_floating(dtype_, [&]<class T>(TypeTag<T>) {
    const auto take = [&](const char* name, const Shape& shape, std::int64_t first) {
      return Tensor::make<T>(shape, [&](std::span<T> to) { read(name, first, to); });
    };
    out.y = take(y_name, {of.rows, 1}, of.first_row);
    if (weighted_) out.weight = take(weight_name, {of.rows, 1}, of.first_row);
    out.x = Tensor::csr(pattern, file.types().contains(value_name) ? take(value_name, {of.non_zeros}, of.first_non_zero)
                                                                   : ones({of.non_zeros}, dtype_));
  });
  if (!is_new) return out;
  if (crc != of.crc) fail_damaged(path_, fmt::format("block {} is not what was written", number));
  try {
    pattern->check();
    out.check();
  } catch (const ValueError& error) {
    fail_damaged(path_, fmt::format("block {}: {}", number, error.what()));
  }
  checked.store(true, std::memory_order_relaxed);
  return out;
}

Rows DataCache::all() const {
  std::vector<Rows> parts;
  for (std::int64_t b = 0; b < blocks(); ++b) parts.push_back(block(b));
  return parts.size() == 1 ? parts.front() : joined(parts);
}

bool is_data_cache(const std::string& path) {
  // A pipe is read once, and not here.
  struct stat status {};
  if (path == "-" || ::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  return is_first_version(path) || has_metadata(path, cache_key);
}

}  // namespace gradus
