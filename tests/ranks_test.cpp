// A session over ranks: the same bits for any number of ranks, what a plain session gives but for rounding, and
// refusals that name what cannot be shared out.
#include "ranks_of_threads.h"
#include "thorough.h"
#include "trainings_of_ranks.h"

#include <gradus/core/cluster/piece_sums.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>

using namespace gradus;
using namespace trainings_of_ranks;

namespace {

// Bit-equal for any ranks, and near to a plain session; with one piece just that.
void check_training(const Training& training, const std::string& what, double tolerance = 1e-3) {
  const Values plain = training.run(nullptr, 1);
  const auto with = [&](int ranks, std::int64_t pieces) {
    OfRanks<Values> all =
        on_ranks<Values>(ranks, [&](const Communicator& rank) { return training.run(&rank, pieces); });
    for (const std::string& error : all.error) REQUIRE_EQ(error, "");
    for (std::size_t r = 1; r < all.result.size(); ++r) check_same(all.result[0], all.result[r], what);
    return all.result[0];
  };
  check_same(plain, with(1, 1), what + ", one piece");
  const Values one = with(1, 8);
  for (const auto& each : plain) {
    CAPTURE(what);
    CAPTURE(each.first);
    CHECK(allclose(one.at(each.first), each.second, tolerance, tolerance));
  }
  for (const int ranks : {2, 3, 4, 8})
    if (thorough() || ranks != 2) check_same(one, with(ranks, 8), fmt::format("{}, {} ranks", what, ranks));
}

}  // namespace

TEST_CASE("over ranks every optimizer gives the same bits, however many ranks there are") {
  for (const auto& [name, train] : optimizers)
    for (const bool touched : {false, true})
      for (const bool weighted : {false, true}) {
        if (!thorough() && touched != weighted) continue;
        check_training(model_training({.factors = 3,
                                       .init_stddev = 0.1,
                                       .l2_W = 0.01,
                                       .l2_V = 0.01,
                                       .l2_over = touched ? L2Over::touched : L2Over::all},
                                      train, weighted, 62),
                       name + (touched ? ", touched" : "") + (weighted ? ", weighted" : ""));
      }
}

TEST_CASE("over ranks every model gives the same bits, however many ranks there are") {
  const auto adagrad = [](const Model& m) { return Adagrad(0.1).minimize(m.loss); };
  std::vector<Index> fields;
  for (Index c = 0; c < features; ++c) fields.push_back(c / 8);
  for (const ModelKind kind :
       {ModelKind::linear, ModelKind::fm, ModelKind::higher_order, ModelKind::field_aware, ModelKind::deep})
    for (const Task task : {Task::regression, Task::binary}) {
      ModelOptions options{.kind = kind, .task = task, .factors = 3, .hidden = {70, 4}, .init_stddev = 0.1};
      if (kind == ModelKind::field_aware || kind == ModelKind::deep) options.field_of = fields;
      check_training(model_training(options, adagrad, task == Task::binary, 66),
                     fmt::format("{}, {}", to_string(kind), to_string(task)));
    }
}

TEST_CASE("over ranks the article's program on dense rows gives the same bits") {
  Training training{[](Graph& g, std::vector<Expr>& fed) {
                      const Expr X = g.placeholder("X", {any, features}), y = g.placeholder("y", {any, 1});
                      fed = {X, y};
                      const Expr w0 = g.variable("w0", zeros({1})), W = g.variable("W", zeros({features}));
                      const Expr V = g.variable("V", random_normal({4, features}, {.stddev = 0.1, .seed = 1}));
                      const Expr linear = w0 + reduce_sum(W * X, 1, keep_dims);
                      const Expr pairs =
                          0.5 * reduce_sum(pow(matmul(X, transpose(V)), 2) - matmul(pow(X, 2), transpose(pow(V, 2))), 1,
                                           keep_dims);
                      const Expr l2 = reduce_sum(0.001 * pow(W, 2) + 0.001 * pow(V, 2));
                      return Adagrad(0.1).minimize(reduce_mean(square(y - (linear + pairs))) + l2);
                    },
                    some_rows(60, false)};
  training.dense = true;
  check_training(training, "dense");
}

