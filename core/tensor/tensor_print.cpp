// Tensors as NumPy 2.4 prints them (numpy/_core/arrayprint.py with its default options): floats by the fewest
// digits that tell them apart, at most 8 after the point, all in one form; lines of 75 characters; the first and
// last 3 of each axis where a tensor has more than 1000 elements. Two steps: every element that is shown becomes
// a word, all of one width; then the words are laid out in brackets.
#include <gradus/core/tensor/tensor.h>

#include <gradus/core/tensor/string_formatter.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>
#include <ostream>
#include <vector>

namespace gradus {

namespace {

constexpr std::size_t precision = 8;
constexpr std::size_t line_width = 75;
constexpr std::int64_t threshold = 1000;  // elements; beyond it a tensor is elided
constexpr std::int64_t edge_items = 3;
constexpr std::int64_t sparse_threshold = 50;  // non-zeros; SciPy's

// Of n along an axis: how many are shown at either end. All are shown in the trailing half if none is left out.
struct Ends {
  Ends(std::int64_t n, bool elide, std::int64_t edge)
      : leading(elide && n > 2 * edge ? edge : 0), trailing(leading > 0 ? edge : n) {}

  template <class F>
  void for_each(std::int64_t n, F&& f) const {
    for (std::int64_t i = 0; i < leading; ++i) f(i);
    for (std::int64_t i = n - trailing; i < n; ++i) f(i);
  }

  std::int64_t leading;
  std::int64_t trailing;
};

void tile(std::string& text, char last = ' ') { text.erase(text.find_last_not_of(last) + 1); }

// A finite number as decimal digits d.ddd times ten to the exponent.
struct Decimal {
  bool negative = false;
  std::string digits;
  int exponent = 0;

  std::string sign() const { return negative ? "-" : ""; }
  std::size_t fraction_digits() const {  // written without an exponent
    const int n = static_cast<int>(digits.size()) - 1 - exponent;
    return n > 0 && digits != "0" ? static_cast<std::size_t>(n) : 0;
  }
};

Decimal parse_scientific(std::string_view text) {
  Decimal out;
  out.negative = text.front() == '-';
  const std::size_t e = text.find('e');
  for (const char c : text.substr(0, e))
    if (c >= '0' && c <= '9') out.digits += c;
  const char* const begin = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(begin, text.data() + text.size(), out.exponent);
  return out;
}

// The fewest digits that read back as the same T.
template <class T>
Decimal shortest(T value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  return parse_scientific({text, static_cast<std::size_t>(end - text)});
}

// Rounded, from the exact value, to so many digits after the point of d.ddd.
template <class T>
Decimal rounded(T value, std::size_t fraction) {
  return parse_scientific(fmt::format("{:.{}e}", static_cast<double>(value), fraction));
}

struct Parts {
  std::string whole;  // with its sign
  std::string fraction;
};

// Without an exponent.
Parts positional(const Decimal& decimal) {
  if (decimal.exponent < 0)
    return {decimal.sign() + "0",
            decimal.digits == "0" ? ""
                                  : std::string(static_cast<std::size_t>(-decimal.exponent - 1), '0') + decimal.digits};
  const std::size_t whole = static_cast<std::size_t>(decimal.exponent) + 1;
  std::string digits = decimal.digits;
  if (digits.size() < whole) digits.resize(whole, '0');
  return {decimal.sign() + digits.substr(0, whole), digits == "0" ? "" : digits.substr(whole)};
}

template <class T>
Parts rounded_positional(T value) {
  const Decimal decimal = shortest(value);
  if (decimal.fraction_digits() <= precision) return positional(decimal);
  const std::string text = fmt::format("{:.{}f}", static_cast<double>(value), precision);
  const std::size_t point = text.find('.');
  const std::size_t end = text.find_last_not_of('0') + 1;
  return {text.substr(0, point), text.substr(point + 1, end - point - 1)};
}

template <class T>
std::string not_finite(T value) {
  return std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
}

// Where NumPy turns to exponents: ten to the number of digits that a T is sure to hold.
template <class T>
constexpr double exponent_from = sizeof(T) == 4 ? 1e6 : 1e8;
template <class T>
constexpr double scalar_exponent_from = sizeof(T) == 4 ? 1e6 : 1e16;

// A scalar has all its digits.
template <class T>
std::string scalar_word(T value) {
  if constexpr (std::same_as<T, bool>) {
    return value ? "True" : "False";
  } else if constexpr (std::integral<T>) {
    return fmt::format("{}", value);
  } else {
    if (!std::isfinite(value)) return not_finite(value);
    const double size = std::abs(static_cast<double>(value));
    const Decimal decimal = shortest(value);
    if (size == 0 || (size >= 1e-4 && size < scalar_exponent_from<T>)) {
      const auto [whole, fraction] = positional(decimal);
      return whole + "." + (fraction.empty() ? "0" : fraction);
    }
    return fmt::format("{}{}{}{}e{:+03}", decimal.sign(), decimal.digits[0], decimal.digits.size() > 1 ? "." : "",
                       decimal.digits.substr(1), decimal.exponent);
  }
}

// Whether floats of these sizes are written with exponents. NumPy compares in the tensor's own dtype.
template <class T>
bool wants_exponents(const std::vector<T>& values) {
  T largest = 0;
  T smallest = std::numeric_limits<T>::infinity();
  for (const T value : values) {
    if (value == 0 || !std::isfinite(value)) continue;
    largest = std::max(largest, std::abs(value));
    smallest = std::min(smallest, std::abs(value));
  }
  if (largest == 0) return false;
  return largest >= T{exponent_from<T>} || smallest < static_cast<T>(0.0001) || largest / smallest > T{1000};
}

// The words of floats: whole parts aligned to the right, then the point, then fractions aligned to the left; with
// exponents, all fractions are as long as the longest.
template <class T>
std::vector<std::string> float_words(const std::vector<T>& values) {
  const bool exponents = wants_exponents(values);
  std::vector<Parts> parts(values.size());
  std::size_t whole = 0;
  std::size_t fraction = 0;
  std::size_t exponent_digits = 2;
  bool all_finite = true;
  bool negative_infinity = false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      all_finite = false;
      negative_infinity |= values[i] < 0;
      continue;
    }
    if (exponents) {
      Decimal decimal = shortest(values[i]);
      if (decimal.digits.size() > precision + 1) decimal = rounded(values[i], precision);
      parts[i] = {decimal.sign() + decimal.digits[0], decimal.digits.substr(1)};
      tile(parts[i].fraction, '0');
      if (std::abs(decimal.exponent) > 99) exponent_digits = 3;
    } else {
      parts[i] = rounded_positional(values[i]);
    }
    whole = std::max(whole, parts[i].whole.size());
    fraction = std::max(fraction, parts[i].fraction.size());
  }
  const std::size_t after_whole = 1 + fraction + (exponents ? 2 + exponent_digits : 0);
  std::size_t width = whole + after_whole;
  if (!all_finite) width = std::max<std::size_t>(width, negative_infinity ? 4 : 3);

