#include "options.h"

#include "say.h"

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/core/listed.h>
#include <gradus/models/formats/utf8.h>
#include <gradus/models/training/training_settings.h>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>

namespace fm {

using namespace gradus;

namespace {

// What the library calls by other names than the command line. Members of TrainingOptions follow.
std::vector<std::pair<std::string, std::string>> words_of_the_library() {
  std::vector<std::pair<std::string, std::string>> words = {
      {"write_data_cache of data read by read_options(model)", "fm convert --model"},
      {"write_data_cache makes a new one of the data", "fm convert DATA --out CACHE makes a new one of the data"},
      {"write_data_cache", "fm convert"},
      {"to_c_header", "fm export"},
      {"Duplicates::sum", "--sum-duplicates"},
      {"OtherField::keep_first", "--keep-first-field"},
      {"Format::libffm", "--format libffm"},
      {"Format::libsvm", "--format libsvm"},
      {"Format::libfm", "--format libfm"},
      {"ItemColumns", "--item"},
      {"item_column", "--item"},
      {"fold_in", "fm update"},
      {"user_column", "--by"},
      {".no_header", "--no-header"},
      {".decimal ','", "--decimal ,"},
      {".decimal", "--decimal"},
      {".missing", "--missing"},
      {".categorical", "--categorical"},
      {".numeric", "--numeric"},
      {".ignored", "--ignore"},
      {".hash_bits", "--hash-bits"},
      {".targets", "--task multiclass"},
      {".target", "--target"},
  };
  TrainingOptions options;
  for (const Setting& setting : settings(options))
    words.emplace_back("." + field_of(setting), fmt::format("--{}", setting.name));
  return words;
}

bool is_in_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Insertions, deletions and exchanges of a character, and swaps of two neighbours, that make b of a (Damerau).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  std::iota(d[0].begin(), d[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    d[i][0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// The values of one line of a file of options, which `text` is behind its `=`.
class ConfigValues {
 public:
  explicit ConfigValues(std::string_view text) : left_(trimmed(text)) {}

  std::vector<std::string> read() {
    std::vector<std::string> values;
    if (!left_.starts_with('[')) {
      values.push_back(one(" \t"));
    } else {
      left_.remove_prefix(1);
      for (left_ = trimmed(left_); !left_.starts_with(']'); left_ = trimmed(left_)) {
        if (left_.empty()) fail<ValueError>("a list has no ] at its end");
        values.push_back(one(",]"));
        left_ = trimmed(left_);
        if (left_.starts_with(',')) left_.remove_prefix(1);
      }
      left_.remove_prefix(1);
    }
    left_ = trimmed(left_);
    if (!left_.empty() && left_[0] != '#') fail<ValueError>("something follows the value: {}", left_);
    return values;
  }

 private:
  std::string one(std::string_view ends) {
    if (left_.empty() || left_[0] == '#') fail<ValueError>("there is no value");
    std::string value;
    const char quote = left_[0];
    if (quote != '"' && quote != '\'') {
      value = trimmed(left_.substr(0, left_.find_first_of(ends)));
      left_.remove_prefix(std::min(left_.size(), left_.find_first_of(ends)));
      return value;
    }
    std::size_t i = 1;
    for (; i < left_.size() && left_[i] != quote; ++i) {
      if (quote == '"' && left_[i] == '\\' && i + 1 < left_.size()) ++i;
      value += left_[i];
    }
    if (i == left_.size()) fail<ValueError>("a quote is not closed");
    left_.remove_prefix(i + 1);
    return value;
  }

  std::string_view left_;
};

CLI::Option* option_named(CLI::App& command, const std::string& name) {
  for (const char* dashes : {"--", "-", ""})
    if (CLI::Option* const option = command.get_option_no_throw(dashes + name)) return option;
  return nullptr;
}

// What an option is and what is expected, as the library says it of its own.
std::string in_our_words(const CLI::ParseError& error) {
  std::string what = error.what();
  const auto is = [&](CLI::ExitCodes code) { return error.get_exit_code() == static_cast<int>(code); };
  if (const std::size_t colon = what.find(": is "); is(CLI::ExitCodes::ValidationError) && colon != std::string::npos)
    what.erase(colon, 1);
  constexpr std::string_view conversion = "Could not convert: ";
  const std::size_t equals = what.find(" = ");
  if (is(CLI::ExitCodes::ConversionError) && what.starts_with(conversion) && equals != std::string::npos)
    what = fmt::format("{} is {}; a number is expected", what.substr(conversion.size(), equals - conversion.size()),
                       what.substr(equals + 3));
  return what;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

// Options about the command line itself: no file can give them.
bool is_for_files(const CLI::Option& option) {
  const std::string name = option.get_name();
  return name != "--help" && name != "-h" && name != "--config" && name != "--save-config" && name != "--resume" &&
         name != "--overwrite";
}

// As a file of options names it.
std::string config_name(const CLI::Option& option) {
  return option.get_lnames().empty() ? option.get_name(true) : option.get_lnames().front();
}

std::string config_value(const std::string& text) {
  const bool bare = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_in_word(c) || std::string_view("+-./:").find(c) != std::string_view::npos;
  });
  if (bare) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\n') fail<ValueError>("--save-config: a value with a line end cannot be written: {}", text);
    quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
  }
  return quoted + "\"";
}

}  // namespace

std::string in_option_words(std::string_view message) {
  static const auto words = words_of_the_library();
  std::string out;
  for (std::size_t at = 0; at < message.size();) {
    const bool begins = at == 0 || message[at - 1] == ' ' || message[at - 1] == '(';
    const auto word = std::find_if(words.begin(), words.end(), [&](const auto& each) {
      const std::string_view rest = message.substr(at);
      if (!begins || !rest.starts_with(each.first)) return false;
      const char next = rest.size() == each.first.size() ? ' ' : rest[each.first.size()];
      // A file may be called like a member, and then is followed by a colon or goes on.
      return !is_in_word(next) &&
             (each.first[0] != '.' || std::string_view(":./-").find(next) == std::string_view::npos);
    });
    out += word == words.end() ? std::string_view(&message[at], 1) : std::string_view(word->second);
    at += word == words.end() ? 1 : word->first.size();
  }
  return out;
}

std::string as_typed(std::string what, int argc, char** argv) {
  TrainingOptions options;
  for (const Setting& setting : settings(options)) {
    const std::string name = fmt::format("--{} ", setting.name), other(setting.alias);
    if (other.empty() || !what.starts_with(name)) continue;
    const auto is_other = [&](std::string_view word) { return word == other || word.starts_with(other + "="); };
    if (std::any_of(argv + 1, argv + argc, is_other)) return other + what.substr(name.size() - 1);
  }
  return what;
}

std::string command_line(int argc, char** argv) {
  std::string text = "fm";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789_-./,:=+@%") == std::string::npos;
    text += " ";
    if (plain) {
      text += word;
      continue;
    }
    const bool printable = gradus::printable(word) == word;
    std::string inside;
    for (const char c : word) {
      if (c == '\'')
        inside += printable ? "'\\''" : "\\'";
      else
        inside += c == '\\' && !printable ? std::string("\\\\") : std::string(1, c);
    }
    text += printable ? "'" + inside + "'" : "$'" + gradus::printable(inside) + "'";
  }
  return text;
}

void check_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  const std::vector<std::string> names = command_names(app);
  if (std::find(names.begin(), names.end(), argv[1]) != names.end()) return;
  const std::string meant = did_you_mean(argv[1], names);
  fail<ValueError>("there is no command {}{}", argv[1],
                   meant.empty() ? fmt::format("; {} are there", listed(names)) : meant);
}