TEST_CASE("over ranks what tasks, weights, relations and clipping need is shared out") {
  const auto adam = [](const Model& m) { return Adam(0.01).minimize(m.loss); };
  Training ranking = model_training({.task = Task::ranking, .factors = 3, .init_stddev = 0.1}, adam, false, 72);
  ranking.together = 2;
  check_training(ranking, "ranking");
  Training classes =
      model_training({.task = Task::multiclass, .factors = 3, .init_stddev = 0.1, .classes = 3}, adam, true, 60);
  classes.rows.y = Tensor::make<float>({60, 1}, [](std::span<float> y) {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(i % 3);
  });
  check_training(classes, "multiclass");
  check_training(model_training({.factors = 3, .init_stddev = 0.1}, clipped_step, true, 60), "clipped");
  check_training(model_training({.factors = 3, .init_stddev = 0.1}, clipped_step, false, 8), "fewer rows than pieces");
}

TEST_CASE("over ranks a look-up by index trains its table") {
  Training training{[](Graph& g, std::vector<Expr>& fed) {
                      const Expr index = g.placeholder("index", {any, 3}), y = g.placeholder("y", {any, 1});
                      fed = {index, y};
                      const Expr table = g.variable("table", random_normal({9, 4}, {.stddev = 0.3, .seed = 1}));
                      const Expr rows = gather(table, cast(abs(index), int64));  // [n, 3, 4]
                      const Expr y_hat = reduce_sum(reduce_prod(rows, 1), 1, keep_dims);
                      return Adam(0.02).minimize(reduce_mean(square(y - y_hat)));
                    },
                    some_rows(64, false)};
  training.rows.x = Tensor::make<float>({64, 3}, [](std::span<float> x) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * i % 9);
  });
  training.dense = true;
  check_training(training, "gather");
}

TEST_CASE("over ranks sums are of all rows, and rows are the rank's own") {
  // Rank r feeds r + 1 rows, the last rank none: their own, whatever other ranks have.
  const auto all = on_ranks<std::vector<Tensor>>(4, [](Communicator& rank) {
    Graph g;
    const Expr x = g.placeholder("x", {any, 2}), scale = g.placeholder("scale", {});
    const Expr total = reduce_sum(scale * x, 0), mean = reduce_mean(x), numbers = size_of(x);
    const Expr centred = x - reduce_mean(x, 0);
    Session session(g, Device::cpu(), rank, {.pieces = 6});
    const std::int64_t count = rank.rank() == 3 ? 0 : rank.rank() + 1;
    const Tensor own = Tensor::make<float>({count, 2}, [&](std::span<float> to) {
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(10 * rank.rank()) + static_cast<float>(i);
    });
    const std::vector<Expr> fetches{total, mean, numbers, centred, 2 * x};
    std::vector<Tensor> values = session.run(fetches, {{x, own}, {scale, 2}});
    // A run without a sum meets nobody: this rank alone makes it.
    if (rank.rank() == 1) values.push_back(session.run(3 * x, {{x, own}}));
    PreparedRun prepared = session.prepare(fetches, std::vector<Expr>{x, scale});
    CHECK_EQ(prepared(own, Tensor(2)), values[0]);
    CHECK_EQ(prepared.result(3), values[3]);
    return values;
  });
  for (const std::string& error : all.error) REQUIRE_EQ(error, "");
  for (const std::vector<Tensor>& values : all.result) {
    CHECK_EQ(values[0], Tensor({2 * (0 + 10 + 12 + 20 + 22 + 24), 2 * (1 + 11 + 13 + 21 + 23 + 25)}));
    CHECK_EQ(values[1].item(), doctest::Approx((88 + 94) / 12.0));
    CHECK_EQ(values[2].item(), 12);
  }
  CHECK_EQ(all.result[1][4], Tensor({{20, 22}, {24, 26}}));
  CHECK_EQ(all.result[1][5], Tensor({{30, 33}, {36, 39}}));
  CHECK(allclose(all.result[0][3], Tensor({{0 - 88 / 6.0, 1 - 94 / 6.0}})));
  CHECK_EQ(all.result[3][3].shape(), Shape({0, 2}));
}

