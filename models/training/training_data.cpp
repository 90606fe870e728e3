#include <gradus/models/training/training_data.h>

#include <gradus/core/error.h>
#include <gradus/core/give_back_memory.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/data/detail/cache_reader.h>
#include <gradus/models/data/detail/column_tally.h>
#include <gradus/models/data/detail/number_text.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <new>
#include <utility>

namespace gradus {

namespace {

constexpr std::int64_t block_rows = std::int64_t{1} << 15;

// Rows put together from blocks. Each part is one allocation that doubles, so that memory is needed for a part twice,
// not for all of them; the values of one-hot rows are made at the end.
template <class T>
class GrowingRows {
 public:
  void add(const Rows& block) {
    const CsrPattern& pattern = *block.x.pattern();
    const std::int64_t before = row_start_.back();
    for (std::size_t row = 1; row < pattern.row_start.size(); ++row)
      row_start_.push_back(before + pattern.row_start[row]);
    if (!block.x.ones() && value_.empty()) value_.resize(static_cast<std::size_t>(before), T{1});
    column_.insert(column_.end(), pattern.column.begin(), pattern.column.end());
    if (!block.x.ones() || !value_.empty()) append(value_, block.x);
    append(y_, block.y);
    append(weight_, block.weight);
    columns_ = std::max(columns_, pattern.columns);
  }

  Rows rows() {
    const auto pattern = std::make_shared<CsrPattern>();
    pattern->rows = static_cast<std::int64_t>(row_start_.size()) - 1;
    pattern->columns = columns_;
    const std::int64_t non_zeros = row_start_.back();
    pattern->row_start = std::move(row_start_);
    pattern->set_column(std::move(column_));
    const bool ones = value_.empty();
    const Tensor values =
        ones ? gradus::ones({non_zeros}, dtype_of<T>) : on(std::move(value_), {non_zeros});  // [non-zeros]
    const auto n = static_cast<std::int64_t>(pattern->rows);
    return {Tensor::csr(pattern, values), y_.empty() ? Tensor() : on(std::move(y_), {n, 1}),
            weight_.empty() ? Tensor() : on(std::move(weight_), {n, 1})};
  }

 private:
  static void append(std::vector<T>& to, const Tensor& from) {
    const auto numbers = from.span<T>();
    to.insert(to.end(), numbers.begin(), numbers.end());
  }
  // A tensor on the numbers of a vector.
  static Tensor on(std::vector<T> numbers, const Shape& shape) {
    const auto owner = std::make_shared<std::vector<T>>(std::move(numbers));
    return Tensor::on({dtype_of<T>, shape, Layout::dense}, {owner, reinterpret_cast<std::byte*>(owner->data())});
  }

  std::vector<std::int64_t> row_start_{0};
  std::vector<Index> column_;
  std::vector<T> value_;  // empty: ones
  std::vector<T> y_, weight_;
  std::int64_t columns_ = 0;
};

template <class T>
Rows all_rows(OpenedFile& opened, LoadedRows& about) {
  GrowingRows<T> rows;
  for (;;) {
    ReadRows block = opened.reader->next(block_rows);
    if (block.size() == 0) break;
    try {
      rows.add(block);
    } catch (const std::bad_alloc&) {
      fail<IoError>("{}: memory does not suffice to hold all rows", opened.reader->place());
    }
    about.columns = std::move(block.columns);
    about.findings = block.findings;
    about.kept.resize(block.kept.size());
    for (std::size_t k = 0; k < block.kept.size(); ++k) about.kept[k].append(block.kept[k]);
    add_counts(about.unseen, block.unseen);
    add_counts(about.missing, block.missing);
  }
  return rows.rows();
}

// The column that is most likely the target: by its name, else the last that is not nameless, and whose name does not
// say that it tells things apart or when something was; "" where there is none.
std::string likely_target(const std::vector<std::string>& columns) {
  constexpr std::array<std::string_view, 9> usual = {"target", "label",   "y",     "rating", "class",
                                                     "click",  "clicked", "stars", "score"};
  for (const std::string_view name : usual)
    for (const std::string& column : columns)
      if (std::equal(name.begin(), name.end(), column.begin(), column.end(),
                     [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); }))
        return column;
  const auto last = std::find_if(columns.rbegin(), columns.rend(), [](const std::string& name) {
    return !name.empty() && !names_things(name) && !names_time(name);
  });
  return last == columns.rend() ? "" : *last;
}

// A number for each row, from a file of one a line.
Tensor read_weights(const std::string& path, std::int64_t rows, DType dtype) {
  Input input(path);
  std::vector<double> weights;
  std::string_view rest = input.look(std::string_view::npos).text;
  for (std::int64_t line = 1; !rest.empty(); ++line) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view text = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (text.ends_with('\r')) text.remove_suffix(1);
    double weight = 0;
    if (!number_of(text, weight))
      fail<IoError>("{}:{}: {} {}", input.name(), line, in_quotes(text),
                    text.empty() ? "is empty; a weight is expected" : why_not_a_number<double>(text));
    if (weight < 0) fail<IoError>("{}:{}: {} is negative; weights are 0 or more", input.name(), line, in_quotes(text));
    weights.push_back(weight);
  }
  if (std::ssize(weights) != rows)
    fail<IoError>("{}: has {} weights but there are {} examples", input.name(), weights.size(), rows);
  return Tensor::from(weights, {rows, 1}).cast(dtype);
}

