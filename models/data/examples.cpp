#include <gradus/models/data/examples.h>

#include <gradus/core/error.h>

#include <new>

namespace gradus {

Examples ExampleSource::next(std::int64_t count) {
  try {
    return read(count);
  } catch (const std::bad_alloc&) {
    fail<IoError>("{}: memory does not suffice to read on", place());
  }
}

}  // namespace gradus
