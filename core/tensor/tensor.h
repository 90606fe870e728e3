// A tensor: numbers of one dtype in a shape and a layout. It is a cheap handle on shared, immutable storage;
// copying it copies no numbers. Layouts:
//   dense   row-major
//   csr     rank 2, a pattern of non-zeros and their values; what is not in the pattern is zero
//   rows    some rows (along axis 0) of a larger table; the other rows are zero. Gradients have it.
//   part    as rows, but the other rows are not zero: they are not said. Optimizers read variables so.
#pragma once

#include <gradus/core/tensor/buffer.h>
#include <gradus/core/tensor/dtype.h>
#include <gradus/core/tensor/number.h>
#include <gradus/core/tensor/shape.h>
#include <gradus/core/tensor/sparse.h>

#include <fmt/core.h>

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <iosfwd>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace gradus {

class Accelerator;
class Device;

enum class Layout : std::uint8_t { dense, csr, rows, part };

/// "dense", "csr", "rows" or "part".
std::string_view to_string(Layout layout);

/// What can be known of a tensor without its numbers.
struct Type {
  DType dtype = float32;
  Shape shape;
  Layout layout = Layout::dense;

  bool operator==(const Type&) const = default;
};

/// Whether values of the type hold some rows of a table.
inline bool holds_rows(const Type& type) { return type.layout == Layout::rows || type.layout == Layout::part; }

/// "float32 [7, 16]"; a layout other than dense is named: "float32 csr [?, 16]".
std::string to_string(const Type& type);

/// The element types a tensor can hold.
template <class T>
concept Element = std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int32_t> ||
    std::same_as<T, std::int64_t> || std::same_as<T, bool>;

/// What to do when a CSR row names a column twice.
enum class Duplicates : std::uint8_t { refuse, sum };

class Tensor {
 public:
  /// float32 [0]: no numbers.
  Tensor();

  /// A scalar: float32 from any number of C++, unless a dtype is named.
  template <class T>
  requires std::is_arithmetic_v<T> Tensor(
      T value, DType dtype = float32)  // NOLINT(google-explicit-constructor): feeds are written {x, 0.5}
      : Tensor(scalar(value, dtype)) {}
  /// A number, or a braced list of them nested as deeply as the tensor has axes.
  class Literal;
  /// Tensor({1, 2, 3}), Tensor({{1, 2}, {3, 4}}), and so on. Throws TypeError when lists differ in length.
  Tensor(std::initializer_list<Literal> values, DType dtype = float32);

  /// A scalar. Throws ValueError unless the number fits the dtype.
  static Tensor scalar(const Number& value, DType dtype);

  /// A copy of `values`, row-major, with T's dtype. Throws TypeError when shape.size() is another number.
  template <Element T>
  static Tensor from(std::span<const T> values, const Shape& shape);
  template <Element T>
  static Tensor from(const std::vector<T>& values, const Shape& shape);
  template <Element T>
  static Tensor from(const std::vector<T>& values) {
    return from(values, {static_cast<std::int64_t>(values.size())});
  }

  /// A dense tensor whose elements fill(span<T>) writes before anybody else can see it.
  template <Element T, class Fill>
  static Tensor make(const Shape& shape, Fill&& fill) {
    Tensor out = uninitialized({dtype_of<T>, shape, Layout::dense});
    fill(out.writable<T>());
    return out;
  }

  /// A CSR matrix [rows, columns]. Columns may come in any order within a row; Index is int32_t or int64_t.
  /// Throws ValueError, naming the row, when row_start is not monotone, a column lies outside the matrix, or a
  /// row names one twice (unless duplicates are to be summed).
  template <Element T, class I>
  static Tensor csr(std::int64_t rows, std::int64_t columns, std::span<const I> row_start, std::span<const I> column,
                    std::span<const T> values, Duplicates duplicates = Duplicates::refuse);
  template <Element T, class I>
  static Tensor csr(std::int64_t rows, std::int64_t columns, const std::vector<I>& row_start,
                    const std::vector<I>& column, const std::vector<T>& values,
                    Duplicates duplicates = Duplicates::refuse) {
    return csr(rows, columns, std::span<const I>(row_start), std::span<const I>(column), std::span<const T>(values),
               duplicates);
  }
  /// Values [non-zeros] (dense, rank 1) on a pattern that is already checked.
  static Tensor csr(std::shared_ptr<const CsrPattern> pattern, const Tensor& values);

  /// Rows `index` of a table of shape `shape`, their numbers in values [index.count(), shape[1], ...].
  static Tensor rows(const Shape& shape, std::shared_ptr<const RowIndex> index, const Tensor& values,
                     Layout layout = Layout::rows);

  const Type& type() const { return type_; }
  DType dtype() const { return type_.dtype; }
  const Shape& shape() const { return type_.shape; }
  Layout layout() const { return type_.layout; }
  int rank() const { return type_.shape.rank(); }
  std::int64_t dim(int axis) const;
  /// Elements of the shape, those that a sparse layout leaves out included.
  std::int64_t size() const { return type_.shape.size(); }
  /// Elements that are stored.
  std::int64_t stored() const { return stored_; }

  /// The stored elements: all of a dense tensor, the non-zeros of a CSR one, the rows held of a rows one.
  /// Throws TypeError when T is not the tensor's dtype.
  template <Element T>
  std::span<const T> span() const {
    check_dtype(dtype_of<T>);
    return {reinterpret_cast<const T*>(data()), static_cast<std::size_t>(stored_)};
  }
  /// Throws TypeError where the numbers lie on a device.
  const std::byte* data() const {
    if (accelerator_ != nullptr) refuse_to_read();
    return storage_.get();
  }

  /// The only element of a tensor that has one. Throws TypeError for any other size.
  double item() const;
  /// One element, by as many indices as there are axes; negative ones count from the end. Any layout.
  /// Throws ValueError for an index out of range.
  double at(std::initializer_list<std::int64_t> index) const;
  template <std::integral... I>
  double at(I... index) const {
    return at({static_cast<std::int64_t>(index)...});
  }

  /// The elements of a dense tensor as double, in row-major order.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = double;
    using difference_type = std::ptrdiff_t;
    using pointer = const double*;
    using reference = double;

    Iterator() = default;
    Iterator(const Tensor* tensor, std::int64_t position) : tensor_(tensor), position_(position) {}
    double operator*() const { return tensor_->stored_value(position_); }
    Iterator& operator++() {
      ++position_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++position_;
      return before;
    }
    bool operator==(const Iterator& other) const { return position_ == other.position_; }

   private:
    const Tensor* tensor_ = nullptr;
    std::int64_t position_ = 0;
  };
  Iterator begin() const;
  Iterator end() const { return {this, stored_}; }
  /// Stored element number `position`, as double.
  double stored_value(std::int64_t position) const;

  /// The same numbers in another dtype (as the op cast says), layout or shape.
  Tensor cast(DType dtype) const;
  Tensor to_dense() const;
  /// Throws TypeError unless the tensor is dense of rank 2 (or CSR already). Zeros are left out.
  Tensor to_csr() const;
  /// Shares storage. One dimension may be `any`: it is worked out. Throws TypeError when sizes differ.
  Tensor reshape(const Shape& shape) const;
  /// Rows first to first + count (along axis 0) of a dense or csr tensor. Shares storage, and the columns of a pattern.
  /// Throws TypeError for other layouts and scalars, ValueError when the tensor has not all of these rows.
  Tensor row_range(std::int64_t first, std::int64_t count) const;
  /// The stored elements, [stored()], as a dense tensor. Shares storage.
  Tensor values() const;

  /// The same tensor with its numbers in the device's memory (patterns and row indices stay on the host), or back on
  /// the CPU. What is there already is shared. On a device they are fed to sessions and not read.
  Tensor to(const Device& device) const;
  /// Where the numbers lie; null: on the host.
  const Accelerator* accelerator() const { return accelerator_; }
  /// The numbers wherever they lie.
  const std::byte* device_data() const { return storage_.get(); }
  /// Tells whether the storage is still there; until it is not, nothing else lies where its numbers do.
  std::weak_ptr<const void> watched() const { return storage_; }

  const std::shared_ptr<const CsrPattern>& pattern() const { return pattern_; }
  /// Of a csr tensor: whether all non-zeros are 1, as in one-hot rows. Plans then do without their values.
  bool ones() const { return ones_; }
  /// Of such a tensor: ones where `pattern` has its non-zeros. Shares storage, if there is as much.
  Tensor ones_at(std::shared_ptr<const CsrPattern> pattern) const;
  const std::shared_ptr<const RowIndex>& index() const { return index_; }

  /// Same type, same pattern or rows, and equal numbers (so never equal where there is a NaN).
  friend bool operator==(const Tensor& a, const Tensor& b);

  /// For those that make tensors: stored memory of a type (dense only), written before it is shared.
  static Tensor uninitialized(const Type& type);
  /// A dense tensor on memory that somebody made for it and that lives as long as it is shared; at least stored()
  /// elements, which do not change once the tensor is shared.
  static Tensor on(const Type& type, std::shared_ptr<std::byte> memory);
  template <Element T>
  std::span<T> writable() {
    check_dtype(dtype_of<T>);
    return {reinterpret_cast<T*>(storage_.get()), static_cast<std::size_t>(stored_)};
  }
  std::byte* writable_data() { return storage_.get(); }
  /// Whether this handle is the only one on its storage.
  bool unique() const { return storage_.use_count() == 1; }

 private:
  void check_dtype(DType asked) const;
  [[noreturn]] void refuse_to_read() const;

  Type type_;
  std::int64_t stored_ = 0;
  std::shared_ptr<std::byte> storage_;         // the first element, and a share of the memory it lies in
  std::shared_ptr<const CsrPattern> pattern_;  // csr only
  std::shared_ptr<const RowIndex> index_;      // rows and part only
  bool ones_ = false;
  const Accelerator* accelerator_ = nullptr;  // what storage_ keeps alive, where it is memory of a device
};

