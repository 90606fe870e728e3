// What a command may write: never over its inputs, nor over a file of another kind; and what reaches a terminal.
#include "../sanitized.h"
#include "../thorough.h"
#include "clicks.h"
#include "ratings_text.h"

#include <nlohmann/json.hpp>

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <thread>

using namespace gradus;

namespace {

// fm, begun by a shell: with streams closed, limits set.
std::string by_shell(const Folder& folder, const std::string& command) {
  const std::string all = fmt::format("cd '{}' && fm() {{ '{}' \"$@\"; }}; {}", folder / ".", GRADUS_FM, command);
  std::FILE* const pipe = ::popen(fmt::format("bash -c '{}' 2>&1",
                                              [&] {
                                                std::string quoted;
                                                for (const char c : all)
                                                  quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
                                                return quoted;
                                              }())
                                      .c_str(),
                                  "r");
  REQUIRE(pipe != nullptr);
  std::string out(1 << 16, '\0');
  out.resize(std::fread(out.data(), 1, out.size(), pipe));
  ::pclose(pipe);
  return out;
}

}  // namespace

TEST_CASE("no output replaces an input, however it is named") {
  const Folder folder;
  train_clicks(folder);
  const std::string model = text_of(folder / "m");
  std::filesystem::create_directory(folder / "inside");
  std::filesystem::create_hard_link(folder / "clicks.csv", folder / "hard");
  std::filesystem::create_symlink("hard", folder / "soft");
  write_text(folder / "test.csv", clicks);
  write_text(folder / "options", "epochs = 1\n");
  const auto refused = [&](const Words& words, const std::string& what) {
    CAPTURE(what);
    CHECK(said(folder, words) == fmt::format("1: fm: {}; name another file\n", what));
    CHECK(text_of(folder / "clicks.csv") == clicks);
    CHECK(text_of(folder / "m") == model);
  };
  for (const std::string name : {"clicks.csv", "hard", "soft", "inside/../clicks.csv", "./soft"})
    for (const std::string option : {"--model", "--report", "--log", "--save-config"})
      refused({"train", "clicks.csv", option, name, "--overwrite"},
              fmt::format("{}: is the data, which {} must not replace", name, option));
  refused({"train", "clicks.csv", "--test", "test.csv", "--report", "test.csv"},
          "test.csv: is the file of --test, which --report must not replace");
  refused({"train", "clicks.csv", "--valid", "test.csv", "--log", "test.csv"},
          "test.csv: is the file of --valid, which --log must not replace");
  refused({"train", "clicks.csv", "--config", "options", "--log", "options"},
          "options: is the file of --config, which --log must not replace");
  refused({"convert", "clicks.csv", "--out", "soft"}, "soft: is the data, which --out must not replace");
  refused({"predict", "m", "clicks.csv", "--out", "hard"}, "hard: is the data, which --out must not replace");
  refused({"predict", "m", "clicks.csv", "--out", "m"}, "m: is the model, which --out must not replace");
  refused({"export", "m", "--onnx", "m"}, "m: is the model, which --onnx must not replace");
  const Finished by_stdin = run_fm(folder, {"predict", "m", "-", "--out", "clicks.csv"}, {.in = folder / "clicks.csv"});
  CHECK(by_stdin.err == "fm: clicks.csv: is the data, which --out must not replace; name another file\n");
  std::filesystem::rename(folder / "m", folder / "a");
  CHECK(said(folder, {"train", "a", "--model", "a"}) ==
        "1: fm: a: is the data, which --model must not replace; name another file\n");
  std::filesystem::copy_file(folder / "clicks.csv", folder / "m.checkpoint");
  CHECK(said(folder, {"train", "m.checkpoint", "--format", "csv", "--model", "m"}) ==
        "1: fm: m.checkpoint: is the data, which the checkpoint of --model must not replace; name another file\n");
  // The program itself: a copy, lest a failure should cost the real one.
  std::filesystem::copy_file(GRADUS_FM, folder / "fm");
  CHECK(by_shell(folder, "./fm train clicks.csv --model fm --overwrite; echo $?") ==
        "fm: fm: is this program, which --model must not replace; name another file\n1\n");
}

