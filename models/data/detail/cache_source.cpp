#include <gradus/models/data/detail/cache_source.h>

#include <gradus/core/error.h>

#include <algorithm>
#include <vector>

namespace gradus {

namespace {

class CacheSource final : public ExampleSource {
 public:
  CacheSource(const std::string& path, const ReadOptions& read) : path_(path), data_(path, read) {}

  std::string place() const override { return path_; }

 private:
  Examples read(std::int64_t count) override {
    Examples out;
    if (block_ == data_.blocks()) return out;
    if (at_ == 0) rows_ = data_.block(block_);
    const std::int64_t taken = std::min(count, rows_.size() - at_);
    const Dataset part = rows_.rows(at_, taken);
    out.x = part.x;
    out.y = part.y;
    out.weight = part.weight;
    out.table = data_.cache().table();
    out.ids = data_.cache().ids();
    out.hash_bits = data_.cache().hash_bits();
    out.field = data_.cache().field();
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
  Dataset rows_;         // its rows
};

}  // namespace

FittedCache::FittedCache(const std::string& path, const ReadOptions& read)
    : cache_(path), columns_(read.columns > 0 ? read.columns : cache_.columns()) {
  const bool plain = !cache_.table() && !cache_.ids() && cache_.hash_bits() == 0;
  const bool fits = read.table           ? cache_.table() && *cache_.table() == *read.table
                    : read.ids           ? cache_.ids() && cache_.ids()->index() == read.ids->index()
                    : read.hash_bits > 0 ? cache_.hash_bits() == read.hash_bits
                    : read.columns > 0   ? plain && cache_.columns() <= columns_
                                         : true;
  if (!fits)
    fail<IoError>(
        "{}: has other columns than the model; write_data_cache of data read by read_options(model) makes one that "
        "fits",
        path);
  if (cache_.dtype() != read.dtype) fail<IoError>("{}: holds {}; {} is expected", path, cache_.dtype(), read.dtype);
}

Dataset FittedCache::block(std::int64_t block) const {
  Dataset out = cache_.block(block);
  if (cache_.columns() == columns_) return out;
  const auto pattern = std::make_shared<CsrPattern>();
  pattern->rows = out.x.dim(0);
  pattern->columns = columns_;
  pattern->row_start = out.x.pattern()->row_start;
  pattern->set_column({out.x.pattern()->column.begin(), out.x.pattern()->column.end()});
  out.x = Tensor::csr(pattern, out.x.values());
  return out;
}

std::unique_ptr<ExampleSource> cache_source(const std::string& path, const ReadOptions& read) {
  return std::make_unique<CacheSource>(path, read);
}

}  // namespace gradus