TEST_CASE("over ranks what cannot be shared out is refused by name and place") {
  const auto refusal = [](const std::function<Expr(const Expr&)>& make) {
    Graph g;
    const Expr x = g.placeholder("x", {any, 3});
    const Expr y = make(x);
    Session session(g, Device::cpu(), Communicator::threads(1).front(), {.pieces = 4});
    try {
      session.run(y, {{x, ones({8, 3})}});
    } catch (const TypeError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  const std::string concat_message = refusal([](const Expr& x) { return reduce_sum(concat({x, x}, 0)); });
  CHECK_NE(concat_message.find("concat axis=0 (concat, ranks_test.cpp:"), std::string::npos);
  CHECK_NE(concat_message.find("x (ranks_test.cpp:"), std::string::npos);
  CHECK_NE(concat_message.find("is split by rows over 1 ranks, but it neither goes by rows nor sums them"),
           std::string::npos);
  CHECK_NE(refusal([](const Expr& x) { return reduce_max(x, 0); }).find("reduce_max axes=[0]"), std::string::npos);
  CHECK_NE(refusal([](const Expr& x) { return reduce_sum(dropout(x, 0.5)); }).find("each rank would draw the same"),
           std::string::npos);
  CHECK_NE(refusal([](const Expr& x) { return transpose(x); }).find("is split along its columns"), std::string::npos);
  CHECK_NE(refusal([](const Expr& x) { return reduce_sum(matmul(x, transpose(x))); }).find("matmul"),
           std::string::npos);
  CHECK_EQ(refusal([](const Expr& x) { return reduce_sum(matmul(transpose(x), x)); }), "none");
  Graph g;
  CHECK_THROWS_WITH_AS(Session(g, Device::cpu(), Communicator::threads(3).front(), {.pieces = 2}),
                       "a session over 3 ranks with 2 pieces; each rank needs one at least", ValueError);
}

TEST_CASE("over ranks an error in one ends the run of all, and names it") {
  const auto all = on_ranks<int>(3, [](Communicator& rank) {
    Graph g;
    const Expr x = g.placeholder("x", {any, 2});
    const Expr sum = reduce_sum(x);
    Session session(g, Device::cpu(), rank, {.pieces = 3});
    session.run(sum, {{x, ones({4, 2})}});
    session.run(sum, {{x, rank.rank() == 1 ? ones({4, 3}) : ones({4, 2})}});
    return 0;
  });
  CHECK_NE(all.error[0].find("rank 1 has failed: run: the placeholder x"), std::string::npos);
  CHECK_NE(all.error[1].find("run: the placeholder x"), std::string::npos);
  CHECK_EQ(all.error[0], all.error[2]);
}

TEST_CASE("over ranks those that run something else, or begin with something else, are named") {
  const auto errors = [](const std::function<void(Graph&, Communicator&)>& make, std::int64_t other_pieces = 4) {
    const auto all = on_ranks<int>(2, [&](Communicator& rank) {
      Graph g;
      const Expr x = g.placeholder("x", {any, 2});
      const Expr w = g.variable("w", full({2}, rank.rank() == 1 && other_pieces == 0 ? 3 : 1));
      if (rank.rank() == 1) make(g, rank);
      Session session(g, Device::cpu(), rank, {.pieces = rank.rank() == 1 && other_pieces > 0 ? other_pieces : 4});
      session.run(reduce_sum(x * w), {{x, ones({4, 2})}});
      return 0;
    });
    return all.error[0];
  };
  const auto nothing = [](Graph&, Communicator&) {};
  const auto tells = [](const std::string& error, const std::string& part) {
    CAPTURE(error);
    CHECK_NE(error.find(part), std::string::npos);
  };
  CHECK_EQ(errors(nothing), "");
  tells(errors(nothing, 8), "rank 1 cuts a batch into 8 pieces, rank 0 into 4; all must cut it alike");
  tells(errors([](Graph& g, Communicator&) { g.variable("other", zeros({1})); }),
        "rank 1 runs another graph than rank 0, or fetches something else of it");
  tells(errors(nothing, 0),
        "rank 1 has begun with other values of variables than rank 0; all must begin with the same");
}

TEST_CASE("over ranks explain tells what is exchanged, and as many bytes are sent") {
  const Rows rows = some_rows(32, true);
  const auto all = on_ranks<std::string>(4, [&](Communicator& rank) {
    Graph g;
    const Model model = make_model(g, features, {.factors = 3, .init_stddev = 0.1});
    const Expr train = Adagrad(0.1).minimize(model.loss);
    Session session(g, Device::cpu(), rank, {.pieces = 8});
    const auto [first, count] = session.rows_of(32);
    const std::vector<Feed> feeds{{model.X, rows.x.row_range(first, count)}, {model.y, rows.y.row_range(first, count)}};
    const std::string text = session.explain(train, feeds);
    session.run(train, feeds);
    // The rows of a rank, then what it adds to the gradients: w0 [1], and the rows that it has of W [p] and V [p, 3].
    const std::int64_t held = rows.x.row_range(first, count).pattern()->active_columns()->count();
    const std::int64_t of_sums = bytes_of_part + bytes_sent_of({float32, {1}, Layout::dense}, 0, true) +
                                 bytes_sent_of({float32, {features}, Layout::rows}, held, true) +
                                 bytes_sent_of({float32, {features, 3}, Layout::rows}, held, false);
    CHECK_EQ(rank.bytes_sent(), 3 * (40 + of_sums));
    return text;
  });
  for (const std::string& error : all.error) REQUIRE_EQ(error, "");
  CAPTURE(all.result[2]);
  for (const char* part :
       {"rank 2 of 4 has 2 of 8 pieces of a batch, here of 4 rows each\n", "\nfor each piece:\n",
        "\nexchange: 1 part of 16 bytes to each of 3 other ranks, and in each\n",
        "float32 rows [23, 3], 32 bytes and 16 for each row held, of them 4 for its number", "\nthen on every rank:\n"})
    CHECK_NE(all.result[2].find(part), std::string::npos);
}

TEST_CASE("over ranks profile tells what stages take, and how long a rank waits for others in them") {
  const Rows rows = some_rows(64, true);
  for (const bool shared : {false, true}) {
    const auto all = on_ranks<Profile>(2, [&](const Communicator& rank) {
      Graph g;
      const Model model = make_model(g, features, {.factors = 3, .init_stddev = 0.1});
      const Expr train = Adagrad(0.1).minimize(model.loss);
      Session session(g, Device::cpu(), rank, {.pieces = 4, .shard_above = shared ? 100 : 1 << 20});
      const auto [first, count] = session.rows_of(64);
      const std::vector<Feed> feeds{{model.X, rows.x.row_range(first, count)},
                                    {model.y, rows.y.row_range(first, count)}};
      const Profile profile = session.profile(train, feeds, 3);
      const std::int64_t before = rank.bytes_sent();
      session.run(train, feeds);
      std::int64_t bytes = 0;
      for (const StageTime& stage : profile.stages) bytes += stage.bytes_sent;
      CHECK_EQ(bytes, rank.bytes_sent() - before);
      // A prediction is the rank's own: its steps are timed.
      const Profile own = session.profile(model.prediction, std::span(feeds).first(1), 1);
      if (!shared) {
        CHECK(own.stages.empty());
        CHECK(!own.steps.empty());
      }
      return profile;
    });
    for (const std::string& error : all.error) REQUIRE_EQ(error, "");
    for (const Profile& profile : all.result) {
      const std::string text = to_string(profile);
      CAPTURE(text);
      CHECK_NE(text.find("us   of it waits  bytes sent  stage\n"), std::string::npos);
      CHECK_NE(text.find("  which rows all have\n"), std::string::npos);
      CHECK_NE(text.find("  2 pieces: "), std::string::npos);
      CHECK_NE(text.find("  then on every rank: "), std::string::npos);
      CHECK_EQ(text.find("  rows of tables, from their owners\n") != std::string::npos, shared);
      CHECK_EQ(text.find("  sums to owners: ") != std::string::npos, shared);
      double sum = 0;
      for (const StageTime& stage : profile.stages) {
        CHECK(stage.waiting <= stage.seconds);
        CHECK_EQ(stage.waiting > 0, stage.bytes_sent > 0);
        sum += stage.seconds;
      }
      CHECK(sum > 0);
    }
  }
}
