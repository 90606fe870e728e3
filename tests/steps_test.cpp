// Plans as data: every value once, with an id of its own, what it reads before it, where and how much it writes, and
// which of the user's nodes it is; and the text that is made of that.
#include "emulator/emulated_accelerator.h"
#include "plan_steps.h"
#include "random_graph.h"
#include "refusal.h"
#include "thorough.h"

#include <gradus/core/graph/op.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {
namespace {

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

const PlanStep& step_of(const PlanSteps& plan, std::string_view op) {
  const auto found =
      std::find_if(plan.list.begin(), plan.list.end(), [&](const PlanStep& step) { return step.op == op; });
  REQUIRE_MESSAGE(found != plan.list.end(), op << "\n" << to_string(plan));
  return *found;
}

std::vector<std::string> names(const std::vector<StepNode>& nodes) {
  std::vector<std::string> all;
  for (const StepNode& node : nodes) all.push_back(node.name);
  return all;
}

// What holds of every plan.
void check_plan(const PlanSteps& plan) {
  const std::string text = to_string(plan);
  CAPTURE(text);
  std::int64_t arena = 0;
  for (std::size_t i = 0; i < plan.list.size(); ++i) {
    const PlanStep& step = plan.list[i];
    CAPTURE(i);
    CHECK(step.id == static_cast<int>(i));
    CHECK(count_of(text, fmt::format("  %{} = ", i)) == 1);
    CHECK(has(text, formula(plan, step.id) + "  " + details(plan, step.id) + "\n"));
    for (const StepInput& input : step.inputs) {
      CHECK(input.id < step.id);
      if (input.id >= 0) CHECK(has(formula(plan, step.id), fmt::format("%{}", input.id)));
    }
    if (step.is_given()) CHECK(step.inputs.empty());
    CHECK((step.place == StepPlace::none) == (step.is_given() || step.form == StepForm::view));
    CHECK(step.type.shape.known());
    // A value of no elements takes no bytes, and one without rows none for a row.
    if (step.place != StepPlace::none && step.type.shape.size() > 0) {
      CHECK(step.bytes > 0);
      CHECK((step.bytes_each > 0) == (step.type.layout != Layout::dense));
    }
    if (step.place == StepPlace::arena) {
      CHECK(step.offset >= 0);
      arena = std::max(arena, step.offset + (step.bytes + 63) / 64 * 64);
    }
    if (step.target >= 0) CHECK(plan.list[static_cast<std::size_t>(step.target)].form == StepForm::variable);
    CHECK((step.group < static_cast<int>(plan.groups.size())));
    if (step.place == StepPlace::tile || step.place == StepPlace::registers) CHECK(step.group >= 0);
  }
  CHECK(arena == plan.arena_bytes);
  // A group's steps stand together.
  std::vector<int> groups;
  for (std::size_t i = 0; i < plan.list.size(); ++i)
    if (const int group = plan.list[i].group; group >= 0 && (i == 0 || plan.list[i - 1].group != group))
      groups.push_back(group);
  CHECK(std::is_sorted(groups.begin(), groups.end()));
  CHECK(groups.size() == plan.groups.size());
}

TEST_CASE("steps: of random plans, on the CPU and on a device") {
  const std::vector<SessionOptions> options{{.threads = 1},
                                            {.threads = 1, .without = {"simplify", "reassociate", "tiles", "fuse"}}};
  for (std::uint64_t seed = 0; seed < (thorough() ? 40U : 10U); ++seed) {
    CAPTURE(seed);
    RandomGraph random(seed);
    std::vector<Expr> fetches = random.values;
    fetches.push_back(random.train);
    for (const SessionOptions& of : options)
      for (const Device& device : devices_to_try()) {
        Session session(random.g, device, of);
        const PlanSteps plan = session.steps(fetches, random.batches[0]);
        check_plan(plan);
        CHECK(plan.launch.empty() == device.is_cpu());
        const PlanSteps of_gradients = session.steps(random.gradients, random.batches[0]);
        check_plan(of_gradients);
        CHECK(to_string(session.steps(fetches, random.batches[0])) == to_string(plan));
      }
  }
}

TEST_CASE("steps: a plan is the same before and after it has run, and asking for it changes nothing") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, 90}), y = g.placeholder("y", {any, 1});
  const FactorizationMachine fm(X, y, {.factors = 8, .init_stddev = 0.1, .seed = 1});
  const Expr train = Adam(0.1).minimize(fm.loss);
  const Feeds feeds{{X, random_uniform({300, 90}, {.seed = 2}).draw(0).to_csr()}, {y, ones({300, 1})}};
  Session asked(g), silent(g);
  const std::string before = asked.explain(train, feeds);
  for (int run = 0; run < 3; ++run) {
    CHECK(to_string(asked.steps(train, feeds)) == before);
    asked.steps(fm.V, feeds);
    for (Session* session : {&asked, &silent}) session->run(train, feeds);
  }
  CHECK(asked.explain(train, feeds) == before);
  for (const Expr& variable : g.variables()) CHECK(asked.value(variable) == silent.value(variable));
}

