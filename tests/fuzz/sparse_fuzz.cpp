// Sparse text of any form: refused by IoError, or the same examples whether read at once or by blocks, and a CSR
// pattern that stands. The first byte chooses form and options.
#include <gradus/core/error.h>
#include <gradus/models/data/detail/libsvm.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace gradus;

namespace {

// Block by block, so that mistakes may come late.
std::int64_t rows_by_blocks(std::string_view text, const SparseTextOptions& options) {
  const auto source = read_sparse_text(Input::of_bytes("data", text), options);
  std::int64_t rows = 0;
  for (;;) {
    const ReadRows block = source->next(3);
    if (block.size() == 0) return rows;
    if (block.size() > 3) std::abort();
    rows += block.size();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  SparseTextOptions options;
  options.form = static_cast<SparseText>(choice % 3);
  options.dtype = (choice & 4) != 0 ? float64 : float32;
  options.duplicates = (choice & 8) != 0 ? Duplicates::sum : Duplicates::refuse;
  options.other_field = (choice & 16) != 0 ? OtherField::keep_first : OtherField::refuse;
  options.columns = 1000;  // libffm's fields take memory for each
  if ((choice & 32) != 0 && options.form != SparseText::libffm) options.columns = 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::int64_t rows = -1, rows_again = -1;
  try {
    const ReadRows examples = read_sparse_text(Input::of_bytes("data", text), options)->next(unlimited);
    examples.x.pattern()->check();
    rows = examples.size();
    if (rows == 0 || examples.y.dim(0) != rows) std::abort();
  } catch (const IoError&) {
  }
  try {
    rows_again = rows_by_blocks(text, options);
  } catch (const IoError&) {
  }
  if (rows != rows_again) std::abort();
  return 0;
}
