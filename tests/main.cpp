// The test programs' main. The tests stand in tests/*_test.cpp; CTest runs one file of them a row.
#include <doctest/doctest.h>

int main(int argc, char** argv) { return doctest::Context(argc, argv).run(); }
