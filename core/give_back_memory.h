// What large arrays left behind goes back to the system: the C library would keep it for as long as the program runs.
#pragma once

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace gradus {

inline void give_back_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace gradus