TEST_CASE("steps: the user's nodes, whatever the plan has made of them") {
  Graph g;
  const int line = __LINE__;
  const Expr X = g.placeholder("X", {7, 16}), V = g.variable("V", ones({5, 16}));
  const Expr scale = g.constant(Tensor(3), "scale");
  const Expr squares = pow(X, 2), twice = pow(X, 2);
  const Expr sum = reduce_sum(matmul(squares, transpose(pow(V, 2))), 1, keep_dims);
  const Expr y = sum * scale + reduce_sum(twice, 1, keep_dims) * (scale - 1);
  const PlanSteps plan = Session(g).steps(y);
  check_plan(plan);
  CHECK(plan.list[0].name == "X");
  CHECK(to_string(plan.list[0].where) == here(line + 1));
  // Written twice, computed once; both of its nodes are named.
  const auto square = std::find_if(plan.list.begin(), plan.list.end(),
                                   [](const PlanStep& s) { return s.op == "square" && s.inputs[0].id == 0; });
  REQUIRE(square != plan.list.end());
  CHECK(names(square->nodes) == std::vector<std::string>{"pow", "pow_1"});
  CHECK(to_string(square->nodes[0].where) == here(line + 3));
  // The sum is taken before the product, which does the work of both; what is summed has no node of its own.
  const PlanStep& product = step_of(plan, "matmul");
  CHECK(names(product.nodes) == std::vector<std::string>{"reduce_sum"});
  CHECK(names(product.including) == std::vector<std::string>{"transpose", "matmul"});
  const PlanStep& factors = plan.list[static_cast<std::size_t>(product.inputs[1].id)];
  CHECK(factors.op == "reduce_sum");
  CHECK(factors.nodes.empty());
  CHECK(to_string(factors.where) == here(line + 4));
  // Constants by the user's name, and numbers by what they are.
  const auto constants = std::count_if(plan.list.begin(), plan.list.end(), [](const PlanStep& s) {
    return s.form == StepForm::constant && ((s.name == "scale" && to_string(s.attributes) == "3") ||
                                            (s.name.empty() && to_string(s.attributes) == "2"));
  });
  CHECK(constants == 2);
  const std::string text = to_string(plan);
  CHECK(has(text, "(with transpose, matmul), " + here(line + 4)));
  CHECK(has(text, fmt::format("  # pow, pow_1, {}\n", here(line + 3))));
}