// The column that most likely says whose a row is.
std::string likely_user(const std::vector<std::string>& columns, const std::string& name) {
  for (const std::string& column : columns)
    if (names_people(column)) return column;
  fail<ValueError>("{}: no column's name says whose a row is; .split user:COLUMN names it", name);
}

// Finds the columns that the split goes by, and keeps them.
void find_split_columns(const DataFile& file, OpenedFile& opened, ReadOptions& read, Input& input) {
  const SplitBy by = file.split.by;
  if (by == SplitBy::random) return;
  const std::vector<std::string> columns = column_names(input, read);
  if (columns.empty())
    fail<ValueError>("{}: rows are to be split by {}, but columns of {} have no names", opened.name, to_string(by),
                     to_string(opened.format));
  if (by == SplitBy::time) {
    opened.time_column = file.split.column;
  } else {
    opened.user_column = file.split.column.empty() ? likely_user(columns, opened.name) : file.split.column;
    const auto time =
        std::find_if(columns.begin(), columns.end(), [](const auto& column) { return names_time(column); });
    if (by == SplitBy::leave_last_out && time != columns.end()) opened.time_column = *time;
  }
  for (const std::string* column : {&opened.user_column, &opened.time_column})
    if (!column->empty()) read.keep.push_back(*column);
}

// What was kept for the split, as its keys.
void take_split_keys(const OpenedFile& opened, LoadedRows& about) {
  about.user_column = opened.user_column;
  about.time_column = opened.time_column;
  if (!about.time_column.empty()) {
    about.keys.time = times_of(about.kept.back(), fmt::format("{}: column {}", about.name, about.time_column));
    about.kept.pop_back();
  }
  if (!about.user_column.empty()) {
    about.keys.user = about.kept.back().of_row();
    about.kept.pop_back();
  }
}

void refuse_columns(const DataFile& cache) {
  const ReadOptions& read = cache.read;
  if (!read.keep.empty() || cache.split.by != SplitBy::random)
    fail<ValueError>(
        "{}: is a cache, which keeps no column to split or group by; the file that it was made of has them",
        cache.path);
  if (!read.target.empty() || !read.categorical.empty() || !read.numeric.empty() || !read.ignored.empty() ||
      !read.weight.empty() || !read.multi.empty())
    fail<ValueError>("{}: columns are named, but those of a cache were chosen when it was made", cache.path);
}

void refuse_more(const DataFile& cache) {
  if (!cache.more.empty())
    fail<ValueError>("{}: is a cache, which is trained from alone; convert all files into one", cache.path);
}

}  // namespace

OpenedFile open_file(const DataFile& file) {
  if (is_data_cache(file.path)) {
    refuse_columns(file);
    refuse_more(file);
    return {file.path, Format::guess, {}, {}, {}, read_cache(file.path, file.read)};
  }
  std::vector<Input> inputs;
  inputs.emplace_back(file.path);
  for (const std::string& path : file.more) inputs.emplace_back(path);
  Input& input = inputs.front();
  ReadOptions read = file.read;
  OpenedFile out{input.name(), read.format, {}, {}, {}, {}};
  out.format = read.format = format_of(input, read);
  if (const auto& table = read.columns.table ? read.columns.table : read.extended) {
    const std::int64_t column = table->find(ColumnKind::target);
    if (column >= 0) out.target = table->columns()[static_cast<std::size_t>(column)].name;
  } else if (out.format == Format::csv || out.format == Format::tsv) {
    const std::vector<std::string> columns = column_names(input, read);
    if (read.target.empty() && read.need_target) read.target = likely_target(columns);
    if (read.target.empty() && read.need_target && !file.may_lack_target)
      fail<ValueError>(
          "{}: no column looks like a target: by their names they tell things apart, or when something was; .target "
          "names one, and .task ranking needs none where the rows say who took what",
          out.name);
    if (read.target.empty()) read.need_target = false;
    out.target = read.target;
  }
  find_split_columns(file, out, read, input);
  out.reader = open_rows(std::move(inputs), read);
  return out;
}

