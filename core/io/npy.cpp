// The format: "\x93NUMPY", major and minor version, the length of the header (2 bytes, from version 2 on 4),
// the header, which is a Python dict {'descr': '<f4', 'fortran_order': False, 'shape': (7, 16), }, the numbers.
// Source: numpy/lib/format.py.
#include <gradus/core/io/npy.h>

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/core/listed.h>

#include <fmt/format.h>
#include <zip.h>

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace gradus {

namespace {

static_assert(std::endian::native == std::endian::little, "files are little-endian and read as they are");

constexpr std::string_view magic("\x93NUMPY", 6);
constexpr std::size_t alignment = 64;  // of the numbers in the file
constexpr std::size_t npy_header_limit = 1 << 20;

constexpr std::string_view descriptions[dtype_count] = {"<f4", "<f8", "<i4", "<i8", "|b1"};

// Where the bytes of a .npy come from.
struct Source {
  std::string name;  // for errors
  std::uint64_t left;
  std::function<void(void*, std::size_t)> read;  // only of what is left

  void take(void* to, std::size_t bytes, std::string_view what) {
    if (bytes > left)
      fail<IoError>("{}: ends within its {}: {} bytes are needed but {} are left", name, what, bytes, left);
    read(to, bytes);
    left -= bytes;
  }
};

struct Header {
  DType dtype = float32;
  bool fortran_order = false;
  Shape shape;
};

// The header's dict, read strictly: three keys, each once.
class HeaderParser {
 public:
  HeaderParser(const std::string& name, std::string_view text) : name_(name), rest_(text) {}

  Header parse() {
    std::optional<std::string> description;
    std::optional<bool> fortran_order;
    std::optional<std::vector<std::int64_t>> dims;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !description) {
        description = quoted();
      } else if (key == "fortran_order" && !fortran_order) {
        fortran_order = boolean_word();
      } else if (key == "shape" && !dims) {
        dims = tuple();
      } else {
        malformed(fmt::format("key '{}' is not expected", key));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (!rest_.empty()) malformed("something follows the dict");
    if (!description || !fortran_order || !dims) malformed("one of 'descr', 'fortran_order' and 'shape' is missing");
    return {dtype_named(*description), *fortran_order, shape_of(*dims)};
  }

 private:
  [[noreturn]] void malformed(std::string_view what) const { fail<IoError>("{}: malformed header: {}", name_, what); }

  void skip_blanks() {
    const std::size_t n = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(n == std::string_view::npos ? rest_.size() : n);
  }
  bool accept(char c) {
    skip_blanks();
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (accept(c)) return;
    malformed(rest_.empty() ? fmt::format("it ends where '{}' is expected", c)
                            : fmt::format("'{}' stands where '{}' is expected", rest_[0], c));
  }
  bool accept_word(std::string_view word) {
    skip_blanks();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  std::string quoted() {
    skip_blanks();
    const char quote = rest_.empty() ? '\0' : rest_[0];
    if (quote != '\'' && quote != '"')
      malformed("a quoted string is expected; structures of several dtypes are not read");
    const std::size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos) malformed("a string does not end");
    std::string out(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return out;
  }

  bool boolean_word() {
    if (accept_word("True")) return true;
    if (!accept_word("False")) malformed("'fortran_order' is neither True nor False");
    return false;
  }

  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> out;
    expect('(');
    while (!accept(')')) {
      skip_blanks();
      std::int64_t dim = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), dim);
      if (error != std::errc{} || dim < 0) malformed("'shape' holds something that is not a size");
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      accept_word("L");  // Python 2 wrote long integers so
      out.push_back(dim);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return out;
  }

  DType dtype_named(const std::string& description) const {
    for (int i = 0; i < dtype_count; ++i)
      if (description == descriptions[i]) return static_cast<DType>(i);
    if (description.starts_with('>'))
      fail<IoError>("{}: dtype '{}' is big-endian; only little-endian files are read", name_, description);
    fail<IoError>("{}: dtype '{}' is not one of {}", name_, description, listed(descriptions));
  }

  Shape shape_of(const std::vector<std::int64_t>& dims) const {
    try {
      return Shape(dims);
    } catch (const TypeError& error) {
      fail<IoError>("{}: {}", name_, error.what());
    }
  }

  const std::string& name_;
  std::string_view rest_;
};

Header read_header(Source& source) {
  std::array<char, 8> start{};
  source.take(start.data(), start.size(), "first bytes");
  if (std::string_view(start.data(), magic.size()) != magic) fail<IoError>("{}: is not a .npy file", source.name);
  const int version = static_cast<unsigned char>(start[6]);
  if (version < 1 || version > 3)
    fail<IoError>("{}: is of .npy version {}.{}; 1, 2 and 3 are read", source.name, version,
                  static_cast<unsigned char>(start[7]));
  std::uint32_t length = 0;
  source.take(&length, version == 1 ? 2 : 4, "first bytes");
  if (length > npy_header_limit)
    fail<IoError>("{}: says that its header has {} bytes; more than {} are not believed", source.name, length,
                  npy_header_limit);
  std::string text(length, '\0');
  source.take(text.data(), length, "header");
  return HeaderParser(source.name, text).parse();
}

// The numbers of a tensor whose first axis runs fastest, in row-major order.
Tensor from_fortran_order(const Tensor& columns_first, const Shape& shape) {
  std::array<std::int64_t, Shape::max_rank> stride{};
  std::int64_t elements = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    stride[static_cast<std::size_t>(axis)] = elements;
    elements *= shape[axis];
  }
  return dispatch(columns_first.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const std::span<const T> from = columns_first.span<T>();
    return Tensor::make<T>(shape, [&](std::span<T> out) {
      std::array<std::int64_t, Shape::max_rank> index{};
      std::int64_t position = 0;
      for (T& value : out) {
        value = from[static_cast<std::size_t>(position)];
        for (int axis = shape.rank() - 1; axis >= 0; --axis) {
          const auto a = static_cast<std::size_t>(axis);
          position += stride[a];
          if (++index[a] < shape[axis]) break;
          position -= stride[a] * shape[axis];
          index[a] = 0;
        }
      }
    });
  });
}

