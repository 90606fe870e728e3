#include <gradus/models/data/movielens.h>

#include <gradus/core/error.h>
#include <gradus/models/data/detail/number_text.h>
#include <gradus/models/data/input.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string_view>

namespace gradus {

namespace {

struct Place {
  const std::string& path;
  std::int64_t line;
};

std::int64_t whole_number(std::string_view field, std::string_view name, std::int64_t least, std::int64_t greatest,
                          const Place& at) {
  std::int64_t value = 0;
  const char* const end = field.data() + field.size();
  const auto [rest, error] = std::from_chars(field.data(), end, value);
  if (error == std::errc::invalid_argument || rest != end)
    fail<IoError>("{}:{}: the {} is {}, which is not a whole number", at.path, at.line, name, in_quotes(field));
  if (error != std::errc() || value < least || value > greatest)
    fail<IoError>("{}:{}: the {} is {}; {} to {} is expected", at.path, at.line, name, in_quotes(field), least,
                  greatest);
  return value;
}

Rating parse(std::string_view line, const Place& at) {
  std::array<std::string_view, 4> field;
  std::size_t count = 0;
  for (std::size_t first = 0; first <= line.size(); ++count) {
    const std::size_t end = std::min(line.find('\t', first), line.size());
    if (count < field.size()) field[count] = line.substr(first, end - first);
    first = end + 1;
  }
  if (count != field.size())
    fail<IoError>("{}:{}: {} has {} field{}; user, item, rating and timestamp, separated by tabs, are expected",
                  at.path, at.line, in_quotes(line), count, count == 1 ? "" : "s");
  constexpr std::int64_t last_id = std::numeric_limits<std::int32_t>::max();
  return {static_cast<std::int32_t>(whole_number(field[0], "user", 1, last_id, at)),
          static_cast<std::int32_t>(whole_number(field[1], "item", 1, last_id, at)),
          static_cast<std::int32_t>(whole_number(field[2], "rating", 1, 5, at)),
          whole_number(field[3], "timestamp", 0, std::numeric_limits<std::int64_t>::max(), at)};
}

// The ids of one kind that occur, ascending: an id's place is its column.
class Dictionary {
 public:
  Dictionary(const std::vector<Rating>& ratings, std::int32_t Rating::*id) : id_(id) {
    for (const Rating& r : ratings) ids_.push_back(r.*id);
    std::sort(ids_.begin(), ids_.end());
    ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
  }

  std::int32_t size() const { return static_cast<std::int32_t>(ids_.size()); }
  /// The column, or -1.
  std::int32_t column(const Rating& rating) const {
    const auto found = std::lower_bound(ids_.begin(), ids_.end(), rating.*id_);
    return found != ids_.end() && *found == rating.*id_ ? static_cast<std::int32_t>(found - ids_.begin()) : -1;
  }
  /// How many ids of `other` are not here.
  std::int64_t lacks(const Dictionary& other) const {
    return std::count_if(other.ids_.begin(), other.ids_.end(),
                         [&](std::int32_t id) { return !std::binary_search(ids_.begin(), ids_.end(), id); });
  }

 private:
  std::int32_t Rating::*id_;
  std::vector<std::int32_t> ids_;
};

Tensor design(const std::vector<Rating>& ratings, const Dictionary& users, const Dictionary& items, DType dtype) {
  std::vector<std::int64_t> row_start{0};
  std::vector<std::int64_t> column;
  for (const Rating& r : ratings) {
    if (const auto user = users.column(r); user >= 0) column.push_back(user);
    if (const auto item = items.column(r); item >= 0) column.push_back(std::int64_t{users.size()} + item);
    row_start.push_back(static_cast<std::int64_t>(column.size()));
  }
  const std::vector<float> values(column.size(), 1);
  return Tensor::csr(static_cast<std::int64_t>(ratings.size()), std::int64_t{users.size()} + items.size(), row_start,
                     column, values)
      .cast(dtype);
}

Tensor targets(const std::vector<Rating>& ratings, DType dtype) {
  std::vector<std::int32_t> values;
  for (const Rating& r : ratings) values.push_back(r.rating);
  return Tensor::from(values, {static_cast<std::int64_t>(values.size()), 1}).cast(dtype);
}

}  // namespace

std::vector<Rating> read_ratings(const std::string& path) {
  Input input(path);
  std::vector<Rating> ratings;
  Place at{path, 0};
  for (std::string_view rest = input.look(std::string_view::npos).text; !rest.empty();) {
    ++at.line;
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ratings.push_back(parse(line, at));
  }
  if (ratings.empty()) fail<IoError>("{}: is empty; lines of user, item, rating and timestamp are expected", path);
  return ratings;
}

UserItemDesign one_hot_user_item(const std::vector<Rating>& train, const std::vector<Rating>& test, DType dtype) {
  if (train.empty()) fail<ValueError>("one_hot_user_item: the training set is empty");
  const Dictionary users(train, &Rating::user);
  const Dictionary items(train, &Rating::item);
  UserItemDesign out;
  out.x_train = design(train, users, items, dtype);  // csr [n, users + items]
  out.y_train = targets(train, dtype);               // [n, 1]
  out.x_test = design(test, users, items, dtype);    // csr [m, users + items]
  out.y_test = targets(test, dtype);                 // [m, 1]
  out.users = users.size();
  out.items = items.size();
  out.unseen_users = users.lacks(Dictionary(test, &Rating::user));
  out.unseen_items = items.lacks(Dictionary(test, &Rating::item));
  out.unseen_ratings = std::count_if(test.begin(), test.end(),
                                     [&](const Rating& r) { return users.column(r) < 0 || items.column(r) < 0; });
  return out;
}

}  // namespace gradus
