#include <gradus/models/data/pair_sampler.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/random.h>

#include <algorithm>
#include <utility>

namespace gradus {

namespace {

// A row in its two parts, each as the bytes of its columns and values.
struct Parts {
  std::string user;
  std::string item;
};

template <class T>
void add_entry(std::string& key, Index column, T value) {
  key.append(reinterpret_cast<const char*>(&column), sizeof column);
  key.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
void split(const CsrPattern& pattern, const T* values, std::int64_t row, const std::vector<bool>& of_item,
           Parts& parts) {
  parts.user.clear();
  parts.item.clear();
  const auto r = static_cast<std::size_t>(row);
  for (auto j = static_cast<std::size_t>(pattern.row_start[r]); j < static_cast<std::size_t>(pattern.row_start[r + 1]);
       ++j) {
    const Index column = pattern.column[j];
    add_entry(of_item[static_cast<std::size_t>(column)] ? parts.item : parts.user, column, values[j]);
  }
}

Index known_number(const std::unordered_map<std::string, Index>& known, const std::string& key) {
  const auto found = known.find(key);
  return found == known.end() ? -1 : found->second;
}

}  // namespace

PairSampler::PairSampler(const Rows& data, std::vector<bool> of_item, std::uint64_t seed)
    : of_item_(std::move(of_item)), seed_(seed), dtype_(data.x.dtype()) {
  check(data.x);
  const CsrPattern& pattern = *data.x.pattern();
  std::vector<std::int64_t> first_row;  // by user
  dispatch_floating(dtype_, [&]<class T>(TypeTag<T>) {
    const T* values = data.x.span<T>().data();
    Parts parts;
    for (std::int64_t row = 0; row < pattern.rows; ++row) {
      split(pattern, values, row, of_item_, parts);
      if (parts.item.empty()) fail<ValueError>("PairSampler: row {} has no column of an item", row);
      const auto [user, new_user] = user_.try_emplace(parts.user, static_cast<Index>(taken_.size()));
      if (new_user) {
        taken_.emplace_back();
        first_row.push_back(row);
      }
      const auto [item, new_item] = item_.try_emplace(parts.item, static_cast<Index>(items()));
      taken_[static_cast<std::size_t>(user->second)].push_back(item->second);
      if (!new_item) continue;
      for (auto j = static_cast<std::size_t>(pattern.row_start[static_cast<std::size_t>(row)]);
           j < static_cast<std::size_t>(pattern.row_start[static_cast<std::size_t>(row) + 1]); ++j) {
        if (!of_item_[static_cast<std::size_t>(pattern.column[j])]) continue;
        item_column_.push_back(pattern.column[j]);
        item_value_.push_back(static_cast<double>(values[j]));
      }
      item_start_.push_back(static_cast<std::int64_t>(item_column_.size()));
    }
  });
  for (std::size_t user = 0; user < taken_.size(); ++user) {
    std::vector<Index>& taken = taken_[user];
    std::sort(taken.begin(), taken.end());
    taken.erase(std::unique(taken.begin(), taken.end()), taken.end());
    if (static_cast<std::int64_t>(taken.size()) == items())
      fail<ValueError>(
          "PairSampler: the user of row {} has taken every item, of which there are {}; none is left to be "
          "ranked lower",
          first_row[user], items());
  }
}

void PairSampler::check(const Tensor& x) const {
  if (x.layout() != Layout::csr || x.dim(1) != static_cast<std::int64_t>(of_item_.size()) || x.dtype() != dtype_ ||
      !is_floating(dtype_))
    fail<TypeError>("PairSampler: x is {}; {} csr with {} columns, as many as of_item has, is expected", x.type(),
                    is_floating(dtype_) ? dtype_ : float32, of_item_.size());
}

// Draws until one is not taken; from the last draw on in order, where that takes long.
Index PairSampler::other_item(Index user, Index item, std::uint64_t stream, std::uint64_t row) const {
  constexpr std::uint32_t draws = 64;
  const auto is_taken = [&](Index i) {
    if (user < 0) return i == item;
    const std::vector<Index>& taken = taken_[static_cast<std::size_t>(user)];
    return std::binary_search(taken.begin(), taken.end(), i);
  };
  const auto count = static_cast<std::uint64_t>(items());
  const std::array<std::uint32_t, 2> key{static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)};
  Index drawn = 0;
  for (std::uint32_t draw = 0; draw < draws; ++draw) {
    const auto bits = philox({static_cast<std::uint32_t>(row), draw, static_cast<std::uint32_t>(stream),
                              static_cast<std::uint32_t>(stream >> 32)},
                             key);
    drawn = static_cast<Index>((static_cast<std::uint64_t>(bits[0]) * count) >> 32);
    if (!is_taken(drawn)) return drawn;
  }
  while (is_taken(drawn)) drawn = static_cast<Index>((drawn + 1) % items());
  return drawn;
}

template <class T>
Batch PairSampler::pairs_of(const Batch& batch) const {
  const CsrPattern& pattern = *batch.x.pattern();
  const T* values = batch.x.span<T>().data();
  // Of the epoch and the batch, apart from the streams that others draw from.
  const std::uint64_t stream = stream_of("pairs") + static_cast<std::uint64_t>(batch.epoch) * 0x9e3779b97f4a7c15U +
                               static_cast<std::uint64_t>(batch.number);
  auto to = std::make_shared<CsrPattern>();
  to->rows = 2 * pattern.rows;
  to->columns = pattern.columns;
  std::vector<Index> column;
  std::vector<T> value;
  Parts parts;
  for (std::int64_t row = 0; row < pattern.rows; ++row) {
    split(pattern, values, row, of_item_, parts);
    const Index user = known_number(user_, parts.user);
    const Index item = known_number(item_, parts.item);
    const auto drawn = static_cast<std::size_t>(other_item(user, item, stream, static_cast<std::uint64_t>(row)));
    const auto first = static_cast<std::size_t>(pattern.row_start[static_cast<std::size_t>(row)]);
    const auto last = static_cast<std::size_t>(pattern.row_start[static_cast<std::size_t>(row) + 1]);
    column.insert(column.end(), pattern.column.begin() + static_cast<std::ptrdiff_t>(first),
                  pattern.column.begin() + static_cast<std::ptrdiff_t>(last));
    value.insert(value.end(), values + first, values + last);
    to->row_start.push_back(static_cast<std::int64_t>(column.size()));
    // The user's part and the drawn item's, by column.
    auto next = static_cast<std::size_t>(item_start_[drawn]);
    const auto end = static_cast<std::size_t>(item_start_[drawn + 1]);
    const auto add_items_before = [&](Index bound) {
      for (; next < end && item_column_[next] < bound; ++next) {
        column.push_back(item_column_[next]);
        value.push_back(static_cast<T>(item_value_[next]));
      }
    };
    for (std::size_t j = first; j < last; ++j) {
      if (of_item_[static_cast<std::size_t>(pattern.column[j])]) continue;
      add_items_before(pattern.column[j]);
      column.push_back(pattern.column[j]);
      value.push_back(values[j]);
    }
    add_items_before(static_cast<Index>(pattern.columns));
    to->row_start.push_back(static_cast<std::int64_t>(column.size()));
  }
  to->set_column(std::move(column));

  Batch out;
  out.number = batch.number;
  out.epoch = batch.epoch;
  out.x = Tensor::csr(std::move(to), Tensor::from(value));
  out.y = Tensor::make<T>({2 * pattern.rows, 1}, [](std::span<T> y) {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = i % 2 == 0 ? T{1} : T{-1};
  });
  if (batch.weight.size() > 0)
    out.weight = Tensor::make<T>({2 * pattern.rows, 1}, [&](std::span<T> weight) {
      const Tensor given = batch.weight.cast(dtype_of<T>);
      for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = given.span<T>()[i / 2];
    });
  return out;
}

Batch PairSampler::pairs(const Batch& batch) const {
  check(batch.x);
  return dtype_ == float32 ? pairs_of<float>(batch) : pairs_of<double>(batch);
}

std::vector<Index> PairSampler::users_of(const Tensor& x) const {
  check(x);
  std::vector<Index> users;
  dispatch_floating(dtype_, [&]<class T>(TypeTag<T>) {
    Parts parts;
    for (std::int64_t row = 0; row < x.dim(0); ++row) {
      split(*x.pattern(), x.span<T>().data(), row, of_item_, parts);
      users.push_back(known_number(user_, parts.user));
    }
  });
  return users;
}

}  // namespace gradus