  std::vector<std::string> words(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      words[i] = fmt::format("{:>{}}", not_finite(values[i]), width);
    } else if (exponents) {
      // NumPy does not fill up with zeros here: it goes on to write the digits of the exact value.
      const Decimal decimal = rounded(values[i], fraction);
      words[i] = fmt::format("{:>{}}.{}e{:+0{}}", decimal.sign() + decimal.digits[0], width - after_whole,
                             decimal.digits.substr(1), decimal.exponent, exponent_digits + 1);
    } else {
      words[i] = fmt::format("{:>{}}.{:<{}}", parts[i].whole, width - after_whole, parts[i].fraction, fraction);
    }
  }
  return words;
}

// The words of some elements of a tensor, all of one width.
template <class T>
std::vector<std::string> words_of(const std::vector<T>& values) {
  if constexpr (std::floating_point<T>) return float_words(values);
  std::vector<std::string> words;
  std::size_t width = 0;
  for (const T value : values) {
    words.push_back(scalar_word(value));
    // A bool is as wide as False, whether there is one or not.
    width = std::max(width, std::same_as<T, bool> ? 5 : words.back().size());
  }
  for (std::string& word : words) word.insert(0, width - word.size(), ' ');
  return words;
}

// The shown elements of a row-major tensor, and their words in brackets.
class Brackets {
 public:
  Brackets(const Shape& shape, bool elide) : shape_(shape), elide_(elide), strides_(row_major_strides(shape)) {}

  template <class T>
  void choose_words(const T* values) {
    std::vector<T> shown;
    collect(values, 0, shown);
    words_ = words_of(shown);
  }

  Ends ends(int axis) const { return {shape_[axis], elide_, edge_items}; }

