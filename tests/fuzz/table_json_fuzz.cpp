// Feature tables from JSON of anybody's: refused by IoError, or the same after being written and read again.
#include <gradus/core/error.h>
#include <gradus/models/data/table.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace gradus;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const FeatureTable table = feature_table_from_json({reinterpret_cast<const char*>(data), size});
    const std::string json = to_json(table);
    if (!(feature_table_from_json(json) == table)) std::abort();
    for (std::int64_t i = 0; i < table.features() && i < 100; ++i) (void)table.name(i);
  } catch (const IoError&) {
  }
  return 0;
}
