#include "write.h"
namespace gradus {
void write_reports(const std::string&) {}
}  // namespace gradus
