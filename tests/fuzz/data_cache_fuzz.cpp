// Binary caches: refused by IoError, or blocks whose patterns stand, the same when read again. The first byte chooses
// what the rest is: a whole file; or changes to the index and to the blocks of a good one, after which the checksums
// are made anew, and where blocks lie as well if the byte says so, so that what lies behind them is reached.
#include "damage.h"

#include <gradus/core/error.h>
#include <gradus/models/data/detail/cache_source.h>
#include <gradus/models/data/read.h>

#include <zlib.h>
#include <nlohmann/json.hpp>

#include <algorithm>

using namespace gradus;

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t head_bytes = 12, tail_bytes = 28;

std::uint32_t crc_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

struct Parts {
  std::string blocks, index;
};

Parts parts_of(const std::string& file) {
  std::uint64_t begin = 0;
  std::memcpy(&begin, file.data() + file.size() - tail_bytes, sizeof begin);
  return {file.substr(head_bytes, begin - head_bytes), file.substr(begin, file.size() - tail_bytes - begin)};
}

Parts good(std::string_view text, Format format, std::string_view weight) {
  const auto source =
      open_examples(Input::of_bytes("data", text),
                    {.format = format, .target = format == Format::csv ? "y" : "", .weight = std::string(weight)});
  return parts_of(bytes_of_file([&](const std::string& path) { write_data_cache(path, *source, {.block_rows = 2}); }));
}

// The numbers of each block as the reader expects them: one after another, of the size that its counts ask for.
void mend_blocks(Json& index, std::string& blocks) {
  constexpr std::int64_t most = 1 << 16;
  const std::int64_t size = index.value("dtype", Json()) == "float64" ? 8 : 4;
  const std::int64_t weights = index.value("weighted", Json()) == true ? 2 : 1;
  std::size_t begin = 0;
  for (Json& block : index["blocks"]) {
    if (!block.is_array() || block.size() != 6) return;
    for (const Json& number : block)
      if (!number.is_number_unsigned() && !number.is_number_integer()) return;
    const auto rows = block[2].get<std::int64_t>(), non_zeros = block[3].get<std::int64_t>();
    if (rows < 0 || rows > most || non_zeros < 0 || non_zeros > most) return;
    const std::int64_t bytes = rows * (4 + size * weights) + non_zeros * (4 + (block[4] == 0 ? size : 0));
    if (blocks.size() < begin + static_cast<std::size_t>(bytes)) blocks.resize(begin + static_cast<std::size_t>(bytes));
    block[0] = head_bytes + begin;
    block[1] = bytes;
    block[5] = crc_of(std::string_view(blocks).substr(begin, static_cast<std::size_t>(bytes)));
    begin += static_cast<std::size_t>(bytes);
  }
  blocks.resize(begin);
}

std::string mended(Parts parts, bool places) {
  Json index = Json::parse(parts.index, nullptr, false);
  if (index.is_object() && index.contains("blocks") && index["blocks"].is_array()) {
    if (places) {
      mend_blocks(index, parts.blocks);
    } else {
      for (Json& block : index["blocks"]) {
        if (!block.is_array() || block.size() != 6 || !block[0].is_number_unsigned() || !block[1].is_number_unsigned())
          continue;
        const auto begin = block[0].get<std::uint64_t>(), bytes = block[1].get<std::uint64_t>();
        if (begin >= head_bytes && begin - head_bytes <= parts.blocks.size())
          block[5] = crc_of(std::string_view(parts.blocks).substr(begin - head_bytes, bytes));
      }
    }
    parts.index = index.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return "gradusdc" + bytes_of(std::uint32_t{1}) + parts.blocks + parts.index +
         bytes_of(std::uint64_t{head_bytes + parts.blocks.size()}) + bytes_of(std::uint64_t{parts.index.size()}) +
         bytes_of(crc_of(parts.index)) + "cdsudarg";
}

// Whether it was accepted.
bool read(const std::string& bytes) {
  const MemoryFile file(bytes);
  try {
    const DataCache cache(file.path());
    if (cache.rows() < 1 || cache.rows() != cache.size()) std::abort();
    if (cache.table())
      for (std::int64_t i = 0; i < std::min<std::int64_t>(cache.columns(), 100); ++i) (void)cache.table()->name(i);
    for (std::int64_t b = 0; b < cache.blocks(); ++b) {
      const Dataset first = cache.block(b);
      const Dataset again = cache.block(b);
      first.x.pattern()->check();
      first.check();
      if (first.size() != cache.rows_of(b) || first.x.dim(1) != cache.columns()) std::abort();
      if (again.x.pattern()->row_start != first.x.pattern()->row_start || again.y != first.y) std::abort();
    }
    if (cache.all().size() != cache.rows()) std::abort();
    const auto source = cache_source(file.path(), {.dtype = cache.dtype()});
    for (std::int64_t rows = 0;;) {
      const Examples part = source->next(3);
      rows += part.count();
      if (part.count() > 0) continue;
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
  static const Parts base[] = {good("1 1:0.5 3:1\n0 2:1\n1 1:1\n0 4:2\n1 1:1\n", Format::libsvm, ""),
                               good("u,w,n,y\na,1,2,0\nb,2,3,1\na,1,1,1\n", Format::csv, "w"),
                               good("1 0:1:1 1:2:1\n0 1:2:1\n", Format::libffm, ""),
                               good("1 5:1 18446744073709551614:2\n0 7:1\n", Format::libsvm, "")};
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 8) != 0) {
    read(std::string(rest));
    return 0;
  }
  Parts parts = base[data[0] & 3];
  const std::size_t of_index = size / 2 / 4 * 4;
  change(parts.index, rest.substr(0, of_index));
  change(parts.blocks, rest.substr(std::min(of_index, rest.size())));
  const bool accepted = read(mended(parts, (data[0] & 4) != 0));
  if (rest.empty() && !accepted) std::abort();  // a good file
  return 0;
}
