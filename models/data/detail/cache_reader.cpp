#include <gradus/models/data/detail/cache_reader.h>

#include <gradus/core/error.h>

#include <algorithm>
#include <vector>

namespace gradus {

namespace {

class CacheReader final : public Reader {
 public:
  CacheReader(const std::string& path, const ReadOptions& read) : path_(path), data_(path, read) {}

  std::string place() const override { return path_; }

 private:
  ReadRows read(std::int64_t count) override {
    ReadRows out;
    if (block_ == data_.blocks()) return out;
    if (at_ == 0) rows_ = data_.block(block_);
    const std::int64_t taken = std::min(count, rows_.size() - at_);
    static_cast<Rows&>(out) = rows_.range(at_, taken);
    out.columns = data_.cache().columns();
    at_ += taken;
    if (at_ == rows_.size()) {
      ++block_;
      at_ = 0;
    }
    return out;
  }

  std::string path_;
  FittedCache data_;
  std::int64_t block_ = 0;
  std::int64_t at_ = 0;  // rows of it that are taken
  Rows rows_;            // its rows
};

}  // namespace

FittedCache::FittedCache(const std::string& path, const ReadOptions& read)
    : cache_(path), columns_(read.columns.count > 0 ? read.columns.count : cache_.columns().count) {
  const Columns& here = cache_.columns();
  const Columns& wanted = read.columns;
  const int hash_bits = std::max(read.hash_bits, wanted.hash_bits);
  const bool plain = !here.table && !here.ids && here.hash_bits == 0;
  const bool fits = wanted.table       ? here.table && *here.table == *wanted.table
                    : wanted.ids       ? here.ids && here.ids->index() == wanted.ids->index()
                    : hash_bits > 0    ? here.hash_bits == hash_bits
                    : wanted.count > 0 ? plain && here.count <= columns_
                                       : true;
  if (!fits)
    fail<IoError>(
        "{}: has other columns than the model; write_data_cache of data read by read_options(model) makes one that "
        "fits",
        path);
  if (cache_.dtype() != read.dtype) fail<IoError>("{}: holds {}; {} is expected", path, cache_.dtype(), read.dtype);
}

Rows FittedCache::block(std::int64_t block) const {
  Rows out = cache_.block(block);
  if (cache_.columns().count == columns_) return out;
  const auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = out.x.dim(0);
  pattern->columns = columns_;
  pattern->row_start = out.x.pattern()->row_start;
  pattern->set_column({out.x.pattern()->column.begin(), out.x.pattern()->column.end()});
  out.x = Tensor::csr(pattern, out.x.values());
  return out;
}

std::unique_ptr<Reader> read_cache(const std::string& path, const ReadOptions& read) {
  return std::make_unique<CacheReader>(path, read);
}

}  // namespace gradus