LoadedRows load_rows(const DataFile& file, std::int64_t stream_above) {
  LoadedRows out;
  if (is_data_cache(file.path)) {
    refuse_columns(file);
    refuse_more(file);
    const auto cache = std::make_shared<const FittedCache>(file.path, file.read);
    constexpr std::size_t mib = std::size_t{1} << 20;
    const auto size = static_cast<std::int64_t>((cache->cache().bytes() + mib - 1) / mib);
    if (size > stream_above) {
      out.name = file.path;
      out.columns = cache->cache().columns();
      out.streamed_mib = size;
      out.rows = cache;
      if (!file.weights.empty()) refuse_streamed(out, "a file of weights");
      return out;
    }
  }
  OpenedFile opened = open_file(file);
  out.name = opened.name;
  out.format = opened.format;
  out.target = opened.target;
  Rows rows = file.read.dtype == float64 ? all_rows<double>(opened, out) : all_rows<float>(opened, out);
  take_split_keys(opened, out);
  give_back_memory();
  if (!file.weights.empty()) {
    if (rows.weighted())
      fail<ValueError>("{}: has weights of its own, but {} has others; one of them is expected", out.name,
                       file.weights);
    rows.weight = read_weights(file.weights, rows.size(), file.read.dtype);  // [n, 1]
  }
  if (rows.y.size() == 0 && file.may_lack_target && rows.size() > 0)
    rows.y = ones({rows.size(), 1}, file.read.dtype);  // [n, 1]
  if (rows.y.size() == 0) fail<ValueError>("{}: has no targets", out.name);
  out.rows = in_one_block(rows);
  return out;
}

void refuse_streamed(const LoadedRows& about, std::string_view what) {
  if (about.streamed_mib > 0)
    fail<ValueError>("{}: is streamed, but {} needs all rows at once; .stream_above {} lets them all into memory",
                     about.name, what, about.streamed_mib);
}

void DataSummary::add(const Rows& rows) {
  columns = rows.x.dim(1);
  non_zeros += rows.x.stored();
  weighted = rows.weighted();
  if (ones && !rows.x.ones())
    dispatch_floating(rows.x.dtype(), [&]<class T>(TypeTag<T>) {
      const T* const values = reinterpret_cast<const T*>(rows.x.data());
      ones = std::all_of(values, values + rows.x.stored(), [](T value) { return value == 1; });
    });
  dispatch_floating(rows.y.dtype(), [&]<class T>(TypeTag<T>) {
    const std::span<const T> y = rows.y.span<T>();
    const std::span<const T> weight = weighted ? rows.weight.span<T>() : std::span<const T>();
    if (this->rows == 0 && !y.empty()) first = static_cast<double>(y.front());
    this->rows += std::ssize(y);
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto target = static_cast<double>(y[i]);
      const double w = weight.empty() ? 1 : static_cast<double>(weight[i]);
      target_sum += w * target;
      square_sum += w * (target - first) * (target - first);
      weight_sum += w;
      if (target >= 0 && target < most_classes && target == std::floor(target)) {
        class_sums.resize(std::max(class_sums.size(), static_cast<std::size_t>(target) + 1));
        class_sums[static_cast<std::size_t>(target)] += w;
      }
      least = std::min(least, target);
      greatest = std::max(greatest, target);
      only_one_two = only_one_two && (target == 1 || target == 2);
      (target == -1 ? has_minus : target == 0 ? has_zero : target == 1 ? has_one : has_other) = true;
    }
  });
}

TargetScale DataSummary::target_scale() const {
  if (weight_sum == 0) return {};
  const double mean = target_sum / weight_sum;
  const double variance = square_sum / weight_sum - (mean - first) * (mean - first);
  return {mean, least < greatest ? std::sqrt(std::max(variance, 0.0)) : 0};
}

TrainingSize DataSummary::size(const Relations* relations) const {
  TrainingSize out{static_cast<double>(rows), static_cast<double>(columns), static_cast<double>(non_zeros), ones};
  if (relations == nullptr) return out;
  out.features += static_cast<double>(relations->features());
  out.ones = false;
  // What a line has counts by its square: a hundred implicit columns of a tenth as one of 1.
  for (const RelationBlock& block : relations->blocks) {
    double squares = 0;
    for (const float x : block.lines.span<float>()) squares += static_cast<double>(x) * static_cast<double>(x);
    out.non_zeros += out.rows * squares / static_cast<double>(block.lines.dim(0));
  }
  return out;
}

DataSummary summary_of(const RowBlocks& rows) {
  DataSummary out;
  for (std::int64_t b = 0; b < rows.blocks(); ++b) out.add(rows.block(b));
  return out;
}

BinaryForm form_of_classes(const DataSummary& summary, const RowBlocks& rows, const std::string& name) {
  BinaryForm form = summary.has_zero ? BinaryForm::zero_one : summary.has_minus ? BinaryForm::signs : BinaryForm::ones;
  if (!summary.has_other && !(summary.has_zero && summary.has_minus)) return form;
  form = BinaryForm::ones;
  std::int64_t first_row = 1;
  for (std::int64_t b = 0; b < rows.blocks(); ++b) {
    form = binary_targets(rows.block(b).y, form, name, first_row).form;
    first_row += rows.rows_of(b);
  }
  return form;
}

}  // namespace gradus