TEST_CASE("steps: bytes of values whose size a run decides") {
  Graph g;
  const Expr X = g.sparse_placeholder("X", {any, 300}), d = g.placeholder("d", {any, 6}),
             M = g.placeholder("M", {9, 4});
  const Expr V = g.variable("V", ones({300, 6}));
  const Expr rows = gradients(reduce_sum(matmul(X, V) * d), {V})[0], squares = square(X), own = to_csr(M);
  const Tensor x = Tensor::csr(4, 300, std::vector<std::int64_t>{0, 2, 3, 3, 5},
                               std::vector<std::int64_t>{7, 9, 9, 7, 299}, std::vector<double>{1, 2, 3, 4, 5})
                       .cast(float32);
  const Feeds feeds{{X, x}, {d, ones({4, 6})}, {M, Tensor(random_normal({9, 4}, {.seed = 1}))}};
  Session session(g);
  const std::vector<Expr> fetches{rows, squares, own};
  const PlanSteps plan = session.steps(fetches, feeds);
  check_plan(plan);
  const std::vector<Tensor> results = session.run(fetches, feeds);
  // Three columns are active: a row of 6 for each, by the index that X has.
  const PlanStep& of_rows = step_of(plan, "matmul");
  CHECK(of_rows.place == StepPlace::grows);
  CHECK(plan.list[static_cast<std::size_t>(of_rows.each_of)].name == "X");
  CHECK(3 * of_rows.bytes_each == results[0].stored() * 4);
  CHECK(of_rows.bytes == 300 * 6 * 4);
  const PlanStep& of_squares = step_of(plan, "square");
  CHECK(of_squares.each_of == of_rows.each_of);
  CHECK(5 * of_squares.bytes_each == results[1].stored() * 4);
  CHECK(of_squares.bytes == 4 * 300 * 4);
  // A number and a column for each non-zero, and where each row begins.
  const PlanStep& of_own = step_of(plan, "to_csr");
  CHECK(of_own.each_of == -1);
  CHECK(of_own.bytes_each == 8);
  CHECK(of_own.bytes == 9 * 4 * 8 + 10 * 8);
  const std::string text = to_string(plan);
  const std::string first = text.substr(0, text.find('\n'));
  for (const std::string& each :
       {std::string("4 for each non-zero of %0 X"), std::string("24 for each row that %0 X touches"),
        fmt::format("8 for each non-zero of %{}", of_own.id)})
    CHECK(has(first, " + " + each));
  CHECK(has(text, "  grows: 24 bytes a row that %0 X touches, at most 7200, fetched  # gradients/matmul, "));
  for (const char* const word : {"\ncsr: ", "\nrows: ", "\ngrows: ", "\ncall: ", "\nloop: "}) CHECK(has(text, word));
  for (const char* const word : {"\npart: ", "\nview: ", "\nat N: ", "\nin tiles: "}) CHECK_FALSE(has(text, word));
}

TEST_CASE("steps: on a device, kernels of several steps, calls, and what the host computes") {
  Graph g;
  const Expr x = g.placeholder("x", {50, 40}), n = g.placeholder("n", {3}, int32);
  const std::vector<Expr> fetches{reduce_sum(exp(x) * 2), matmul(x, transpose(x)), floordiv(n, 2)};
  const PlanSteps plan = Session(g, emulated_device()).steps(fetches);
  check_plan(plan);
  const PlanStep& exponential = step_of(plan, "exp");
  REQUIRE(exponential.group >= 0);
  CHECK(exponential.place == StepPlace::registers);
  const StepGroup& kernel = plan.groups[static_cast<std::size_t>(exponential.group)];
  CHECK(kernel.dense_bytes == 50 * 40 * 4 + 4 + 4);
  CHECK(step_of(plan, "reduce_sum").group == exponential.group);
  CHECK(step_of(plan, "reduce_sum").fetched);
  CHECK(step_of(plan, "matmul").form == StepForm::call);
  CHECK(step_of(plan, "floordiv").form == StepForm::host);
  CHECK(plan.launch == "recorded when the same tensors are fed again");
  const std::string text = to_string(plan);
  CHECK(text.starts_with(fmt::format("5 steps on {} in 1 kernels and 2 calls, ", plan.device)));
  CHECK(has(text, fmt::format("\n      kernel {}, 8008 bytes of dense tensors\n        %", kernel.kernel)));
  for (const char* const word : {"\nkernel: ", "\nhost: ", "\nin registers: "}) CHECK(has(text, word));
  CHECK_FALSE(has(text, "\nregion: "));
}

