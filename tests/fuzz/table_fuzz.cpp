// Tables and ratings, guessed or not: refused by an Error, or the same rows whether read at once or by blocks; the
// table that was learnt goes through JSON and reads the file again to the same x. The first byte chooses format and
// options.
#include <gradus/core/error.h>
#include <gradus/models/data/read.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

using namespace gradus;

namespace {

void read(std::string_view text, ReadOptions options) {
  const ReadRows examples = open_rows(Input::of_bytes("data", text), options)->next(unlimited);
  examples.x.pattern()->check();
  if (examples.size() == 0) std::abort();
  if (!examples.columns.table) return;
  const auto table = std::make_shared<const FeatureTable>(feature_table_from_json(to_json(*examples.columns.table)));
  if (!(*table == *examples.columns.table)) std::abort();
  options.columns.table = table;
  options.target = "";
  options.hash_bits = 0;
  const auto source = open_rows(Input::of_bytes("data", text), options);
  std::int64_t rows = 0, stored = 0;
  for (;;) {
    const ReadRows block = source->next(2);
    if (block.size() == 0) break;
    rows += block.size();
    stored += block.x.stored();
  }
  if (rows != examples.size() || stored != examples.x.stored()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  constexpr Format formats[] = {Format::csv, Format::tsv, Format::movielens, Format::guess};
  ReadOptions options;
  options.format = formats[choice % 4];
  if (options.format != Format::movielens && (choice & 4) != 0) options.target = "y";
  options.need_target = (choice & 8) != 0;
  if (options.format != Format::guess) options.hash_bits = (choice & 16) != 0 ? 3 : 0;
  try {
    read({reinterpret_cast<const char*>(data) + 1, size - 1}, options);
  } catch (const Error&) {
  }
  return 0;
}