Tensor read_npy(Source& source) {
  const Header header = read_header(source);
  const auto bytes = static_cast<std::uint64_t>(header.shape.size()) * size_of(header.dtype);
  if (source.left != bytes)
    fail<IoError>("{}: {} {} takes {} bytes but {} follow the header", source.name, header.dtype, header.shape, bytes,
                  source.left);
  Tensor out = Tensor::uninitialized({header.dtype, header.shape, Layout::dense});
  source.take(out.writable_data(), bytes, "numbers");
  if (header.dtype == boolean) check_bools(source.name, {out.data(), bytes});
  return header.fortran_order && header.shape.rank() > 1 ? from_fortran_order(out, header.shape) : out;
}

std::string header_of(const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  const std::string dims = fmt::format("({}{})", listed(shape.dims()), shape.rank() == 1 ? "," : "");
  std::string dict = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
                                 descriptions[static_cast<int>(tensor.dtype())], dims);
  const std::size_t before = magic.size() + 4;
  dict.append(alignment - (before + dict.size() + 1) % alignment, ' ');
  dict += '\n';
  std::string out(magic);
  out += {'\1', '\0', static_cast<char>(dict.size() & 0xFF), static_cast<char>(dict.size() >> 8)};
  return out + dict;
}

void check_dense(const Tensor& tensor, const std::string& name) {
  if (tensor.layout() != Layout::dense)
    fail<TypeError>("{}: the tensor is {}; only dense ones are written, so take to_dense() first", name, tensor.type());
}

std::size_t bytes_of(const Tensor& tensor) { return static_cast<std::size_t>(tensor.size()) * size_of(tensor.dtype()); }

struct CloseZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
template <class T>
using Zip = std::unique_ptr<T, CloseZip>;

[[noreturn]] void fail_zip(const std::string& path, zip_error_t* error) {
  const std::string what = zip_error_strerror(error);
  zip_error_fini(error);
  fail<IoError>("{}: {}", path, what);
}

[[noreturn]] void fail_zip(const std::string& path, zip_t* archive) {
  fail<IoError>("{}: {}", path, zip_error_strerror(zip_get_error(archive)));
}

void read_zip(zip_file_t* file, const std::string& name, void* to, std::uint64_t bytes) {
  auto* out = static_cast<std::byte*>(to);
  while (bytes > 0) {
    const zip_int64_t got = zip_fread(file, out, bytes);
    if (got < 0) fail<IoError>("{}: {}", name, zip_error_strerror(zip_file_get_error(file)));
    if (got == 0) fail<IoError>("{}: ends before the size it gives; {} bytes are missing", name, bytes);
    out += got;
    bytes -= static_cast<std::uint64_t>(got);
  }
}

Tensor read_member(zip_t* archive, const std::string& path, const zip_stat_t& member) {
  const std::string name = fmt::format("{}({})", path, member.name);
  // Deflate packs at most 1032 bytes into one: a larger promise is a lie, found before memory is asked for.
  if (member.size / 1032 > member.comp_size)
    fail<IoError>("{}: says that {} bytes hold {}; the format cannot do that", name, member.comp_size, member.size);
  const Zip<zip_file_t> file(zip_fopen_index(archive, member.index, 0));
  if (!file) fail_zip(name, archive);
  Source source{name, member.size, [&](void* to, std::size_t bytes) { read_zip(file.get(), name, to, bytes); }};
  Tensor out = read_npy(source);
  // The checksum is compared when the end is met.
  char beyond = 0;
  const zip_int64_t got = zip_fread(file.get(), &beyond, 1);
  if (got > 0) fail<IoError>("{}: holds more than the {} bytes it gives as its size", name, member.size);
  if (got < 0) fail<IoError>("{}: {}", name, zip_error_strerror(zip_file_get_error(file.get())));
  return out;
}

}  // namespace