class Tensor::Literal {
 public:
  // NOLINTBEGIN(google-explicit-constructor)
  template <class T>
  requires std::is_arithmetic_v<T> Literal(T number) : number_(number) {}
  Literal(std::initializer_list<Literal> list) : is_list_(true), list_(list) {}
  // NOLINTEND(google-explicit-constructor)

  bool is_list() const { return is_list_; }
  const Number& number() const { return number_; }
  std::span<const Literal> list() const { return {list_.begin(), list_.size()}; }

 private:
  Number number_ = 0;
  bool is_list_ = false;
  std::initializer_list<Literal> list_;
};

/// Whether |a - b| <= atol + rtol * |b| for every element (NumPy's rule; b is the reference). Any layouts,
/// same shape; NaN is close to nothing.
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8);

/// The tensor as NumPy prints it: rounded to 8 digits, aligned, elided beyond 1000 elements.
std::string to_string(const Tensor& tensor);
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// What makes fmt print a T by its to_string, with a string's width and alignment.
template <class T>
struct StringFormatter : fmt::formatter<fmt::string_view> {
  auto format(const T& value, fmt::format_context& context) const -> fmt::format_context::iterator;
};

}  // namespace gradus

template <>
struct fmt::formatter<gradus::Tensor> : gradus::StringFormatter<gradus::Tensor> {};
template <>
struct fmt::formatter<gradus::Shape> : gradus::StringFormatter<gradus::Shape> {};
template <>
struct fmt::formatter<gradus::Type> : gradus::StringFormatter<gradus::Type> {};
template <>
struct fmt::formatter<gradus::DType> : gradus::StringFormatter<gradus::DType> {};
