#include <gradus/models/data/row_blocks.h>

#include <gradus/core/error.h>
#include <gradus/core/io/checksum.h>
#include <gradus/core/tensor/random.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace gradus {

namespace {

template <class T>
std::uint32_t crc_of(std::uint32_t crc, const T& number) {
  return crc32_of(&number, sizeof number, crc);
}

std::uint32_t crc_of(std::uint32_t crc, const Rows& data) {
  const auto numbers = [&](const Tensor& tensor) {
    crc = crc32_of(tensor.data(), static_cast<std::size_t>(tensor.stored()) * size_of(tensor.dtype()), crc);
  };
  if (const auto& pattern = data.x.pattern()) {
    crc = crc32_of(pattern->row_start.data(), pattern->row_start.size() * sizeof(std::int64_t), crc);
    crc = crc32_of(pattern->column.data(), pattern->column.size_bytes(), crc);
  }
  numbers(data.x);
  numbers(data.y);
  numbers(data.weight);
  return crc;
}

class OneBlock final : public RowBlocks {
 public:
  explicit OneBlock(const Rows& data) : data_(data) { data_.check(); }
  std::int64_t blocks() const override { return 1; }
  std::int64_t rows_of(std::int64_t) const override { return data_.size(); }
  Rows block(std::int64_t) const override { return data_; }

 private:
  Rows data_;
};

// One of the two parts of a split. Blocks of which it has no row are none of its own.
class PartOfBlocks final : public RowBlocks {
 public:
  PartOfBlocks(SharedBlocks data, double fraction, std::uint64_t seed, bool validation)
      : data_(std::move(data)), fraction_(fraction), seed_(seed), validation_(validation) {
    std::int64_t begin = 0;
    for (std::int64_t b = 0; b < data_->blocks(); ++b) {
      const std::int64_t end = begin + data_->rows_of(b);
      const std::int64_t aside = before(end) - before(begin);
      const std::int64_t rows = validation_ ? aside : end - begin - aside;
      if (rows > 0) blocks_.push_back({b, aside, rows});
      begin = end;
    }
  }
  std::int64_t blocks() const override { return std::ssize(blocks_); }
  std::int64_t rows_of(std::int64_t block) const override { return blocks_[static_cast<std::size_t>(block)].rows; }
  Rows block(std::int64_t block) const override {
    const Block& of = blocks_[static_cast<std::size_t>(block)];
    const Rows rows = data_->block(of.number);
    const DrawnRows drawn = draw_rows(rows.size(), of.aside, seed_, stream_of_block(stream_of("split"), of.number));
    return rows.take(validation_ ? drawn.drawn : drawn.others);
  }
  std::uint32_t fingerprint() const override {
    return crc_of(crc_of(crc_of(data_->fingerprint(), fraction_), seed_), validation_);
  }

 private:
  struct Block {
    std::int64_t number;  // in the data
    std::int64_t aside;   // rows to validate with
    std::int64_t rows;    // of this part
  };

  // How many of the first rows are to validate with.
  std::int64_t before(std::int64_t rows) const { return std::llround(fraction_ * static_cast<double>(rows)); }

  SharedBlocks data_;
  double fraction_;
  std::uint64_t seed_;
  bool validation_;
  std::vector<Block> blocks_;
};

class JoinedBlocks final : public RowBlocks {
 public:
  explicit JoinedBlocks(std::vector<SharedBlocks> parts) : parts_(std::move(parts)) {
    for (const SharedBlocks& part : parts_)
      for (std::int64_t b = 0; b < part->blocks(); ++b) blocks_.emplace_back(part.get(), b);
  }
  std::int64_t blocks() const override { return std::ssize(blocks_); }
  std::int64_t rows_of(std::int64_t block) const override {
    const auto& [part, number] = blocks_[static_cast<std::size_t>(block)];
    return part->rows_of(number);
  }
  Rows block(std::int64_t block) const override {
    const auto& [part, number] = blocks_[static_cast<std::size_t>(block)];
    return part->block(number);
  }
  std::uint32_t fingerprint() const override {
    std::uint32_t crc = 0;
    for (const SharedBlocks& part : parts_) crc = crc_of(crc, part->fingerprint());
    return crc;
  }

 private:
  std::vector<SharedBlocks> parts_;
  std::vector<std::pair<const RowBlocks*, std::int64_t>> blocks_;
};

class ChangedBlocks final : public RowBlocks {
 public:
  ChangedBlocks(SharedBlocks data, std::function<Rows(Rows)> change)
      : data_(std::move(data)), change_(std::move(change)) {}
  std::int64_t blocks() const override { return data_->blocks(); }
  std::int64_t rows_of(std::int64_t block) const override { return data_->rows_of(block); }
  Rows block(std::int64_t block) const override { return change_(data_->block(block)); }
  std::uint32_t fingerprint() const override { return data_->fingerprint(); }

 private:
  SharedBlocks data_;
  std::function<Rows(Rows)> change_;
};

}  // namespace

std::uint64_t stream_of_block(std::uint64_t stream, std::int64_t block) {
  return stream + 0x9e3779b97f4a7c15U * static_cast<std::uint64_t>(block);
}

std::int64_t RowBlocks::size() const {
  std::int64_t rows = 0;
  for (std::int64_t b = 0; b < blocks(); ++b) rows += rows_of(b);
  return rows;
}

std::uint32_t RowBlocks::fingerprint() const {
  std::uint32_t crc = 0;
  for (std::int64_t b = 0; b < blocks(); ++b) crc = crc_of(crc, block(b));
  return crc;
}

SharedBlocks in_one_block(const Rows& data) { return std::make_shared<OneBlock>(data); }

SplitBlocks split(const SharedBlocks& data, double fraction, std::uint64_t seed) {
  check_split(data->size(), fraction);
  return {std::make_shared<PartOfBlocks>(data, fraction, seed, false),
          std::make_shared<PartOfBlocks>(data, fraction, seed, true)};
}

SharedBlocks joined(std::vector<SharedBlocks> parts) { return std::make_shared<JoinedBlocks>(std::move(parts)); }

SharedBlocks changed(SharedBlocks data, std::function<Rows(Rows)> change) {
  return std::make_shared<ChangedBlocks>(std::move(data), std::move(change));
}

}  // namespace gradus
