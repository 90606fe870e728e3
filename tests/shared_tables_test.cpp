// Tables whose rows ranks share out: the bits of a session in which every rank has all of them, what is sent, how much
// of a table a rank has, and refusals that name what cannot do with its own rows.
#include "ranks_of_threads.h"
#include "thorough.h"
#include "trainings_of_ranks.h"

#include <gradus/core/cluster/piece_sums.h>
#include <gradus/core/cluster/row_owners.h>
#include <gradus/gradus.h>

#include <doctest/doctest.h>

#include <numeric>

using namespace gradus;
using namespace trainings_of_ranks;

namespace {

constexpr std::int64_t small = 100;  // bytes: V [23, 3] is more, and W [23] goes with it

// Bit-equal to what ranks give that have all of each variable.
void check_shared_out(const Training& training, const std::string& what, std::int64_t shard_above = small) {
  const Communicator alone = Communicator::threads(1).front();
  const Values whole = training.run(&alone, 8);
  for (const int ranks : {2, 3, 4, 8}) {
    if (!thorough() && ranks == 8) continue;
    const auto all =
        on_ranks<Values>(ranks, [&](const Communicator& rank) { return training.run(&rank, 8, shard_above); });
    for (const std::string& error : all.error) REQUIRE_EQ(error, "");
    for (const Values& each : all.result) check_same(whole, each, fmt::format("{}, {} ranks", what, ranks));
  }
}

Training with_index(const std::function<Expr(const Expr& index, const Expr& y)>& loss, std::int64_t values) {
  Training training{[=](Graph& g, std::vector<Expr>& fed) {
                      const Expr index = g.placeholder("index", {any, 3}), y = g.placeholder("y", {any, 1});
                      fed = {index, y};
                      return Adam(0.02).minimize(loss(index, y));
                    },
                    some_rows(64, false)};
  training.rows.x = Tensor::make<float>({64, 3}, [&](std::span<float> x) {
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(static_cast<std::int64_t>(i * i + i / 5) % values);
  });
  training.dense = true;
  return training;
}

Expr looked_up(const Expr& table, const Expr& index) { return gather(table, cast(abs(index), int64)); }

// What a run refuses, of an expression that is made of x csr [n, 40] and a table V [40, 4] of 640 bytes.
std::string refusal_of_tables(const std::function<Expr(const Expr& x, const Expr& V)>& make) {
  const auto all = on_ranks<int>(2, [&](const Communicator& rank) {
    Graph g;
    const Expr x = g.sparse_placeholder("x", {any, 40});
    const Expr V = g.variable("V", random_normal({40, 4}, {.stddev = 0.1, .seed = 1}));
    const Expr y = make(x, V);
    Session session(g, Device::cpu(), rank, {.pieces = 4, .shard_above = 600});
    session.run(y, {{x, ones({6, 40}).to_csr()}});
    return 0;
  });
  return all.error[0];
}

}  // namespace

TEST_CASE("tables that are shared out train to the same bits with every optimizer") {
  bool this_time = false;
  for (const auto& [name, train] : optimizers) {
    this_time = !this_time;
    for (const bool touched : {true, false}) {
      if (!thorough() && touched != this_time) continue;  // in turns
      check_shared_out(model_training({.factors = 3,
                                       .init_stddev = 0.1,
                                       .l2_W = touched ? 0.01 : 0,
                                       .l2_V = touched ? 0.01 : 0,
                                       .l2_over = touched ? L2Over::touched : L2Over::all},
                                      train, touched, 62),
                       name + (touched ? ", touched" : ""));
    }
  }
}

TEST_CASE("tables that are shared out train to the same bits in every model that looks them up") {
  const auto adagrad = [](const Model& m) { return Adagrad(0.1).minimize(m.loss); };
  std::vector<Index> fields;
  for (Index c = 0; c < features; ++c) fields.push_back(c / 8);
  for (const ModelKind kind :
       {ModelKind::linear, ModelKind::fm, ModelKind::higher_order, ModelKind::field_aware, ModelKind::deep}) {
    ModelOptions options{.kind = kind, .task = Task::binary, .factors = 3, .hidden = {6, 4}, .init_stddev = 0.1};
    if (kind == ModelKind::field_aware || kind == ModelKind::deep) options.field_of = fields;
    // Of the deep model all but the tables is small: 80 bytes are less than W's alone.
    check_shared_out(model_training(options, adagrad, true, 66), std::string(to_string(kind)),
                     kind == ModelKind::linear ? 80
                     : kind == ModelKind::deep ? 250
                                               : small);
  }
  // All rows pay for the whole table, which moves with every step.
  check_shared_out(model_training(
                       {.factors = 3, .init_stddev = 0.1, .l2_W = 0.01, .l2_V = 0.01, .l2_over = L2Over::all},
                       [](const Model& m) { return Adam(0.01).minimize(m.loss); }, false, 62),
                   "all pay");
  check_shared_out(model_training({.factors = 3, .init_stddev = 0.1}, adagrad, false, 8), "fewer rows than pieces");
}

