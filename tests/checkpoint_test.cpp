// Saving a session and going on from the file: values, optimizer slots, the random numbers of later runs; and what a
// file that is not the graph's is refused with.
#include "folder.h"
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/io/safetensors.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace gradus {
namespace {

// Draws from random nodes and moves a slot, so that nothing of a session's state is left out.
struct Trained {
  Graph g;
  Expr w = g.variable("deep/er/w", random_normal({3, 2}, {.seed = 5}));
  Expr step = g.variable("step", zeros({}, int64), {.trainable = false});
  Expr noise = random_uniform(g, {3, 2});
  Expr loss = reduce_sum(square(w - dropout(noise, 0.5)));
  Expr train = Adagrad(0.1).minimize(loss, {.variables = {w}, .step = step});
};

TEST_CASE("training goes on from a checkpoint as if it had never stopped") {
  const Folder folder;
  Trained a;
  Session through(a.g);
  for (int i = 0; i < 3; ++i) through.run(a.train);
  through.save(folder / "at3");
  for (int i = 0; i < 4; ++i) through.run(a.train);

  Trained b;  // another graph of the same program
  Session resumed(b.g);
  resumed.run(b.train);
  resumed.restore(folder / "at3");
  CHECK(resumed.value(b.step).item() == 3);
  for (int i = 0; i < 4; ++i) resumed.run(b.train);
  for (const Expr& variable : a.g.variables())
    CHECK(through.value(variable) == resumed.value(b.g.find(variable.name())));
  CHECK(through.run(a.noise) == resumed.run(b.noise));
}

TEST_CASE("a checkpoint is a safetensors file with the variables under their names") {
  const Folder folder;
  Trained a;
  Session session(a.g);
  session.run(a.train);
  session.save(folder / "m.safetensors");
  const SafeTensors file = load_safetensors(folder / "m.safetensors");
  CHECK(file.metadata.at("gradus_format") == "1");
  CHECK(file.metadata.at("gradus_runs") == "1");
  CHECK(file.tensors.size() == 3);
  CHECK(file.tensors.at("deep/er/w") == session.value(a.w));
  CHECK(file.tensors.at("deep/er/w/Adagrad/accumulator").shape() == Shape({3, 2}));
  CHECK(file.tensors.at("step") == Tensor(1, int64));
}

TEST_CASE("variables that were never used are saved with their initial values") {
  const Folder folder;
  Graph g;
  const Expr w = g.variable("w", random_uniform({2}, {.seed = 3}));
  const Expr empty = g.variable("empty", zeros({0, 4}));
  Session first(g), second(g);
  first.save(folder / "m");
  second.assign(w, Tensor({1, 2}));
  second.restore(folder / "m");
  CHECK(second.value(w) == first.value(w));
  CHECK(second.value(empty).shape() == Shape({0, 4}));
}

TEST_CASE("a file that is not the graph's is refused with all that differs, and nothing changes") {
  const Folder folder;
  {
    Graph g;
    g.variable("same", ones({2}));
    g.variable("shape", ones({2, 3}));
    g.variable("dtype", ones({2}, float64));
    g.variable("both", ones({4}, float64));
    g.variable("only/in/file", ones({5}, int32), {.trainable = false});
    Session session(g);
    session.save(folder / "m");
  }
  Graph g;
  const Expr same = g.variable("same", zeros({2}));
  const int line = __LINE__;
  g.variable("missing", zeros({7}));
  g.variable("shape", zeros({3, 2}));
  g.variable("dtype", zeros({2}));
  g.variable("both", zeros({3}));
  g.placeholder("only/in/file", {5}, int32);
  Session session(g);
  CHECK(refusal<IoError>([&] { session.restore(folder / "m"); }) ==
        fmt::format("restore: {} does not fit the graph:"
                    "\n  missing ({}) is float32 [7] but is missing in the file"
                    "\n  shape ({}) is float32 [3, 2] but float32 [2, 3] in the file; their shapes differ"
                    "\n  dtype ({}) is float32 [2] but float64 [2] in the file; their dtypes differ"
                    "\n  both ({}) is float32 [3] but float64 [4] in the file; their dtypes and shapes differ"
                    "\n  only/in/file is int32 [5] in the file but no variable of the graph",
                    folder / "m", here(line + 1), here(line + 2), here(line + 3), here(line + 4)));
  CHECK(session.value(same) == Tensor({0, 0}));
}

TEST_CASE("some variables of a file, and such as have another name there") {
  const Folder folder;
  {
    Graph g;
    g.variable("W", Tensor({1, 2}));
    g.variable("V", Tensor({3, 4}));
    const Expr count = g.variable("count", zeros({}));
    Session session(g);
    session.run(assign_add(count, 5));
    session.save(folder / "m");
  }
  Graph g;
  const Expr W = g.variable("user/W", zeros({2})), V = g.variable("V", zeros({2})), noise = random_uniform(g, {3});
  Session session(g), beside(g);
  session.restore(folder / "m", {.only = {V}});
  CHECK(session.value(V) == Tensor({3, 4}));
  CHECK(session.value(W) == Tensor({0, 0}));
  CHECK(session.run(noise) == beside.run(noise));  // the runs go on as they were
  session.restore(folder / "m", {.only = {W}, .rename = {{"W", "user/W"}}});
  CHECK(session.value(W) == Tensor({1, 2}));

  CHECK(
      refusal<IoError>([&] {
        session.restore(folder / "m", {.rename = {{"W", "user/W"}}});
      }) ==
      fmt::format("restore: {} does not fit the graph:\n  count is float32 [] in the file but no variable of the graph",
                  folder / "m"));
  CHECK(refusal<IoError>([&] { session.restore(folder / "m", {.only = {W}}); }) ==
        fmt::format("restore: {} does not fit the graph:\n  user/W ({}) is float32 [2] but is missing in the file",
                    folder / "m", to_string(W.where())));
  CHECK(refusal<ValueError>([&] {
          session.restore(folder / "m", {.rename = {{"U", "V"}}});
        }) == fmt::format("restore: {} has no U, which is to be V", folder / "m"));
  CHECK(refusal<ValueError>([&] {
          session.restore(folder / "m", {.rename = {{"W", "V"}}});
        }) == fmt::format("restore: two tensors of {} would be V; each is renamed to a name of its own", folder / "m"));
  CHECK(refusal([&] {
          session.restore(folder / "m", {.only = {noise}});
        }).find("is not a variable of the session's graph") != std::string::npos);
}

TEST_CASE("files that are no checkpoints") {
  const Folder folder;
  const std::string path = folder / "m";
  Graph g;
  g.variable("w", ones({1}));
  Session session(g);
  const std::map<std::string, Tensor> w{{"w", Tensor({2})}};
  const auto said_of = [&](const std::map<std::string, std::string>& metadata) {
    save_safetensors(path, {w, metadata});
    return refusal<IoError>([&] { session.restore(path); });
  };
  CHECK(said_of({}) ==
        fmt::format("restore: {} is no checkpoint of a session: its metadata name no gradus_format", path));
  CHECK(said_of({{"gradus_format", "2"}}) == fmt::format("restore: {} has gradus_format 2; only 1 is known", path));
  for (const std::string runs : {"", "-1", "3x", "99999999999999999999999"})
    CHECK(said_of({{"gradus_format", "1"}, {"gradus_runs", runs}}) ==
          fmt::format("restore: {} has gradus_runs '{}'; a number is expected", path, runs));
  CHECK(said_of({{"gradus_format", "1"}}) == fmt::format("restore: {} has gradus_runs ''; a number is expected", path));
  CHECK(session.value(g.find("w")).item() == 1);
  CHECK(said_of({{"gradus_format", "1"}, {"gradus_runs", "7"}}) == "nothing was thrown");
  CHECK(session.value(g.find("w")).item() == 2);
  CHECK(refusal<IoError>([&] { session.restore(folder / "none"); }) ==
        fmt::format("{}: cannot be opened: No such file or directory", folder / "none"));
  CHECK(refusal<IoError>([&] { session.save(folder / "no/folder"); }) ==
        fmt::format("{}: cannot be written: No such file or directory", folder / "no/folder"));
}

}  // namespace
}  // namespace gradus
