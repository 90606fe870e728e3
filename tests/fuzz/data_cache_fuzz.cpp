// Binary caches: refused by IoError, or blocks whose patterns stand, the same when read again. The first byte chooses
// what the rest is: a whole file; or changes to the header, the metadata and the numbers of a good one, whose checksums
// are made anew, so that what lies behind them is reached.
#include "tensor_file.h"

#include <gradus/core/io/checksum.h>
#include <gradus/models/data/detail/cache_reader.h>
#include <gradus/models/data/read.h>

#include <algorithm>

using namespace gradus;

namespace {

TensorFileParts good(std::string_view text, Format format, std::string_view weight) {
  const auto source =
      open_rows(Input::of_bytes("data", text),
                {.format = format, .target = format == Format::csv ? "y" : "", .weight = std::string(weight)});
  return parts_of(bytes_of_file([&](const std::string& path) { write_data_cache(path, *source, {.block_rows = 2}); }));
}

// The CRC-32 of each block, as far as there is one, and the checksum.
void mend(SafeTensors& file) {
  auto blocks = nlohmann::ordered_json::parse(file.metadata["blocks"], nullptr, false);
  std::int64_t row = 0, non_zero = 0;
  for (auto& block : blocks) {
    if (!block.is_array() || block.size() != 3 || !block[0].is_number_unsigned() || !block[1].is_number_unsigned())
      break;
    const auto rows = block[0].get<std::int64_t>(), non_zeros = block[1].get<std::int64_t>();
    std::uint32_t crc = 0;
    const auto add = [&](const char* name, std::int64_t first, std::int64_t count) {
      const auto found = file.tensors.find(name);
      if (found == file.tensors.end() || count < 0 || first > found->second.size() - count) return;
      const std::size_t size = size_of(found->second.dtype());
      crc = crc32_of(found->second.data() + static_cast<std::size_t>(first) * size,
                     static_cast<std::size_t>(count) * size, crc);
    };
    add("row_length", row, rows);
    add("column", non_zero, non_zeros);
    add("y", row, rows);
    add("weight", row, rows);
    add("value", non_zero, non_zeros);
    block[2] = crc;
    row += rows;
    non_zero += non_zeros;
  }
  if (!blocks.is_discarded()) file.metadata["blocks"] = blocks.dump();
  std::map<std::string, Tensor> of_columns;
  for (const auto& [name, tensor] : file.tensors)
    if (is_of_columns(name)) of_columns.emplace(name, tensor);
  file.metadata[checksum_key] = checksum(of_columns, file.metadata);
}

// Whether it was accepted.
bool read(const std::string& bytes) {
  const MemoryFile file(bytes);
  try {
    const DataCache cache(file.path());
    if (cache.rows() < 1 || cache.rows() != cache.size()) std::abort();
    if (cache.columns().table)
      for (std::int64_t i = 0; i < std::min<std::int64_t>(cache.columns().count, 100); ++i)
        (void)cache.columns().table->name(i);
    for (std::int64_t b = 0; b < cache.blocks(); ++b) {
      const Rows first = cache.block(b);
      const Rows again = cache.block(b);
      first.x.pattern()->check();
      first.check();
      if (first.size() != cache.rows_of(b) || first.x.dim(1) != cache.columns().count) std::abort();
      if (again.x.pattern()->row_start != first.x.pattern()->row_start || again.y != first.y) std::abort();
    }
    if (cache.all().size() != cache.rows()) std::abort();
    const auto source = read_cache(file.path(), {.dtype = cache.dtype()});
    for (std::int64_t rows = 0;;) {
      const ReadRows part = source->next(3);
      rows += part.size();
      if (part.size() > 0) continue;
      if (rows != cache.rows()) std::abort();
      break;
    }
    return true;
  } catch (const IoError&) {
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TensorFileParts base[] = {good("1 1:0.5 3:1\n0 2:1\n1 1:1\n0 4:2\n1 1:1\n", Format::libsvm, ""),
                                         good("u,w,n,y\na,1,2,0\nb,2,3,1\na,1,1,1\n", Format::csv, "w"),
                                         good("1 0:1:1 1:2:1\n0 1:2:1\n", Format::libffm, ""),
                                         good("1 5:1 18446744073709551614:2\n0 7:1\n", Format::libsvm, "")};
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 8) != 0) {
    read(std::string(rest));
    return 0;
  }
  TensorFileParts parts = base[data[0] & 3];
  const std::size_t third = size / 3 / 4 * 4;
  change(parts.metadata, rest.substr(0, third));
  change(parts.header, rest.substr(std::min(third, rest.size()), third));
  change(parts.numbers, rest.substr(std::min(2 * third, rest.size())));
  const bool accepted = read(mended(parts, mend));
  if (rest.empty() && !accepted) std::abort();  // a good file
  return 0;
}
