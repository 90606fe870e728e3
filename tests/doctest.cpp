// doctest itself, for all programs of tests.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

// The address sanitizer, where it is there, lets an allocation fail that is too large, as the system does.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