TEST_CASE("tables that are shared out are looked up by index") {
  // The index is computed of what is fed; a table of 9 rows has owners without any among 8 ranks... and one row each.
  check_shared_out(
      with_index(
          [](const Expr& index, const Expr& y) {
            const Expr table = index.graph().variable("table", random_normal({9, 4}, {.stddev = 0.3, .seed = 1}));
            const Expr rows = looked_up(table, index);  // [n, 3, 4]
            return reduce_mean(square(y - reduce_sum(reduce_prod(rows, 1), 1, keep_dims)));
          },
          9),
      "gather");
  // Two tables by one index, one of them small, and a third by another index; a row of the large one is scaled before.
  check_shared_out(with_index(
                       [](const Expr& index, const Expr& y) {
                         Graph& g = index.graph();
                         const Expr a = g.variable("a", random_normal({7, 4}, {.stddev = 0.3, .seed = 1}));
                         const Expr b = g.variable("b", random_normal({7}, {.stddev = 0.3, .seed = 2}));
                         const Expr c = g.variable("c", random_normal({8, 4}, {.stddev = 0.3, .seed = 3}));
                         const Expr at = cast(index, int64);
                         const Expr rows = gather(tanh(2 * a), at) + gather(c, 7 - at);  // [n, 3, 4]
                         const Expr y_hat =
                             reduce_sum(reduce_sum(rows * rows, 2) + gather(b, at), 1, keep_dims);  // [n, 1]
                         return reduce_mean(square(y - y_hat));
                       },
                       7),
                   "two tables");
  // One table by two indices, whose rows are regularised as well.
  check_shared_out(with_index(
                       [](const Expr& index, const Expr& y) {
                         Graph& g = index.graph();
                         const Expr a = g.variable("a", random_normal({8, 4}, {.stddev = 0.3, .seed = 1}));
                         const Expr at = cast(index, int64);
                         const Expr u = gather(a, at), v = gather(a, 7 - at);                // [n, 3, 4]
                         const Expr y_hat = reduce_sum(reduce_sum(u * v, 2), 1, keep_dims);  // [n, 1]
                         return reduce_mean(square(y - y_hat)) + 0.01 * reduce_mean(square(u) + square(v));
                       },
                       7),
                   "one table twice");
}

TEST_CASE("of a table that is shared out each rank has its own rows, from the same initial values") {
  const auto all = on_ranks<std::vector<Tensor>>(3, [](const Communicator& rank) {
    Graph g;
    const Expr x = g.sparse_placeholder("x", {any, 40});
    const Expr V = g.variable("V", random_normal({40, 4}, {.stddev = 0.1, .seed = 1}));
    const Expr U = g.variable("U", random_uniform({40, 4}, {.seed = 3}));
    const Expr T =
        g.variable("T", Tensor::make<float>({2, 100}, [](std::span<float> t) { std::iota(t.begin(), t.end(), 0.0F); }));
    const Expr y_hat = reduce_sum(matmul(x, V), 1);
    Session session(g, Device::cpu(), rank, {.pieces = 4, .shard_above = 600});
    const std::int64_t before = rank.bytes_sent();
    std::vector<Tensor> out{session.value(V), session.value(U), session.value(T)};
    CHECK_EQ(rank.bytes_sent() - before,
             2 * (RowOwners{rank.rank(), 3}.own(40) * 32 + RowOwners{rank.rank(), 3}.own(2) * 400));
    // Rows of a rank's own, of which one rank has none.
    const std::int64_t count = rank.rank() == 1 ? 0 : 2;
    const Tensor own = full({count, 40}, rank.rank() + 1).to_csr();
    out.push_back(session.run(y_hat, {{x, own}}));
    out.push_back(session.run(2 * V));
    session.run(g.assign(V, V * 3));
    out.push_back(session.value(V));
    session.assign(U, out[0]);
    out.push_back(session.run(U));
    session.initialize();
    out.push_back(session.value(V));
    return out;
  });
  for (const std::string& error : all.error) REQUIRE_EQ(error, "");
  Graph g;
  const Expr V = g.variable("V", random_normal({40, 4}, {.stddev = 0.1, .seed = 1}));
  const Expr U = g.variable("U", random_uniform({40, 4}, {.seed = 3}));
  Session session(g);
  const Tensor v = session.value(V);
  for (std::size_t r = 0; r < 3; ++r) {
    CHECK_EQ(all.result[r][0], v);
    CHECK_EQ(all.result[r][1], session.value(U));
    CHECK_EQ(all.result[r][2].at(1, 7), 107);
    CHECK(allclose(all.result[r][3],
                   full({r == 1 ? 0 : 2}, static_cast<double>(r + 1) * session.run(reduce_sum(V)).item()), 1e-4));
    CHECK_EQ(all.result[r][4], session.run(2 * V));
    CHECK_EQ(all.result[r][5], session.run(V * 3));
    CHECK_EQ(all.result[r][6], v);
    CHECK_EQ(all.result[r][7], v);
  }
}

TEST_CASE("a rank's own rows of a table can be read and set, and others keep theirs") {
  const auto all = on_ranks<std::vector<Tensor>>(3, [](const Communicator& rank) {
    Graph g;
    const Expr V = g.variable("V", random_normal({40, 4}, {.stddev = 0.1, .seed = 1}));
    const Expr w = g.variable("w", ones({5}));
    Session session(g, Device::cpu(), rank, {.pieces = 4, .shard_above = 600});
    CHECK(session.shares_out(V));
    CHECK(!session.shares_out(w));
    const Tensor own = session.own_value(V);
    CHECK_EQ(own.shape(), Shape({RowOwners{rank.rank(), 3}.own(40), 4}));
    CHECK_EQ(session.own_value(w), ones({5}));
    const Tensor whole = session.all_rows(V, own);
    CHECK_EQ(whole, session.value(V));
    // For one rank alone, and to it alone.
    const std::int64_t before = rank.bytes_sent();
    const Tensor for_one = session.all_rows(V, own, 2);
    CHECK_EQ(rank.bytes_sent() - before, rank.rank() == 2 ? 0 : own.size() * 4);
    CHECK_EQ(for_one, rank.rank() == 2 ? whole : Tensor());
    CHECK_EQ(session.all_rows(w, ones({5}), 2), ones({5}));
    CHECK_THROWS_WITH_AS(session.all_rows(V, own, 3), "all_rows: for rank 3 of 3; 0 to 2 is expected", ValueError);
    if (rank.rank() == 1) session.assign_own(V, zeros(own.shape()));
    CHECK_THROWS_WITH_AS(session.assign_own(V, zeros({40, 4})), doctest::Contains("this rank has float32 [1"),
                         TypeError);
    return std::vector<Tensor>{whole, session.value(V)};
  });
  for (const std::string& error : all.error) REQUIRE_EQ(error, "");
  for (const std::vector<Tensor>& each : all.result)
    for (std::int64_t row = 0; row < 40; ++row) CHECK_EQ(each[1].at(row, 2), row % 3 == 1 ? 0 : each[0].at(row, 2));
}

TEST_CASE("what cannot do with a rank's own rows of a table is refused by name and place") {
  const auto tells = [](const std::string& error, const std::string& part) {
    CAPTURE(error);
    CHECK_NE(error.find(part), std::string::npos);
  };
  const std::string largest = refusal_of_tables([](const Expr&, const Expr& V) { return reduce_max(square(V)); });
  tells(largest, "reduce_max axes=[0, 1] (reduce_max, shared_tables_test.cpp:");
  tells(largest, "square (shared_tables_test.cpp:");
  tells(largest, "has rows of V (shared_tables_test.cpp:");
  tells(largest,
        "that are shared out over 2 ranks, since a table of 640 bytes is above shard_above, but it reads the rows of "
        "all ranks");
  tells(refusal_of_tables([](const Expr& x, const Expr& V) { return reduce_sum(matmul(to_dense(x), V)); }),
        "V (shared_tables_test.cpp:");
  tells(refusal_of_tables([](const Expr& x, const Expr& V) { return reduce_sum(matmul(to_dense(x), V)); }),
        "it reads rows of the batch, and no index names the rows that it needs");
  tells(refusal_of_tables([](const Expr&, const Expr& V) {
          return gather(V, Tensor({1, 2}, int64));
        }),
        "reads the rows of all");
  tells(refusal_of_tables([](const Expr&, const Expr& V) { return dropout(V, 0.5); }),
        "each rank would draw the same for other rows");
  tells(refusal_of_tables([](const Expr&, const Expr& V) { return cast(size_of(V), float32) * 2; }),
        "its value depends on how many there are");
  tells(refusal_of_tables([](const Expr& x, const Expr& V) { return gradients(reduce_sum(matmul(x, V)), {{V}})[0]; }),
        "is a sum of rows of a table that is shared out over 2 ranks, whose owners add it");
  tells(refusal_of_tables([](const Expr& x, const Expr& V) { return reduce_sum(matmul(matmul(x, V), transpose(V))); }),
        "transpose");
  const auto all = on_ranks<int>(2, [](const Communicator& rank) {
    Graph g;
    const Expr index = g.placeholder("index", {any}, int64);
    const Expr V = g.variable("V", zeros({40, 4}));
    const Expr y = reduce_sum(gather(V, index));
    Session session(g, Device::cpu(), rank, {.pieces = 4, .shard_above = 600});
    session.run(y, {{index, Tensor({1, 2, rank.rank() == 1 ? 40 : 39}, int64)}});
    return 0;
  });
  tells(all.error[0], "rank 1 has failed: run: V (shared_tables_test.cpp:");
  tells(all.error[1], "is looked up at row 40, but it has 40 rows");
  const auto other = on_ranks<int>(2, [](const Communicator& rank) {
    Graph g;
    const Expr x = g.placeholder("x", {any, 2});
    Session session(g, Device::cpu(), rank, {.pieces = 4, .shard_above = 600 + rank.rank()});
    session.run(reduce_sum(x), {{x, ones({4, 2})}});
    return 0;
  });
  tells(other.error[0],
        "rank 1 shares out tables above 601 bytes, rank 0 those above 600; shard_above must be the same");
}

TEST_CASE("sums and means over all rows of a table that is shared out are of what each owner's rows give") {
  // Of whole numbers, so that no order of summation shows.
  const Tensor whole = Tensor::make<float>({41, 4}, [](std::span<float> v) {
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(static_cast<std::int64_t>(i * i % 17) - 8);
  });
  const auto fetched = [&](const Communicator* rank) {
    Graph g;
    const Expr x = g.sparse_placeholder("x", {any, 41});
    const Expr V = g.variable("V", whole), w = g.variable("w", full({1}, 0.5));
    const Expr norm = reduce_sum(square(V)), y = reduce_sum(matmul(x, V), 1);  // [], [n]
    const std::vector<Expr> fetches{
        norm,
        reduce_sum(V, 0),
        reduce_mean(V) * 164,
        reduce_mean(V, 0, keep_dims) * 41,
        reduce_sum(reduce_max(V, 1)),
        reduce_sum(cast(greater(V, 0), int32)),
        reduce_mean(y) + 0.25 * norm,                        // a loss with its penalty
        y * reduce_sum(V),                                   // rows of the batch that read such a sum
        reduce_sum(V - reduce_sum(V, 0)),                    // rows of the table that do, and are summed again
        w + reduce_sum(gradients(reduce_sum(y), {{V}})[0]),  // of a sum that is on its owners
    };
    const SessionOptions options{.threads = 1, .pieces = 4, .shard_above = 600};
    Session session = rank != nullptr ? Session(g, Device::cpu(), *rank, options) : Session(g, Device::cpu(), options);
    const auto [first, count] = session.rows_of(8);
    const Tensor fed = ones({8, 41}).to_csr().row_range(first, count);
    std::vector<Tensor> out = session.run(fetches, {{x, fed}});
    if (rank != nullptr) {
      out[7] = out[7].reshape({count});
      const std::string text = session.explain(norm, {{x, fed}});
      CAPTURE(text);
      CHECK_NE(text.find("\non every rank, of its own rows:\n"), std::string::npos);
      CHECK_NE(text.find("the parts of ranks are sums of other rows for another number of ranks"), std::string::npos);
      const std::int64_t before = rank->bytes_sent();
      session.run(norm);
      CHECK_EQ(rank->bytes_sent() - before,
               (rank->size() - 1) * (40 + bytes_of_part + bytes_sent_of({float32, {}, Layout::dense}, 0, true)));
    }
    return out;
  };
  const std::vector<Tensor> alone = fetched(nullptr);
  for (const int ranks : {2, 3, 4}) {
    const auto all = on_ranks<std::vector<Tensor>>(ranks, [&](const Communicator& rank) { return fetched(&rank); });
    for (const std::string& error : all.error) REQUIRE_EQ(error, "");
    for (const std::vector<Tensor>& each : all.result)
      for (std::size_t i = 0; i < each.size(); ++i) {
        CAPTURE(i);
        if (i == 7)
          CHECK_EQ(each[i].at(0), alone[i].at(0));
        else if (i == 2 || i == 3)  // means of a rank's rows are rounded
          CHECK(allclose(each[i], alone[i], 1e-6));
        else
          CHECK_EQ(each[i], alone[i]);
      }
  }
}