  // The next element along `axis` and those inside it; lines after the first begin with `indent`.
  std::string next(int axis, const std::string& indent, std::size_t width) {
    if (axis == shape_.rank()) return words_[next_word_++];
    const std::int64_t n = shape_[axis];
    if (n == 0) return "[]";
    const Ends shown = ends(axis);
    const bool last_axis = axis == shape_.rank() - 1;
    const std::string between = last_axis ? " " : std::string(static_cast<std::size_t>(shape_.rank() - 1 - axis), '\n');
    std::string out;
    std::string line = indent;
    const auto extend = [&](const std::string& word) {
      // A word that is alone on its line stays there, too long or not.
      if (last_axis && line.size() + word.size() > width - 1 && line.size() > indent.size()) {
        tile(line);
        out += line + "\n";
        line = indent;
      }
      line += word;
    };
    const auto separate = [&] {
      line += between;
      if (!last_axis) line += indent;
    };
    shown.for_each(n, [&](std::int64_t i) {
      if (shown.leading > 0 && i == n - shown.trailing) {
        extend("...");
        separate();
      }
      extend(next(axis + 1, indent + " ", width - 1));
      if (i < n - 1) separate();
    });
    out += line;
    return fmt::format("[{}]", out.substr(indent.size()));
  }

 private:
  template <class T>
  void collect(const T* values, int axis, std::vector<T>& shown) const {
    if (axis == shape_.rank()) {
      shown.push_back(*values);
      return;
    }
    ends(axis).for_each(shape_[axis], [&](std::int64_t i) {
      collect(values + i * strides_[static_cast<std::size_t>(axis)], axis + 1, shown);
    });
  }

  Shape shape_;
  bool elide_;
  std::array<std::int64_t, Shape::max_rank> strides_;
  std::vector<std::string> words_;
  std::size_t next_word_ = 0;
};

// "csr [7, 16], 40 non-zeros" and then a line for each: its row and column, and the value.
template <class T>
std::string csr_text(const Tensor& tensor) {
  const CsrPattern& pattern = *tensor.pattern();
  const std::span<const T> values = tensor.span<T>();
  const std::int64_t n = tensor.stored();
  const Ends shown(n, n > sparse_threshold, sparse_threshold / 2);
  std::vector<T> chosen;
  std::vector<std::string> places;
  std::size_t width = 0;
  shown.for_each(n, [&](std::int64_t p) {
    chosen.push_back(values[static_cast<std::size_t>(p)]);
    const auto row =
        std::upper_bound(pattern.row_start.begin(), pattern.row_start.end(), p) - pattern.row_start.begin() - 1;
    places.push_back(fmt::format("({}, {})", row, pattern.column[static_cast<std::size_t>(p)]));
    width = std::max(width, places.back().size());
  });
  const std::vector<std::string> words = words_of(chosen);
  std::string out = fmt::format("csr {}, {} non-zero{}", tensor.shape(), n, n == 1 ? "" : "s");
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (shown.leading > 0 && i == static_cast<std::size_t>(shown.leading)) out += "\n  :";
    std::string line = fmt::format("\n  {:<{}}  {}", places[i], width, words[i]);
    tile(line);
    out += line;
  }
  return out;
}

// "rows [1000, 4], 2 rows held" and then each: its number, and the row.
template <class T>
std::string rows_text(const Tensor& tensor) {
  const std::vector<Index>& row = tensor.index()->row;
  const std::int64_t n = tensor.index()->count();
  Brackets brackets(tensor.shape().with(0, n), tensor.stored() > threshold);
  std::string out =
      fmt::format("{} {}, {} row{} held", to_string(tensor.layout()), tensor.shape(), n, n == 1 ? "" : "s");
  if (n == 0) return out;
  brackets.choose_words(tensor.span<T>().data());
  const std::size_t width = std::to_string(row.back()).size() + 2;  // they ascend: the last is the longest
  const Ends shown = brackets.ends(0);
  shown.for_each(n, [&](std::int64_t i) {
    if (shown.leading > 0 && i == n - shown.trailing) out += "\n  :";
    std::string line = fmt::format("\n  {:<{}}  {}", fmt::format("({})", row[static_cast<std::size_t>(i)]), width,
                                   brackets.next(1, std::string(width + 5, ' '), line_width));
    tile(line);
    out += line;
  });
  return out;
}

}  // namespace

std::string to_string(const Tensor& tensor) {
  return dispatch(tensor.dtype(), [&](auto tag) -> std::string {
    using T = typename decltype(tag)::type;
    if (tensor.layout() == Layout::csr) return csr_text<T>(tensor);
    if (tensor.layout() != Layout::dense) return rows_text<T>(tensor);
    if (tensor.rank() == 0) return scalar_word(tensor.span<T>()[0]);
    if (tensor.size() == 0) return "[]";
    Brackets brackets(tensor.shape(), tensor.size() > threshold);
    brackets.choose_words(tensor.span<T>().data());
    return brackets.next(0, " ", line_width);
  });
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << to_string(tensor); }

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }

template struct StringFormatter<Tensor>;
template struct StringFormatter<Shape>;
template struct StringFormatter<Type>;
template struct StringFormatter<DType>;

}  // namespace gradus