TEST_CASE("two outputs are two files") {
  const Folder folder;
  write_text(folder / "clicks.csv", clicks);
  CHECK(said(folder, {"train", "clicks.csv", "--model", "x", "--report", "./x"}) ==
        "1: fm: ./x: would be written twice, by --model and by --report\n");
  CHECK(said(folder, {"train", "clicks.csv", "--model", "x", "--log", "x.checkpoint"}) ==
        "1: fm: x.checkpoint: would be written twice, by the checkpoint of --model and by --log\n");
  CHECK(said(folder, {"train", "clicks.csv", "--model", "nowhere/x"}) ==
        "1: fm: nowhere/x: cannot be written: No such file or directory\n");
  CHECK(said(folder, {"train", "clicks.csv", "--report", "."}) == "1: fm: .: is a folder; --report names a file\n");
  CHECK(said(folder, {"train", "clicks.csv", "--tensorboard", "clicks.csv"}) ==
        "1: fm: clicks.csv: is no folder; --tensorboard names a folder\n");
  CHECK(folder.files().size() == 3);  // with what is printed
}

TEST_CASE("a file is replaced by its kind alone, or where --overwrite says so") {
  const Folder folder;
  write_text(folder / "clicks.csv", clicks);
  const std::string diary = "dear diary\n";
  struct Row {
    Words words;
    std::string kind;
  };
  train_clicks(folder);
  const std::vector<Row> rows = {
      {{"train", "clicks.csv", "--epochs", "1", "--model"}, "a model"},
      {{"train", "clicks.csv", "--epochs", "1", "--report"}, "a page of a training"},
      {{"train", "clicks.csv", "--epochs", "1", "--walkthrough"}, "a page of a training"},
      {{"train", "clicks.csv", "--epochs", "1", "--log"}, "a log of a training"},
      {{"train", "clicks.csv", "--epochs", "1", "--save-config"}, "a file of options"},
      {{"convert", "clicks.csv", "--out"}, "a data cache"},
      {{"predict", "m", "clicks.csv", "--out"}, "a list of predictions"},
      {{"export", "m", "--onnx"}, "a model that fm exported"},
      {{"export", "m", "--c-header"}, "a header of a model"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.kind);
    Words words = row.words;
    words.push_back("x");
    write_text(folder / "x", diary);
    const Finished refused = run_fm(folder, words);
    CHECK(refused.code == 1);
    CHECK(refused.err == fmt::format("fm: x: is there and is not {}; {} must name another file, unless --overwrite is "
                                     "given\n",
                                     row.kind, row.words.back()));
    CHECK(text_of(folder / "x") == diary);
    words.emplace_back("--overwrite");
    CHECK(run_fm(folder, words).code == 0);
    CHECK(text_of(folder / "x") != diary);
    words.pop_back();
    CHECK(run_fm(folder, words).code == 0);  // what the command itself has written
    write_text(folder / "x", "");
    CHECK(run_fm(folder, words).code == 0);  // mktemp's
    // What another command has written is of another kind.
    for (std::size_t next = 1; next < (thorough() ? rows.size() : 3); ++next) {
      const Row& other = rows[(static_cast<std::size_t>(&row - rows.data()) + next) % rows.size()];
      if (other.kind == row.kind) continue;
      Words others = other.words;
      others.push_back("x");
      CHECK(run_fm(folder, others).code == 1);
    }
    std::filesystem::remove(folder / "x");
  }
}

TEST_CASE("--resume without a checkpoint refuses, and leaves an old model alone") {
  const Folder folder;
  train_clicks(folder);
  const std::string model = text_of(folder / "m");
  CHECK(
      said(folder, {"train", "clicks.csv", "--model", "m", "--resume"}) ==
      "1: fm: m.checkpoint: is not there, so there is no training to go on with; without --resume a new one begins\n");
  CHECK(text_of(folder / "m") == model);
}