TEST_CASE("gradients of tables that are shared out are clipped by the norm of all of their rows") {
  // With gradients that are dense, and such as hold some of the rows.
  for (const L2Over over : {L2Over::all, L2Over::touched}) {
    const auto training = [=](double norm) {
      return model_training(
          {.factors = 3, .init_stddev = 0.1, .l2_W = 0.01, .l2_V = 0.01, .l2_over = over},
          [=](const Model& m) {
            Adam optimizer(0.02);
            std::vector<GradientOf> all = optimizer.compute_gradients(m.loss);
            std::vector<Expr> gradients;
            for (const auto& each : all) gradients.push_back(each.gradient);
            const ClippedByGlobalNorm clipped = clip_by_global_norm(gradients, norm);
            for (std::size_t i = 0; i < all.size(); ++i) all[i].gradient = clipped.clipped[i];
            return optimizer.apply_gradients(all);
          },
          true, 62);
    };
    // What is not clipped is multiplied by 1: the bits of ranks that have the whole table.
    check_shared_out(training(1e6), "a norm that is not reached");
    const Communicator alone = Communicator::threads(1).front();
    const Values whole = training(0.01).run(&alone, 8);
    CHECK_NE(whole.at("V"), training(1e6).run(&alone, 8).at("V"));
    for (const int ranks : {2, 3, 4}) {
      const auto run = [&] {
        return on_ranks<Values>(ranks, [&](const Communicator& rank) { return training(0.01).run(&rank, 8, small); });
      };
      const auto first = run(), second = run();
      for (const std::string& error : first.error) REQUIRE_EQ(error, "");
      for (const Values& each : first.result)
        for (const auto& [name, value] : whole) CHECK(allclose(each.at(name), value, 1e-4, 1e-6));
      // The same ranks, the same bits.
      for (const Values& each : second.result) check_same(first.result.front(), each, fmt::format("{} ranks", ranks));
    }
  }
}

TEST_CASE("a step of a factorization machine sends the rows that it touches once there and once back") {
  const Rows rows = some_rows(64, true);
  constexpr std::int64_t k = 3;
  const auto all = on_ranks<std::vector<std::int64_t>>(4, [&](Communicator& rank) {
    Graph g;
    const Model model = make_model(g, features, {.factors = k, .init_stddev = 0.1});
    const Expr train = Adagrad(0.1).minimize(model.loss);
    Session session(g, Device::cpu(), rank, {.pieces = 8, .shard_above = small});
    const auto [first, count] = session.rows_of(64);
    const std::vector<Feed> feeds{{model.X, rows.x.row_range(first, count)}, {model.y, rows.y.row_range(first, count)}};
    const std::string text = session.explain(train, feeds);
    CAPTURE(text);
    for (const char* part :
         {"\nexchange: which rows of W and V the pieces name, 4 bytes for each to its owner, which is "
          "row i's rank i mod 4, and 16 to each; and the rows, 16 bytes each",
          "\nexchange, to each owner its rows: 1 part of 16 bytes to each of 3 other ranks, and in "
          "each\n",
          "and 16 for each row held, of them 4 for its number", "\nthen on every rank:\n", "own rows"})
      CHECK_NE(text.find(part), std::string::npos);
    session.run(train, feeds);
    // Bytes for rows, and those that there are without any.
    std::int64_t others = 0;
    const Tensor own = rows.x.row_range(first, count);
    for (const Index row : own.pattern()->active_columns()->row) others += row % 4 != rank.rank() ? 1 : 0;
    const std::int64_t w0 = bytes_of_part + bytes_sent_of({float32, {1}, Layout::dense}, 0, true);
    const std::int64_t fixed = bytes_of_part + bytes_sent_of({float32, {features}, Layout::rows}, 0, true) +
                               bytes_sent_of({float32, {features, k}, Layout::rows}, 0, false);
    return std::vector<std::int64_t>{rank.bytes_sent() - 3 * (40 + w0 + 16 + fixed), others};
  });
  for (const std::string& error : all.error) REQUIRE_EQ(error, "");
  // Over all ranks: 4 for the row's number each way and 4 (k + 1) for the row each way, of rows that another rank has.
  std::int64_t sent = 0, others = 0;
  for (const std::vector<std::int64_t>& each : all.result) {
    sent += each[0];
    others += each[1];
  }
  CHECK_EQ(sent, others * (8 + 8 * (k + 1)));
}

// Rows in slices: those that a batch names are more than go in one message.
