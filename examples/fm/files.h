// The files that a command reads and writes, looked at before anything is read: no output is an input, however it is
// named; no two outputs are one file; every output can be written; and what is there already is replaced only where it
// is of the kind that the command writes, or where --overwrite says so.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace fm {

/// What an output is, and so what it may replace.
enum class FileKind { model, state, cache, report, log, onnx, c_header, predictions, recommendations, config, folder };

struct InputFile {
  std::string what;  // "the data"
  std::string path;  // "": none; "-": standard input
};
struct OutputFile {
  std::string option;
  std::string path;  // "": none; "-": standard output
  FileKind kind;
};

/// Throws IoError, naming the file and what would be right. Empty files, and what is no file (a pipe, /dev/null), may
/// always be written.
void check_files(std::vector<InputFile> inputs, const std::vector<OutputFile>& outputs, bool overwrite);

/// Writes what `make` gives to it in pieces: to a file, all or nothing, to a pipe, or to standard output ("-"). Throws
/// IoError, and Unheard.
using Write = std::function<void(std::string_view)>;
void write_output(const std::string& path, const std::function<void(const Write&)>& make);

}  // namespace fm