TEST_CASE("streams that are closed or full: an exit code, never an abort") {
  const Folder folder;
  train_clicks(folder);
  const auto code = [&](const std::string& command) { return by_shell(folder, command + "; echo $?"); };
  CHECK(code("fm train nofile 2>&-") == "1\n");
  CHECK(code("fm train nofile 2>/dev/full") == "1\n");
  CHECK(code("fm 2>&-") == "2\n");
  CHECK(code("fm inspect none >&- 2>&-") == "1\n");
  for (const std::string words : {"--help", "train --help", "train -h", "--version", "inspect m",
                                  "evaluate m clicks.csv", "train clicks.csv --epochs 2", "inspect m --json"}) {
    CAPTURE(words);
    CHECK(code("fm " + words + " 2>&- >&-") == "1\n");
    CHECK(code("fm " + words + " >/dev/full 2>/dev/null") == "1\n");
  }
  CHECK(code("fm train clicks.csv --epochs 2 <&- >/dev/null") == "0\n");
  CHECK(code("fm predict m - <&-") == "fm: standard input: cannot be read: Bad file descriptor\n1\n");
  // A model lands in no stream's place, nor a message in a model.
  CHECK(code("fm train clicks.csv --epochs 2 --model closed <&- >&- 2>&-") == "1\n");
  CHECK(run_fm(folder, {"inspect", "closed"}).code == 0);
  // Nobody reads on: nothing is said.
  write_text(folder / "many", ratings_text({.count = 200'000, .form = RatingsForm::libfm}));
  REQUIRE(run_fm(folder, {"train", "many", "--format", "libfm", "--model", "n", "--epochs", "1"}).code == 0);
  CHECK(by_shell(folder, "fm predict n many | head -1 >/dev/null; echo ${PIPESTATUS[0]}") == "1\n");
}

TEST_CASE("little stack, little memory") {
  const Folder folder;
  write_text(folder / "clicks.csv", clicks);
  const std::string plain =
      by_shell(folder, "fm train clicks.csv --epochs 2 --json --threads 2 | grep -v seconds; echo $?");
  CHECK(
      by_shell(folder, "ulimit -s 64; fm train clicks.csv --epochs 2 --json --threads 2 | grep -v seconds; echo $?") ==
      plain);
#if !defined(GRADUS_ASAN) && !defined(GRADUS_TSAN)
  // The work is done and the program ends, or it says why not. OpenBLAS speaks below 80 MB, before there is a program.
  for (const int kib : {90'000, 120'000, 150'000, 180'000, 250'000}) {
    const std::string limited = by_shell(
        folder,
        fmt::format("ulimit -v {}; timeout -s KILL 60 '{}' train clicks.csv --epochs 2 --quiet >/dev/null; echo $?",
                    kib, GRADUS_FM));
    CAPTURE(limited);
    CHECK((limited == "0\n" || (limited.starts_with("fm: ") && limited.ends_with("\n1\n"))));
  }
  const std::string deep =
      by_shell(folder, fmt::format("ulimit -v 120000; timeout -s KILL 60 '{}' train clicks.csv --kind "
                                   "deep --batch 0 --factors 40 --epochs 2 --quiet >/dev/null; echo $?",
                                   GRADUS_FM));
  CHECK((deep.ends_with("\n1\n") || deep == "0\n"));
#endif
}

TEST_CASE("names that would steer a terminal are escaped wherever they are printed") {
  const Folder folder;
  const std::string evil = "\x1b[31mred\a\r\xe2\x80\xae";  // what a table may hold: it is UTF-8
  std::string table = fmt::format("user,\"{0}\",y\n", evil);
  for (int i = 0; i < 40; ++i) table += fmt::format("\"u{0}{1}\",\"{1}\n{2}\",{3}\n", i % 3, evil, i % 4, i % 5);
  const std::string name = "data" + evil.substr(0, 9) + ".csv";
  write_text(folder / name, table);
  const auto check_safe = [&](const Words& words, bool shows = true) {
    const Finished done = run_fm(folder, words);
    for (const std::string& text : {done.out, done.err}) {
      for (const std::string what : {"\x1b", "\a", "\r", "\xe2\x80\xae", "\xff"})
        CHECK_MESSAGE(text.find(what) == std::string::npos, text);
    }
    if (shows) CHECK((done.out + done.err).find("\\x1b[31mred\\x07") != std::string::npos);
  };
  check_safe({"train", name, "--model", "m", "--epochs", "2", "--test", name});
  check_safe({"inspect", "m"});
  check_safe({"inspect", "m", "--feature", "user=u0" + evil});
  check_safe({"inspect", "m", "--feature", evil});
  check_safe({"evaluate", "m", name});
  check_safe({"evaluate", "m", evil + "\xff"});
  check_safe({"train", name, "--target", evil + "x"});
  check_safe({"train", name, "--rate", evil});
  check_safe({evil});
  check_safe({"train", name, "--" + evil});
  check_safe({"convert", name, "--out", "c" + evil});
  check_safe({"predict", "m", name, "--out", "p" + evil});
  write_text(folder / "new.csv", fmt::format("user,\"{0}\"\nnobody,\"{0}\"\n", evil));
  check_safe({"predict", "m", "new.csv"});
  // Data for programs are exact.
  const auto json = nlohmann::json::parse(run_fm(folder, {"inspect", "m", "--json"}).out);
  CHECK(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).find("\\u001b[31mred") !=
        std::string::npos);
}

TEST_CASE("options by other names, from a file, and what was probably meant") {
  const Folder folder;
  write_text(folder / "clicks.csv", clicks);
  const auto model = [&](const Words& words) {
    const Finished done = run_fm(folder, words);
    REQUIRE_MESSAGE(done.code == 0, done.err);
    return text_of(folder / "m");
  };
  const std::string right =
      model({"train", "clicks.csv", "--target", "clicked", "--model", "m", "--factors", "3", "--rate", "0.02",
             "--epochs", "2", "--batch", "4", "--quiet", "--save-config", "saved"});
  CHECK(model({"train", "clicks.csv", "-t", "clicked", "-m", "m", "-k3", "--lr=0.02", "-e", "2", "-b", "4", "-q"}) ==
        right);
  CHECK(model({"train", "--config", "saved"}) == right);
  write_text(folder / "options",
             "# mine\n[predict]\nnonsense = 1\n[train]\ndata = \"clicks.csv\"\ntarget = 'clicked'  # the last\nmodel = "
             "m\nk = 9\n"
             "lr = 0.02\nepochs = 2\n\nbatch=4\nquiet = true\nrefit = false\nignore = []\n");
  CHECK(model({"train", "--config", "options", "--factors", "3"}) == right);  // the command line goes before
  const auto refused = [&](const std::string& text, const std::string& what) {
    CAPTURE(text);
    write_text(folder / "options", text);
    CHECK(said(folder, {"train", "clicks.csv", "--config", "options"}) ==
          fmt::format("2: fm: options:{} (see fm train --help)\n", what));
  };
  refused("rate = 0.1\nepoch = 3\n", "2: there is no option epoch; did you mean --epochs?");
  refused("rate\n", "1: NAME = VALUE is expected");
  refused("rate =\n", "1: there is no value");
  refused("rate = fast\n", "1: --rate is fast; a number is expected");
  refused("\n\nrate = -1\n", "3: --rate is -1; a number of at least 0 is expected");
  refused("rate = 1\nlr = 1\n", "2: lr is given twice");
  refused("quiet = yes\n", "1: quiet is true or false");
  refused("target = \"y\n", "1: a quote is not closed");
  refused("ignore = [a, b\n", "1: a list has no ] at its end");
  refused("target = \"y\" z\n", "1: something follows the value: z");
  refused("[train\n", "1: a section has no ] at its end");
  refused("config = other\n", "1: config is for the command line alone");
  CHECK(said(folder, {"train", "clicks.csv", "--config", "none"}) ==
        "1: fm: none: cannot be opened: No such file or directory\n");

  CHECK(said(folder, {"trian"}) == "2: fm: there is no command trian; did you mean train? (see fm --help)\n");
  CHECK(said(folder, {"train", "x", "--leaning-rat=1"}) ==
        "2: fm: there is no option --leaning-rat (see fm train --help)\n");
  CHECK(said(folder, {"train", "x", "--facotrs", "1"}) ==
        "2: fm: there is no option --facotrs; did you mean --factors? (see fm train --help)\n");
  CHECK(said(folder, {"inspect", "m", "x"}) == "2: fm: x is not expected (see fm inspect --help)\n");
  const std::string brief = run_fm(folder, {"train", "-h"}).out;
  const std::string whole = run_fm(folder, {"train", "--help"}).out;
  CHECK(std::count(brief.begin(), brief.end(), '\n') < 20);
  CHECK(brief.find("-k,--factors") != std::string::npos);
  CHECK(whole.find("--rmsprop-momentum") != std::string::npos);
}

TEST_CASE("a file that shrinks while fm reads it is an error") {
  const Folder folder;
  const std::string text = ratings_text({.count = thorough() ? 1'000'000 : 300'000, .form = RatingsForm::libfm});
  int shrunk = 0;
  for (int i = 0; i < 6; i += thorough() ? 1 : 2) {
    write_text(folder / "r", text);
    Running program(folder, {"train", "r", "--format", "libfm", "--epochs", "1", "--valid-fraction", "0", "--quiet"});
    std::this_thread::sleep_for(std::chrono::milliseconds(8 << i));
    std::filesystem::resize_file(folder / "r", text.find('\n', 1000) + 1);
    const Finished done = program.wait();
    CHECK(done.signal == 0);
    // It was read before, or not opened yet: what is left are whole lines.
    CHECK((done.code == 0 || done.err == "fm: r: became shorter while it was read\n"));
    if (done.code != 0) ++shrunk;
  }
  MESSAGE(shrunk, " trainings met the shorter file");
  // A cache that is streamed is read until the end.
  write_text(folder / "r", ratings_text({.count = 200'000, .form = RatingsForm::libfm}));
  REQUIRE(run_fm(folder, {"convert", "r", "--format", "libfm", "--out", "c", "--block-rows", "5000"}).code == 0);
  Running program(folder, {"train", "c", "--stream-above", "0", "--epochs", "100000", "--patience", "0"});
  REQUIRE(program.prints("\n    2 "));
  std::filesystem::resize_file(folder / "c", 100'000);
  const Finished done = program.wait();
  CHECK(done.signal == 0);
  CHECK(done.err == "fm: c: became shorter while it was read\n");
}
