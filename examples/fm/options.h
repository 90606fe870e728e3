// The command line beside its table: messages of the library in the words of its options, what was probably meant by a
// word that there is not, a short help, and options from a file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace fm {

/// A message of the library, which names members of its structs (".l2_v"), as users of fm know them ("--l2-v").
std::string in_option_words(std::string_view message);
/// What is wrong with an option, under that of its names that the command line has.
std::string as_typed(std::string what, int argc, char** argv);

/// The command line as a shell would read it again; what is not printable as $'...' takes it.
std::string command_line(int argc, char** argv);

/// "; did you mean --rate?" for the word among these that differs least, where one is near; else "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& words);
/// The same for the options of a command.
std::string did_you_mean_option(std::string_view word, const CLI::App& command);

/// What CLI11 would say less well: throws ValueError where there is no such command.
void check_command(const CLI::App& app, int argc, char** argv);
/// Says on standard error what is wrong with the command line; returns the exit code.
int usage_error(const std::string& what, const std::string& command);
/// What CLI11 found wrong.
std::string wrong_usage(const CLI::ParseError& error, const CLI::App& app);

/// The options of a command that matter first.
std::string short_help(const CLI::App& command);

/// Gives a command the options of a file, but for those that the command line has given. The file has lines like
/// `rate = 0.05`, `cv = 5`, `quiet = true`, `item = [shop, "the street"]`, comments behind #, and may have sections:
/// what is under `[train]` is train's alone. Throws ValueError, naming file and line, for what is not that or does not
/// fit. Returns, for messages about values, the options that it gave, each with its file and line.
struct GivenOption {
  std::string option;  // "--rate"
  std::string where;   // "run.toml:3"
};
std::vector<GivenOption> read_config(CLI::App& command, const std::string& path);

/// The options of a parsed command as such a file, the usual values of a training among them.
std::string config_text(const CLI::App& command);
inline constexpr std::string_view config_mark = "# options of fm ";

}  // namespace fm
