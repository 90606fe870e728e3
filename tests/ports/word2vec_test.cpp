// Word embeddings by a softmax over a sample of the words (Mikolov et al. 2013): gradients of layout rows, and the
// nodes that draw the sample fed.
#include "port.h"

namespace gradus::ports {
namespace {

// Eight words of twelve and a neighbour of each, and what the sampler is to have drawn.
struct Words {
  explicit Words(std::int64_t step)
      : ids(counted<std::int32_t>({8}, [&](std::int64_t i) { return (i * 5 + step) % 12; })),
        neighbours(counted<std::int64_t>({8, 1}, [&](std::int64_t i) { return (i * 5 + step + 1 + i % 2) % 12; })),
        drawn({0, 1, 3, (step * 5 + 4) % 12}, int64) {}
  Tensor ids, neighbours, drawn;
  Tensor true_count = full({8, 1}, 0.5), count = Tensor({0.875, 0.625, 0.5, 0.25});
};

Printed word2vec() {
  Graph g;
  const Expr inputs = g.placeholder("inputs", {any}, int32), labels = g.placeholder("labels", {any, 1}, int64);
  const Expr embeddings = g.variable("embeddings", start({12, 4}, 1, float32));
  const Expr weights = g.variable("weights", start({12, 4}, 2, float32)), biases = g.variable("biases", zeros({12}));
  const Expr embed = gather(embeddings, inputs);
  const auto [sampled, true_count, count] = log_uniform_candidate_sampler(labels, 1, 4, true, 12);
  const Expr loss = reduce_mean(sampled_softmax_loss(
      weights, biases, labels, embed, 4, 12, {.sampled_values = SampledCandidates{sampled, true_count, count}}));
  const Expr train = Adagrad(0.5).minimize(loss);
  const Expr normalized = embeddings / norm(embeddings, 1, keep_dims);
  const Expr valid = gather(normalized, Tensor({2, 5}, int32));
  const Expr similarity = matmul(valid, normalized, {.transpose_b = true});
  Session session(g);
  std::vector<double> losses;
  for (int step = 0; step < 6; ++step) {
    const Words w(step);
    const Feeds feeds = {
        {inputs, w.ids}, {labels, w.neighbours}, {sampled, w.drawn}, {true_count, w.true_count}, {count, w.count}};
    losses.push_back(session.run({loss, train}, feeds)[0].item());
  }
  return {losses, session.run(similarity)};
}

}  // namespace

TEST_CASE("port: word2vec") { check_port("word2vec", word2vec(), 1e-5); }

}  // namespace gradus::ports