int usage_error(const std::string& what, const std::string& command) {
  say(stderr, "fm: {} (see fm {}--help)\n", one_line(what), command.empty() ? "" : command + " ");
  return 2;
}

std::string wrong_usage(const CLI::ParseError& error, const CLI::App& app) {
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  if (parsed.empty() && error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError))
    return fmt::format("no command is given; {} are there", listed(command_names(app)));
  if (error.get_exit_code() != static_cast<int>(CLI::ExitCodes::ExtrasError)) return in_our_words(error);
  for (const std::string& word : app.remaining(true))
    if (word.starts_with('-') && word != "-") {
      const std::string name = word.substr(0, word.find('='));
      return fmt::format("there is no option {}{}", name,
                         did_you_mean_option(name, parsed.empty() ? app : *parsed.front()));
    }
  return fmt::format("{} is not expected", app.remaining(true).front());
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& words) {
  const std::size_t most = std::max<std::size_t>(1, word.size() / 3);
  const std::string* nearest = nullptr;
  std::size_t least = most + 1;
  for (const std::string& each : words)
    if (const std::size_t now = distance(word, each); now < least) {
      least = now;
      nearest = &each;
    }
  return nearest == nullptr ? "" : fmt::format("; did you mean {}?", *nearest);
}

std::string did_you_mean_option(std::string_view word, const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames())
      if (word == "--" + name) return fmt::format("; did you mean -{}?", name);
  }
  return did_you_mean(word, names);
}

