// The whole library in one include; that it compiles alone is a test, and what it costs is `time` on the same command.
#include <gradus/gradus.h>