TEST_CASE("steps: as text") {
  Graph g;
  const int line = __LINE__;
  const Expr x = g.placeholder("x", {any, 4});
  const Expr w = g.variable("w", ones({4}));
  const Expr old = g.variable("old", ones({4}));
  const Expr y = reduce_sum(x * w, 1);
  const Expr step = g.assign(w, w - 0.5 * w);
  const Expr keep = g.assign(old, w);
  const Expr all = g.group({{y, step, keep}});
  Session session(g);
  const auto at = [&](int of) { return here(line + of); };
  CHECK(
      session.explain(all, {{x, ones({8, 4})}}) ==
      fmt::format(
          "3 steps on cpu, 64 bytes of intermediate results\n"
          "  %0 = placeholder x  float32 [8, 4]  # {1}\n"
          "  %1 = variable w  float32 [4]  # {2}\n"
          "  %2 = variable old  float32 [4]  # {3}\n"
          "  %3 = constant 0.5  float32 []  # {5}\n"
          "  %4 = reshape(%1 w; shape=[4, 1])  float32 [4, 1]  view  # {4}\n"
          "  %5 = matmul(%0 x, %4)  float32 [8, 1]  call  at 0  # reduce_sum (with multiply), {4}\n"
          "  kernel 0 of 2 steps, step by step\n"
          "          %6 = multiply(%3 0.5, %1 w)  float32 [4]  loop  at 0  # multiply_1, {5}\n"
          "          %7 = subtract(%1 w, %6)  float32 [4]  loop  at 0  # subtract, {5}\n"
          "  %8 = assign(%1 w, %7)  float32 [4]  copy  to %1 w  # {5}\n"
          "  %9 = assign(%2 old, %1 w)  float32 [4]  copy  to %2 old  # {6}\n"
          "\n"
          "%N is a value: first what a run is given, then what is computed, in the order of work, from the values in "
          "brackets.\n"
          "# the nodes of the program that have this value (with those whose work it does), and their line.\n"
          "kernel: one loop, element by element, computes its steps as soon as it is compiled; until then they run one "
          "after the other, to the same numbers.\n"
          "view: the numbers of what it reads, perhaps under another shape; nothing is computed.\n"
          "loop: element by element.\n"
          "call: by a kernel of the op's own.\n"
          "copy: the variable gets its new value when the run ends.\n"
          "at N: N bytes into the memory for intermediate results, which later values use again.\n",
          "", at(1), at(2), at(3), at(4), at(5), at(6)));
  CHECK(has(session.explain(step), "loop  in place of %0 w, fetched  # subtract, " + at(5)));
  CHECK(session.explain(std::vector<Expr>{}).empty());
  CHECK(session.steps(std::vector<Expr>{}).list.empty());
  CHECK_THROWS_AS(session.explain(y), FeedError);
  CHECK(refusal<FeedError>([&] { session.steps(y); }) ==
        "steps: the placeholder x (" + at(1) + ") needs a value: float32 [?, 4]");
}

TEST_CASE("steps: what an op was told, as data") {
  using Numbers = std::vector<std::int64_t>;
  Graph g;
  const Expr x = g.placeholder("x", {2, 3, 4});
  const Expr sum = reduce_sum(x, {0, 2}, keep_dims);
  const Expr part = slice(sum, {0, 1, 0}, {1, -1, 1});
  const Expr product = matmul(reshape(x, {6, 4}), reshape(x, {6, 4}), {.transpose_b = true});
  const Expr printed = Print(x, {x}, {.message = "transpose_a, axes=[7]"});

  const Attributes of_sum = sum.op().attributes();
  CHECK(of_sum.numbers("axes") == Numbers{0, 2});
  CHECK(of_sum.has("keep_dims"));
  CHECK_FALSE(of_sum.has("scale"));
  CHECK(of_sum.numbers("keep").empty());
  CHECK(to_string(of_sum) == "axes=[0, 2], keep_dims");
  CHECK(part.op().attributes().numbers("begin") == Numbers{0, 1, 0});
  CHECK(part.op().attributes().numbers("size") == Numbers{1, -1, 1});
  CHECK(concat({x, x}, 1).op().attributes().numbers("axis") == Numbers{1});
  CHECK(product.op().attributes().has("transpose_b"));
  CHECK_FALSE(product.op().attributes().has("transpose_a"));
  CHECK(matmul(product, product).op().attributes().empty());
  // What a user says of a node is no attribute but the one that it is.
  CHECK_FALSE(printed.op().attributes().has("transpose_a"));
  CHECK(printed.op().attributes().numbers("axes").empty());
  CHECK(printed.op().attributes().numbers("message").empty());

  Session session(g, Device::cpu(), {.without = {"tiles"}});
  bool seen = false;
  for (const PlanStep& step : session.steps(sum, {{x, ones({2, 3, 4})}}).list)
    if (step.op == "reduce_sum") seen = step.attributes.numbers("axes") == Numbers{0, 2};
  CHECK(seen);
}

}  // namespace
}  // namespace gradus