std::string short_help(const CLI::App& command) {
  static const char* const first[] = {"--target", "--valid", "--test", "--kind",  "--factors", "--optimizer",
                                      "--epochs", "--rate",  "--l2-v", "--model", "--report"};
  std::string text = fmt::format("{}\nUsage: fm {}", command.get_description(), command.get_name());
  for (const CLI::Option* option : command.get_options([](const CLI::Option* each) { return each->get_positional(); }))
    text += option->get_required() ? fmt::format(" {}", option->get_type_name())
                                   : fmt::format(" [{} ...]", option->get_type_name());
  text += " [OPTIONS]\n\n";
  for (const char* name : first)
    if (const CLI::Option* option = command.get_option_no_throw(name))
      text += fmt::format("  {:<22} {}\n", option->get_name(false, true), option->get_description());
  return text + fmt::format("\nfm {} --help has all {} options.\n", command.get_name(), command.get_options().size());
}

std::vector<GivenOption> read_config(CLI::App& command, const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<GivenOption> given;
  bool is_ours = true;  // the section
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = trimmed(text.substr(0, text.find('\n')));
    text.remove_prefix(
        std::min(text.size(), text.find('\n') == std::string_view::npos ? text.size() : text.find('\n') + 1));
    const std::string where = fmt::format("{}:{}", path, number);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (line[0] == '[') {
      if (!line.ends_with(']')) fail<ValueError>("{}: a section has no ] at its end", where);
      is_ours = trimmed(line.substr(1, line.size() - 2)) == command.get_name();
      continue;
    }
    if (!is_ours) continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) fail<ValueError>("{}: NAME = VALUE is expected", where);
    const std::string name(trimmed(line.substr(0, equals)));
    CLI::Option* const option = option_named(command, name);
    if (option == nullptr)
      fail<ValueError>("{}: there is no option {}{}", where, name, did_you_mean_option("--" + name, command));
    if (!is_for_files(*option)) fail<ValueError>("{}: {} is for the command line alone", where, name);
    const std::string known = option->get_name();
    if (std::any_of(given.begin(), given.end(), [&](const GivenOption& each) { return each.option == known; }))
      fail<ValueError>("{}: {} is given twice", where, name);
    try {
      std::vector<std::string> values = ConfigValues(line.substr(equals + 1)).read();
      if (option->count() > 0 || values.empty()) continue;
      if (option->get_items_expected_max() == 0) {  // a flag
        if (values.size() != 1 || (values[0] != "true" && values[0] != "false"))
          fail<ValueError>("{} is true or false", name);
        if (values[0] == "false") continue;
      }
      option->add_result(std::move(values));
      option->run_callback();
      given.push_back({known, where});
    } catch (const CLI::ParseError& error) {
      fail<ValueError>("{}: {}", where, in_our_words(error));
    } catch (const ValueError& error) {
      fail<ValueError>("{}: {}", where, error.what());
    }
  }
  return given;
}

std::string config_text(const CLI::App& command) {
  std::string text = fmt::format("{}{}\n", config_mark, command.get_name());
  const auto add = [&](const std::string& name, const std::vector<std::string>& values) {
    std::vector<std::string> written;
    for (const std::string& value : values) written.push_back(config_value(value));
    text += written.size() == 1 ? fmt::format("{} = {}\n", name, written[0])
                                : fmt::format("{} = [{}]\n", name, listed(written));
  };
  for (const CLI::Option* option : command.get_options())
    if (option->count() > 0 && is_for_files(*option))
      add(config_name(*option),
          option->get_items_expected_max() == 0 ? std::vector<std::string>{"true"} : option->results());
  TrainingOptions usual;
  if (command.get_name() != "train") return text;
  for (const Setting& setting : settings(usual)) {
    const CLI::Option* const option = command.get_option_no_throw(fmt::format("--{}", setting.name));
    const bool written = option == nullptr || option->count() > 0 || std::holds_alternative<bool*>(setting.value);
    if (const std::string value = shown(setting); !written && value != "nothing" && value != "left open")
      text += fmt::format("{} = {}\n", setting.name, value);
  }
  return text;
}

}  // namespace fm
