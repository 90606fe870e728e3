// Profiles: every step is counted and timed, state goes on as in runs, and the trace is what Chrome reads.
#include "folder.h"
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/ops/ops.h>
#include <gradus/optim/optim.h>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <string>

namespace gradus {
namespace {

TEST_CASE("a profile counts and times the steps of a run") {
  Graph g;
  const Expr x = g.placeholder("x", {any, 64});
  const Expr w = g.variable("w", ones({64, 1}));
  const Expr loss = reduce_sum(square(exp(x) - matmul(x, w)));
  const Expr train = GradientDescent(1e-9).minimize(loss);
  Session session(g, Device::cpu(), {.threads = 2});
  const Tensor xs = random_normal({20000, 64}, {.stddev = 0.1, .seed = 1});

  const Profile profile = session.profile(train, {{x, xs}}, 3);
  CHECK(profile.runs == 3);
  CHECK(profile.seconds > 0);
  REQUIRE_FALSE(profile.steps.empty());
  for (const StepTime& step : profile.steps) {
    CHECK(step.calls > 0);
    CHECK(step.seconds > 0);
  }
  const auto exponential = std::find_if(profile.steps.begin(), profile.steps.end(), [&](const StepTime& s) {
    return profile.plan.list[static_cast<std::size_t>(s.id)].op == "exp";
  });
  REQUIRE(exponential != profile.steps.end());
  CHECK(exponential->calls > 10);  // tiles

  std::int64_t calls = 0;
  for (const StepTime& step : profile.steps) calls += step.calls;
  CHECK(static_cast<std::int64_t>(profile.calls.size()) == calls);
  for (const StepCall& call : profile.calls) {
    CHECK(call.start >= 0);
    CHECK(call.step < profile.steps.size());
  }
  const std::string table = to_string(profile);
  CHECK(table.find("3 runs, ") == 0);
  CHECK(table.find(fmt::format("%{} = exp(%0 x)", exponential->id)) != std::string::npos);
  CHECK(table.find(fmt::format("  float32 [20000, 64]  loop  in tiles  # exp, {}\n", to_string(loss.where()))) !=
        std::string::npos);
  CHECK(to_string(profile.plan) == session.explain(train, {{x, xs}}));
  // One run to warm up and three with clocks.
  Session plain(g);
  for (int i = 0; i < 4; ++i) plain.run(train, {{x, xs}});
  CHECK(plain.value(w) == session.value(w));
}

TEST_CASE("a trace is a list of complete events") {
  const Folder folder;
  const std::string path = folder / "trace.json";
  Graph g;
  const Expr v = g.variable("v", ones({8, 8}));
  Session session(g);
  const Profile profile = session.profile(matmul(exp(matmul(v, v)), v));
  profile.write_trace(path);
  std::ifstream file(path);
  const nlohmann::json trace = nlohmann::json::parse(file);
  const auto& events = trace.at("traceEvents");
  REQUIRE(events.size() == profile.calls.size());
  REQUIRE(events.size() == 3);
  CHECK(events[0].at("name") == "matmul");
  CHECK(events[2].at("args").at("step") == "%3 = matmul(%2, %0 v)");
  double before = 0;
  for (const auto& event : events) {
    CHECK(event.at("ph") == "X");
    CHECK(event.at("dur").get<double>() >= 0);
    CHECK(event.at("ts").get<double>() >= before);
    before = event.at("ts").get<double>() + event.at("dur").get<double>();
  }
  CHECK_THROWS_AS(profile.write_trace(folder / "none/trace.json"), IoError);
}

TEST_CASE("profiles that are refused, and of nothing") {
  Graph g;
  const Expr x = g.placeholder("x", {2});
  Session session(g);
  CHECK(refusal<ValueError>([&] {
          session.profile(x + 1, {{x, Tensor({1, 2})}}, 0);
        }) == "profile: 0 runs were asked for; at least 1 is needed");
  CHECK_THROWS_AS(session.profile(x + 1), FeedError);
  CHECK(session.profile(std::vector<Expr>{}).steps.empty());
}

}  // namespace
}  // namespace gradus
