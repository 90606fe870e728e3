// Whether the address or the thread sanitizer is in the program: what it computes is the same, but its memory is not
// its own, and emulating a GPU takes thirty times as long.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif
