#include "say.h"

#include <gradus/core/io/file.h>

#include <cerrno>

namespace fm {

namespace {

int first_error = 0;  // of standard output

}  // namespace

void put(std::FILE* to, std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), to) != text.size() && to == stdout && first_error == 0)
    first_error = errno;
}

std::string one_line(std::string text) {
  constexpr std::size_t longest = 2000;
  if (text.size() > longest) text = text.substr(0, longest) + " ...";
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

void fail_output(int error) {
  if (error == EPIPE) throw Unheard{};
  gradus::fail_with_system(error, "standard output", "cannot be written");
}

void finish_output() {
  const bool flushed = std::fflush(stdout) == 0;
  if (!flushed && first_error == 0) first_error = errno;
  if (!flushed || std::ferror(stdout) != 0) fail_output(first_error == 0 ? EIO : first_error);
}

}  // namespace fm
