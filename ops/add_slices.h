// Slices added to those that indices name, one after the other: what the gradient of a look-up does.
#pragma once

#include <gradus/core/cpu.h>
#include <gradus/ops/modular.h>
#include <gradus/ops/simd_row.h>

#include <cstdint>
#include <type_traits>

namespace gradus {

/// to[index[i]] += from[i / shared] for i < count, a multiple of `shared`; slices of `width` elements.
template <class T, class I, class L>
struct AddSlices {
  [[gnu::always_inline]] static void run(const T* from, const I* index, std::int64_t count, std::int64_t shared,
                                         std::int64_t width, T* to) {
    if constexpr (std::is_void_v<L>) {
      for (std::int64_t first = 0; first < count; first += shared, from += width)
        for (std::int64_t i = first; i < first + shared; ++i)
          for (std::int64_t j = 0; j < width; ++j) {
            T& sum = to[index[i] * width + j];
            sum = static_cast<T>(modular(sum) + modular(from[j]));
          }
    } else {
      const std::int64_t k = L::width_of(width);
      for (std::int64_t first = 0; first < count; first += shared, from += k)
        for (std::int64_t i = first; i < first + shared; ++i) {
          T* const slice = to + index[i] * k;
          L sum;
          sum.load(slice, k);
          sum.add(from, k);
          sum.store(slice, k);
        }
    }
  }
};

/// AddSlices for this machine and slices of so many elements.
template <class T, class I>
auto add_slices(std::int64_t width) {
  auto kernel = compiled_for<Isa::portable, AddSlices<T, I, void>, const T*, const I*, std::int64_t, std::int64_t,
                             std::int64_t, T*>();
  if constexpr (std::is_floating_point_v<T>)
    by_simd_row<T>(width, [&]<class L>(TypeTag<L>) {
      kernel = compiled_here<AddSlices<T, I, L>, const T*, const I*, std::int64_t, std::int64_t, std::int64_t, T*>();
    });
  return kernel;
}

}  // namespace gradus
