// Whether the address or the thread sanitizer is in the program: what it computes is the same, but its memory is not
// its own, and emulating a GPU takes thirty times as long.
#pragma once

#ifdef __has_feature  // clang's way to say it; the others are g++'s
#if __has_feature(address_sanitizer)
#define GRADUS_ASAN
#elif __has_feature(thread_sanitizer)
#define GRADUS_TSAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define GRADUS_ASAN
#elif defined(__SANITIZE_THREAD__)
#define GRADUS_TSAN
#endif

#if defined(GRADUS_ASAN) || defined(GRADUS_TSAN)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif
