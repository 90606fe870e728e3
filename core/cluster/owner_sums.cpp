#include <gradus/core/cluster/owner_sums.h>

#include <gradus/core/at.h>
#include <gradus/core/error.h>
#include <gradus/core/give_back_memory.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>

namespace gradus {

namespace {

std::int64_t numbers_in_row(const Tensor& rows) {
  std::int64_t size = 1;
  for (int axis = 1; axis < rows.rank(); ++axis) size *= rows.dim(axis);
  return size;
}

// The C library keeps what it is given back; what slices leave must go before there is as much of their sums.
constexpr std::size_t slices_kept = 4;

// Of tensors whose index is that of an earlier one, or says the same.
bool have_same_index(const Tensor& a, const Tensor& b) {
  return a.index() == b.index() || a.index()->row == b.index()->row;
}

}  // namespace

std::size_t RowSlices::of(Index row) const {
  return static_cast<std::size_t>(std::upper_bound(begin.begin(), begin.end(), row) - begin.begin());
}

// Which rows of an index each part has, and their numbers at the owner.
struct OwnerSums::Split {
  std::size_t of;                    // the first sum of this index
  std::vector<std::size_t> begin{};  // by part, and the end
  std::vector<std::uint32_t> place{};
  std::vector<std::shared_ptr<RowIndex>> index{};

  Split(std::size_t number, const Given& given, const RowOwners& owners) : of(number) {
    const std::vector<Index>& row = given.rows.index()->row;
    const auto ranks = at(owners.ranks);
    const std::size_t parts = given.slices->count() * ranks;
    for (std::size_t p = 0; p < parts; ++p) index.push_back(std::make_shared<RowIndex>());
    std::vector<std::uint32_t> part;
    part.reserve(row.size());
    begin.resize(parts + 1, 0);
    for (const Index each : row) {
      const Index in_table = given.named != nullptr ? given.named->row.at(at(each)) : each;
      part.push_back(static_cast<std::uint32_t>(given.slices->of(in_table) * ranks + at(in_table % owners.ranks)));
      ++begin[part.back() + 1];
    }
    for (std::size_t p = 0; p < parts; ++p) {
      index[p]->row.reserve(begin[p + 1]);
      begin[p + 1] += begin[p];
    }
    place.resize(row.size());
    std::vector<std::size_t> next(begin.begin(), begin.end() - 1);
    for (std::size_t i = 0; i < row.size(); ++i) {
      const Index in_table = given.named != nullptr ? given.named->row[at(row[i])] : row[i];
      place[next[part[i]]++] = static_cast<std::uint32_t>(i);
      index[part[i]]->row.push_back(static_cast<Index>(owners.here(in_table)));
    }
  }

  // The rows of a part, times a factor.
  Tensor rows_of(std::size_t p, const Tensor& sum, std::optional<double> factor) const {
    Tensor out = Tensor::uninitialized({sum.dtype(), sum.shape().with(0, index[p]->count()), Layout::dense});
    const std::size_t width = at(numbers_in_row(sum)), bytes = width * size_of(sum.dtype());
    const std::span<const std::uint32_t> places = std::span(place).subspan(begin[p], begin[p + 1] - begin[p]);
    if (bytes == 0 || places.empty()) return out;
    std::byte* to = out.writable_data();
    if (!factor) {
      for (const std::uint32_t each : places) {
        std::memcpy(to, sum.data() + each * bytes, bytes);
        to += bytes;
      }
      return out;
    }
    dispatch_floating(sum.dtype(), [&]<class T>(TypeTag<T>) {
      const T by = static_cast<T>(*factor);
      const T* const from = sum.span<T>().data();
      T* numbers = out.writable<T>().data();
      for (const std::uint32_t each : places)
        for (std::size_t j = 0; j < width; ++j) *numbers++ = from[each * width + j] * by;
    });
    return out;
  }
};

OwnerSums::OwnerSums(std::int64_t pieces, const RowOwners& owners, std::size_t slices, bool apart) : owners_(owners) {
  PieceSums part(pieces);
  if (apart) part.keep_apart();
  parts_.assign(slices, std::vector<PieceSums>(at(owners.ranks), part));
}

void OwnerSums::add(std::int64_t piece, std::span<const Given> given) {
  std::deque<Split> splits;
  std::vector<const Split*> split_of;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto same = std::find_if(splits.begin(), splits.end(), [&](const Split& each) {
      const Given& other = given[each.of];
      return other.named == given[i].named && other.slices == given[i].slices &&
             have_same_index(other.rows, given[i].rows);
    });
    split_of.push_back(same != splits.end() ? &*same : &splits.emplace_back(i, given[i], owners_));
  }
  // One part after the other, so that there is no copy of all.
  for (std::size_t slice = 0; slice < parts_.size(); ++slice) {
    for (std::size_t owner = 0; owner < parts_[slice].size(); ++owner) {
      const std::size_t p = slice * parts_[slice].size() + owner;
      std::vector<Tensor> part;
      for (std::size_t i = 0; i < given.size(); ++i) {
        const Tensor& sum = given[i].rows;
        const std::int64_t rows =
            RowOwners::count(given[i].table_rows, static_cast<std::int64_t>(owner), owners_.ranks);
        part.push_back(Tensor::rows(sum.shape().with(0, rows), split_of[i]->index[p],
                                    split_of[i]->rows_of(p, sum, given[i].factor)));
      }
      parts_[slice][owner].add(piece, std::move(part));
    }
  }
}

namespace {

// Sums of one slice after the other, in memory for all of them: so many rows, or more where they are more.
class Slices {
 public:
  explicit Slices(std::span<const std::int64_t> rows) : rows_(rows) {}

  void add(std::vector<Tensor> slice) {
    sums_.resize(slice.size());
    for (std::size_t i = 0; i < slice.size(); ++i) {
      Sum& sum = sums_[i];
      const std::int64_t held = sum.held + slice[i].index()->count();
      if (sum.index == nullptr || held > sum.all.dim(0)) {
        const std::int64_t expected = i < rows_.size() ? rows_[i] : 0;
        Tensor larger = Tensor::uninitialized(
            {slice[i].dtype(), slice[i].shape().with(0, std::max(expected, held + held / 2)), Layout::dense});
        if (sum.bytes > 0) std::memcpy(larger.writable_data(), sum.all.data(), sum.bytes);
        sum.all = std::move(larger);
      }
      if (sum.index == nullptr) {
        sum.index = std::make_shared<RowIndex>();
        sum.shape = slice[i].shape();
        sum.same_as = i;
        for (std::size_t j = 0; j < i && sum.same_as == i; ++j)
          if (slice[j].index() == slice[i].index()) sum.same_as = j;
      }
      const std::size_t bytes = at(slice[i].stored()) * size_of(slice[i].dtype());
      if (bytes > 0) std::memcpy(sum.all.writable_data() + sum.bytes, slice[i].data(), bytes);
      sum.bytes += bytes;
      sum.held = held;
    }
    for (std::size_t i = 0; i < slice.size(); ++i) {
      const std::vector<Index>& row = slice[i].index()->row;
      if (sums_[i].same_as == i) sums_[i].index->row.insert(sums_[i].index->row.end(), row.begin(), row.end());
    }
  }

  std::vector<Tensor> all() {
    std::vector<Tensor> out;
    for (const Sum& sum : sums_) {
      const std::shared_ptr<RowIndex>& index = sums_[sum.same_as].index;
      out.push_back(Tensor::rows(sum.shape, index, sum.all.row_range(0, index->count())));
    }
    return out;
  }

 private:
  struct Sum {
    Tensor all{};
    std::int64_t held = 0;    // rows,
    std::size_t bytes = 0;    // and as bytes
    std::size_t same_as = 0;  // the first sum of the same rows
    Shape shape{};
    std::shared_ptr<RowIndex> index{};
  };
  std::span<const std::int64_t> rows_;
  std::vector<Sum> sums_{};
};

}  // namespace

std::vector<Tensor> OwnerSums::exchanged(Communicator& ranks, std::string_view step,
                                         std::span<const std::int64_t> rows) {
  Slices all(rows);
  std::size_t number = 0;
  for (std::vector<PieceSums>& slice : parts_) {
    std::vector<std::vector<std::byte>> for_owners;
    for (int r = 0; r < owners_.ranks; ++r) {
      slice[at(r)].join();
      for_owners.push_back(r == owners_.rank ? std::vector<std::byte>() : slice[at(r)].to_bytes());
      if (r != owners_.rank) slice[at(r)] = PieceSums(0);
    }
    PieceSums own = std::exchange(slice[at(owners_.rank)], PieceSums(0));
    const auto theirs = ranks.all_to_all(step, std::move(for_owners));
    for (int r = 0; r < owners_.ranks; ++r) {
      if (r != owners_.rank) own.add_bytes(theirs[at(r)]);
      ranks.release(r);
    }
    if (parts_.size() == 1) return own.total();
    all.add(own.total());
    if (++number % slices_kept == 0) give_back_memory();
  }
  return all.all();
}

}  // namespace gradus