Tensor load_npy(const std::string& path) {
  FileReader file(path);
  Source source{path, file.size(), [&](void* to, std::size_t bytes) { file.read(to, bytes); }};
  return read_npy(source);
}

void save_npy(const std::string& path, const Tensor& tensor) {
  check_dense(tensor, path);
  write_file_atomically(path, [&](FileWriter& file) {
    const std::string header = header_of(tensor);
    file.write(header.data(), header.size());
    file.write(tensor.data(), bytes_of(tensor));
  });
}

std::map<std::string, Tensor> load_npz(const std::string& path) {
  const FileReader readable(path);  // says better than libzip why it cannot be opened
  int code = 0;
  const Zip<zip_t> archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    fail_zip(path, &error);
  }
  std::map<std::string, Tensor> out;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t member;
    if (zip_stat_index(archive.get(), static_cast<zip_uint64_t>(i), 0, &member) != 0) fail_zip(path, archive.get());
    constexpr std::string_view suffix = ".npy";
    std::string name = member.name;
    if (!name.ends_with(suffix)) fail<IoError>("{}: '{}' in it is not a .npy", path, name);
    name.resize(name.size() - suffix.size());
    if (!out.try_emplace(name, read_member(archive.get(), path, member)).second)
      fail<IoError>("{}: holds two tensors named '{}'", path, name);
  }
  return out;
}

void save_npz(const std::string& path, const std::map<std::string, Tensor>& tensors) {
  for (const auto& [name, tensor] : tensors) check_dense(tensor, fmt::format("{}({})", path, name));
  if (tensors.empty()) {
    // The end of a zip's directory and nothing before it; libzip writes no file at all.
    constexpr std::array<char, 22> empty_zip{'P', 'K', 5, 6};
    write_file_atomically(path, std::as_bytes(std::span(empty_zip)));
    return;
  }
  std::vector<std::string> headers;
  headers.reserve(tensors.size());  // the archive keeps pointers into them
  zip_error_t error;
  zip_error_init(&error);
  const Zip<zip_source_t> memory(zip_source_buffer_create(nullptr, 0, 0, &error));
  if (!memory) fail_zip(path, &error);
  Zip<zip_t> archive(zip_open_from_source(memory.get(), ZIP_TRUNCATE, &error));
  if (!archive) fail_zip(path, &error);
  zip_source_keep(memory.get());  // the archive frees it once, and it is read after that
  for (const auto& [name, tensor] : tensors) {
    headers.push_back(header_of(tensor));
    const zip_buffer_fragment_t pieces[2] = {
        {reinterpret_cast<zip_uint8_t*>(headers.back().data()), headers.back().size()},
        {const_cast<zip_uint8_t*>(reinterpret_cast<const zip_uint8_t*>(tensor.data())), bytes_of(tensor)}};
    Zip<zip_source_t> source(zip_source_buffer_fragment(archive.get(), pieces, bytes_of(tensor) > 0 ? 2 : 1, 0));
    if (!source) fail_zip(path, archive.get());
    const zip_int64_t index = zip_file_add(archive.get(), (name + ".npy").c_str(), source.get(), ZIP_FL_ENC_UTF_8);
    if (index < 0) fail_zip(path, archive.get());
    static_cast<void>(source.release());  // the archive has it
    const auto at = static_cast<zip_uint64_t>(index);
    constexpr zip_uint16_t first_of_1980 = 1 << 5 | 1;  // a fixed date: the same tensors, the same file
    if (zip_set_file_compression(archive.get(), at, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_dostime(archive.get(), at, 0, first_of_1980, 0) != 0)
      fail_zip(path, archive.get());
  }
  if (zip_close(archive.get()) != 0) fail_zip(path, archive.get());
  static_cast<void>(archive.release());

  write_file_atomically(path, [&](FileWriter& file) {
    if (zip_source_open(memory.get()) != 0) fail_zip(path, zip_source_error(memory.get()));
    std::vector<std::byte> piece(std::size_t{1} << 20);
    zip_int64_t got = 0;
    while ((got = zip_source_read(memory.get(), piece.data(), piece.size())) > 0)
      file.write(piece.data(), static_cast<std::size_t>(got));
    if (got < 0) fail_zip(path, zip_source_error(memory.get()));
    zip_source_close(memory.get());
  });
}

}  // namespace gradus
