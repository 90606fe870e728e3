// The test program: doctest's main. The tests stand in tests/*_test.cpp; CTest runs one file of them a row.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
