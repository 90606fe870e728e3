#include <gradus/models/data/data_cache.h>

#include <gradus/core/error.h>
#include <gradus/core/io/checksum.h>
#include <gradus/core/io/file.h>
#include <gradus/core/io/json.h>

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

namespace gradus {

namespace {

static_assert(std::endian::native == std::endian::little, "the numbers of a data cache are written as they are");

constexpr std::string_view head_mark = "gradusdc";
constexpr std::string_view tail_mark = "cdsudarg";
constexpr std::uint32_t version = 1;
constexpr std::size_t head_bytes = head_mark.size() + sizeof version;
constexpr std::size_t tail_bytes = 2 * sizeof(std::uint64_t) + sizeof(std::uint32_t) + tail_mark.size();

template <class T>
void append(std::vector<std::byte>& to, std::span<const T> numbers) {
  const auto bytes = std::as_bytes(numbers);
  to.insert(to.end(), bytes.begin(), bytes.end());
}

// --- writing -----------------------------------------------------------------------------------------------

// A block as it lies in the file.
std::vector<std::byte> block_bytes(const Examples& examples) {
  std::vector<std::byte> out;
  const std::vector<std::int64_t>& start = examples.x.pattern()->row_start;
  std::vector<std::uint32_t> lengths;
  for (std::size_t r = 1; r < start.size(); ++r) lengths.push_back(static_cast<std::uint32_t>(start[r] - start[r - 1]));
  append(out, std::span<const std::uint32_t>(lengths));
  append(out, examples.x.pattern()->column);
  dispatch_floating(examples.x.dtype(), [&]<class T>(TypeTag<T>) {
    if (!examples.x.ones()) append(out, examples.x.span<T>());
    append(out, examples.y.span<T>());
    if (examples.weight.size() > 0) append(out, examples.weight.span<T>());
  });
  return out;
}

// What is known only when all blocks are written.
class IndexWriter {
 public:
  // Throws unless the examples can follow those before.
  void check(const Examples& examples) {
    if (examples.y.size() != examples.count())
      fail<ValueError>("write_data_cache: the data has no targets; a cache is for training and evaluation");
    if (blocks_.empty()) {
      dtype_ = examples.x.dtype();
      weighted_ = examples.weight.size() > 0;
    }
  }
  void add(const Examples& examples, std::uint64_t begin, std::span<const std::byte> bytes) {
    blocks_.push_back(Json::array({begin, bytes.size(), examples.count(), examples.x.stored(),
                                   examples.x.ones() ? 1 : 0, crc32_of(bytes.data(), bytes.size())}));
    summary_.rows += examples.count();
    summary_.columns = std::max(summary_.columns, examples.x.dim(1));
    ++summary_.blocks;
    const auto sum = [](const std::vector<std::int64_t>& counts) {
      return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    };
    summary_.unseen += sum(examples.unseen);
    summary_.missing += sum(examples.missing);
    summary_.other_fields += examples.other_fields;
    table_ = examples.table;
    ids_ = examples.ids;
    hash_bits_ = examples.hash_bits;
    field_ = examples.field;
  }

  const DataCacheSummary& summary() const { return summary_; }
  std::string json() const {
    Json out{{"rows", summary_.rows},
             {"columns", summary_.columns},
             {"dtype", std::string(to_string(dtype_))},
             {"weighted", weighted_},
             {"blocks", blocks_}};
    if (table_) out["table"] = to_json(*table_);
    if (ids_) out["indices"] = ids_->index();
    if (hash_bits_ > 0) out["hash_bits"] = hash_bits_;
    if (field_) out["field"] = *field_;
    return to_text(out);
  }

 private:
  DataCacheSummary summary_;
  DType dtype_ = float32;
  bool weighted_ = false;
  Json blocks_ = Json::array();
  std::shared_ptr<const FeatureTable> table_;
  std::shared_ptr<const SparseIds> ids_;
  int hash_bits_ = 0;
  std::shared_ptr<const std::vector<Index>> field_;
};

}  // namespace

DataCacheSummary write_data_cache(const std::string& path, ExampleSource& source, const DataCacheOptions& options) {
  if (options.block_rows < 1 || options.block_rows > max_sparse_dimension)
    fail<ValueError>("write_data_cache: .block_rows is {}; 1 to {} are expected", options.block_rows,
                     max_sparse_dimension);
  IndexWriter index;
  write_file_atomically(path, [&](FileWriter& file) {
    file.write(head_mark.data(), head_mark.size());
    file.write(&version, sizeof version);
    std::uint64_t begin = head_bytes;
    for (Examples examples = source.next(options.block_rows); examples.count() > 0;
         examples = source.next(options.block_rows)) {
      index.check(examples);
      const std::vector<std::byte> bytes = block_bytes(examples);
      file.write(bytes);
      index.add(examples, begin, bytes);
      begin += bytes.size();
    }
    if (index.summary().rows == 0) fail<ValueError>("write_data_cache: the data has no examples");
    const std::string json = index.json();
    std::vector<std::byte> tail;
    const std::uint64_t place[] = {begin, json.size()};
    const std::uint32_t crc = crc32_of(json.data(), json.size());
    append(tail, std::span<const std::uint64_t>(place));
    append(tail, std::span(&crc, 1));
    append(tail, std::span<const char>(tail_mark));
    file.write(json.data(), json.size());
    file.write(tail);
  });
  return index.summary();
}

// --- reading -----------------------------------------------------------------------------------------------

struct DataCache::File {
  explicit File(const std::string& path) : reader(path) {}

  const FileReader reader;
  std::vector<std::atomic<bool>> checked{};  // by block: whether it was found to be what was written
};

namespace {

template <class T>
T number_at(const char* from) {
  T number;
  std::memcpy(&number, from, sizeof number);
  return number;
}

// A part of the file.
std::string text_at(const FileReader& file, std::uint64_t begin, std::size_t bytes) {
  std::string text(bytes, '\0');
  file.read_at(begin, text.data(), bytes);
  return text;
}

[[noreturn]] void damaged(const std::string& path, std::string_view what) {
  fail<IoError>("{}: is damaged: {}", path, what);
}

// A whole number of the index.
std::int64_t whole(const std::string& path, const Json& json) {
  if (!json.is_number_integer() || json.get<double>() < 0 || json.get<double>() > 1e15)
    damaged(path, "a number of its index is none");
  return json.get<std::int64_t>();
}

}  // namespace

DataCache::DataCache(const std::string& path) : path_(path), file_(std::make_unique<File>(path)) {
  const FileReader& file = file_->reader;
  const std::uint64_t size = file.size();
  const std::string head = text_at(file, 0, std::min<std::uint64_t>(size, head_bytes));
  if (head.size() < head_bytes || !head.starts_with(head_mark))
    fail<IoError>("{}: is not a data cache, which write_data_cache makes", path);
  const auto found = number_at<std::uint32_t>(head.data() + head_mark.size());
  if (found != version)
    fail<IoError>("{}: is a data cache of version {}; version {} is expected: convert the data again", path, found,
                  version);
  const std::string tail = size < head_bytes + tail_bytes ? "" : text_at(file, size - tail_bytes, tail_bytes);
  if (!tail.ends_with(tail_mark)) fail<IoError>("{}: was cut short, at {} bytes: convert the data again", path, size);
  const auto begin = number_at<std::uint64_t>(tail.data());
  const auto bytes = number_at<std::uint64_t>(tail.data() + sizeof begin);
  index_crc_ = number_at<std::uint32_t>(tail.data() + sizeof begin + sizeof bytes);
  if (begin < head_bytes || begin > size - tail_bytes || bytes != size - tail_bytes - begin)
    damaged(path, "its index is not what was written");
  const std::string index = text_at(file, begin, bytes);
  if (crc32_of(index.data(), bytes) != index_crc_) damaged(path, "its index is not what was written");
  read_index(index);
  std::uint64_t reached = head_bytes;
  for (const Block& block : blocks_) {
    if (block.begin != reached || block.bytes > begin - reached) damaged(path, "its blocks do not fill it");
    reached += block.bytes;
  }
  if (reached != begin) damaged(path, "its blocks do not fill it");
  file_->checked = std::vector<std::atomic<bool>>(blocks_.size());
}

bool is_data_cache(const std::string& path) {
  // A pipe is read once, and not here.
  struct stat status {};
  if (path == "-" || ::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  char first[8];
  return file && std::fread(first, 1, sizeof first, file.get()) == sizeof first &&
         std::string_view(first, sizeof first) == head_mark;
}

DataCache::~DataCache() = default;

std::size_t DataCache::bytes() const { return file_->reader.size(); }

// The CRC says that it is what was written; but anybody may have written it.
void DataCache::read_index(const std::string& text) {
  const Json json = parse_json(text);
  if (!json.is_object()) damaged(path_, "its index is not JSON");
  const auto member = [&](const char* key) -> const Json& {
    const auto found = json.find(key);
    if (found == json.end()) damaged(path_, fmt::format("its index has no \"{}\"", key));
    return *found;
  };
  rows_ = whole(path_, member("rows"));
  columns_ = whole(path_, member("columns"));
  if (rows_ < 1 || columns_ > max_sparse_dimension) damaged(path_, "its index has a size out of range");
  const Json& dtype = member("dtype");
  if (dtype != "float32" && dtype != "float64") damaged(path_, "its index has a dtype that is none");
  dtype_ = dtype == "float32" ? float32 : float64;
  weighted_ = member("weighted") == true;
  std::int64_t rows = 0;
  for (const Json& each : member("blocks")) {
    if (!each.is_array() || each.size() != 6) damaged(path_, "its index has a block that is none");
    const auto number = [&](std::size_t i) { return whole(path_, each[i]); };
    const Block block{static_cast<std::uint64_t>(number(0)),
                      static_cast<std::uint64_t>(number(1)),
                      number(2),
                      number(3),
                      number(4) != 0,
                      static_cast<std::uint32_t>(number(5))};
    const auto size = static_cast<std::int64_t>(size_of(dtype_));
    const std::int64_t of_a_row = static_cast<std::int64_t>(sizeof(std::uint32_t)) + size * (weighted_ ? 2 : 1);
    const std::int64_t of_a_non_zero = static_cast<std::int64_t>(sizeof(Index)) + (block.ones ? 0 : size);
    if (block.rows < 1 || block.rows > max_sparse_dimension ||
        static_cast<std::int64_t>(block.bytes) != block.rows * of_a_row + block.non_zeros * of_a_non_zero)
      damaged(path_, "its index has a block of another size");
    rows += block.rows;
    blocks_.push_back(block);
  }
  if (rows != rows_) damaged(path_, "its blocks have another number of rows than it");
  if (json.contains("table")) {
    if (!json["table"].is_string()) damaged(path_, "its table is none");
    table_ = std::make_shared<const FeatureTable>(
        feature_table_from_json(json["table"].get_ref<const std::string&>(), path_));
    if (table_->features() != columns_) damaged(path_, "its table has other columns than its rows");
  }
  if (json.contains("indices")) {
    std::vector<std::uint64_t> indices;
    for (const Json& each : json["indices"]) {
      if (!each.is_number_unsigned()) damaged(path_, "it has an index that is none");
      indices.push_back(each.get<std::uint64_t>());
    }
    if (std::ssize(indices) != columns_) damaged(path_, "it has not an index for each column");
    try {
      ids_ = std::make_shared<const SparseIds>(std::move(indices));
    } catch (const ValueError& error) {
      damaged(path_, error.what());
    }
  }
  if (json.contains("hash_bits")) {
    const std::int64_t bits = whole(path_, json["hash_bits"]);
    if (bits < 1 || bits > FeatureTable::most_hash_bits || columns_ != std::int64_t{1} << bits)
      damaged(path_, "its hash_bits do not fit its columns");
    hash_bits_ = static_cast<int>(bits);
  }
  if ((table_ != nullptr) + (ids_ != nullptr) + (hash_bits_ > 0) > 1) damaged(path_, "its columns are described twice");
  if (!json.contains("field")) return;
  std::vector<Index> field;
  for (const Json& each : json["field"]) {
    if (!each.is_number_integer() || each.get<double>() < -1 || each.get<double>() > max_sparse_dimension)
      damaged(path_, "it has a field that is none");
    field.push_back(each.get<Index>());
  }
  if (static_cast<std::int64_t>(field.size()) != columns_) damaged(path_, "it has not a field for each column");
  field_ = std::make_shared<const std::vector<Index>>(std::move(field));
}

Dataset DataCache::block(std::int64_t number) const {
  if (number < 0 || number >= blocks())
    fail<ValueError>("{}: block {} is asked for; there are {}, counted from 0", path_, number, blocks());
  const Block& of = blocks_[static_cast<std::size_t>(number)];
  std::atomic<bool>& checked = file_->checked[static_cast<std::size_t>(number)];
  const bool is_new = !checked.load(std::memory_order_relaxed);
  std::uint64_t next = of.begin;
  std::uint32_t crc = 0;
  // The next numbers of the block, whose bytes have been counted.
  const auto read_next = [&]<class T>(std::span<T> to) {
    file_->reader.read_at(next, to.data(), to.size_bytes());
    if (is_new) crc = crc32_of(to.data(), to.size_bytes(), crc);
    next += to.size_bytes();
  };

  std::vector<std::uint32_t> lengths(static_cast<std::size_t>(of.rows));
  read_next(std::span(lengths));
  auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = of.rows;
  pattern->columns = columns_;
  pattern->row_start.reserve(lengths.size() + 1);
  for (const std::uint32_t length : lengths) pattern->row_start.push_back(pattern->row_start.back() + length);
  if (pattern->non_zeros() != of.non_zeros) damaged(path_, fmt::format("block {} is not what was written", number));
  read_next(pattern->new_column(of.non_zeros));
  Dataset out;
  dispatch_floating(dtype_, [&]<class T>(TypeTag<T>) {
    const auto take = [&](const Shape& shape) {
      return Tensor::make<T>(shape, [&](std::span<T> to) { read_next(to); });
    };
    out.x = Tensor::csr(
        pattern, of.ones
                     ? Tensor::make<T>({of.non_zeros}, [](std::span<T> to) { std::fill(to.begin(), to.end(), T{1}); })
                     : take({of.non_zeros}));
    out.y = take({of.rows, 1});
    if (weighted_) out.weight = take({of.rows, 1});
  });
  if (!is_new) return out;
  if (crc != of.crc) damaged(path_, fmt::format("block {} is not what was written", number));
  try {
    pattern->check();
    out.check();
  } catch (const ValueError& error) {
    damaged(path_, fmt::format("block {}: {}", number, error.what()));
  }
  checked.store(true, std::memory_order_relaxed);
  return out;
}

Dataset DataCache::all() const {
  std::vector<Dataset> parts;
  for (std::int64_t b = 0; b < blocks(); ++b) parts.push_back(block(b));
  return parts.size() == 1 ? parts.front() : joined(parts);
}

}  // namespace gradus
