// Activations, normalization, losses, dropout, and losses over a sample of the classes: a chapter of the index of ops
// (ops.h). Names, the order of arguments and what they mean are those of TensorFlow 1's tf.nn and tf.losses. All but
// the activations are expressions of other ops: their gradients are theirs.
#pragma once

#include <gradus/core/graph/graph.h>
#include <gradus/ops/axes.h>

#include <cstdint>
#include <optional>

namespace gradus {

// --- activations, element by element; csr stays csr but for hard_sigmoid ---------------------------------

/// x where x > 0, else alpha (exp(x) - 1)                              (Clevert, Unterthiner, Hochreiter 2016)
Expr elu(const Operand& x, const Operand& alpha = 1);
/// 1.0507 elu(x, 1.6733): keeps mean 0 and variance 1                   (Klambauer et al. 2017)
Expr selu(const Operand& x);
/// x P(Z <= x) for a standard normal Z; with `approximate`, by tanh     (Hendrycks, Gimpel 2016)
Expr gelu(const Operand& x, bool approximate = false);
/// x sigmoid(x), TensorFlow's swish too                                 (Elfwing, Uchibe, Doya 2017)
Expr silu(const Operand& x);
/// 0.2 x + 0.5 held in [0, 1]: Keras' of TensorFlow 1                   (Courbariaux, Bengio, David 2015)
Expr hard_sigmoid(const Operand& x);
/// x / (1 + |x|)
Expr softsign(const Operand& x);

// --- normalization ---------------------------------------------------------------------------------------

/// scale (x - mean) / sqrt(variance + epsilon) + offset; all broadcast   (Ioffe, Szegedy 2015)
Expr batch_normalization(const Operand& x, const Operand& mean, const Operand& variance, const Operand& offset,
                         const Operand& scale, double variance_epsilon = 0.001);

/// Running means of the moments of batches: two variables [k] that are not trainable, from 0 and from 1.
struct MovingMoments {
  Expr mean;
  Expr variance;
};
struct BatchNormalizationOptions {
  double momentum = 0.99;  // of the running means, in [0, 1]
  double epsilon = 0.001;  // added to the variance
};
/// What is computed, and what is to be run in training beside the optimizer's step: g.group({step, y.update}).
struct BatchNormalized {
  Expr y;
  Expr update;  // moments = momentum moments + (1 - momentum) those of the batch, where `training` holds
};
/// Normalized by the moments of the batch, over all axes but the last, where the bool scalar `training` holds, else by
/// the moving ones; the variance is that of all elements, not of a sample. Where `training` is fed, a plan computes one
/// of the two.   [..., k], each of the others [k] -> [..., k]
BatchNormalized batch_normalization(const Operand& x, const MovingMoments& moving, const Operand& offset,
                                    const Operand& scale, const Operand& training,
                                    const BatchNormalizationOptions& options = {});

/// scale (x - mean) / sqrt(variance + epsilon) + offset by the moments of each slice along `axes`; offset and scale
/// broadcast to x                                                        (Ba, Kiros, Hinton 2016)
Expr layer_normalization(const Operand& x, const Operand& offset, const Operand& scale, const Axes& axes = -1,
                         double epsilon = 0.001);

/// x / sqrt(max(sum(x^2), epsilon)), the sum along `axes`; csr over axis 1 or all stays csr.
Expr l2_normalize(const Operand& x, const Axes& axes, double epsilon = 1e-12);
/// The cosine of the angle between a and b along an axis, which is removed: in [-1, 1], and 0 where one of them is 0.
/// (tf.keras.losses has its negative, and tf.losses.cosine_distance is 1 less it.)
Expr cosine_similarity(const Operand& a, const Operand& b, int axis = -1);

/// x / (1 - rate) with each element kept with probability 1 - rate, else 0; drawn anew each run. The rate, a number or
/// a scalar of the run, lies in [0, 1): another throws ValueError, one that is fed in the run.
Expr dropout(const Operand& x, const Operand& rate, std::uint64_t seed = 0);

// --- losses ----------------------------------------------------------------------------------------------

/// exp(x) / sum(exp(x)) along an axis, and its logarithm; free of overflow.
Expr softmax(const Operand& logits, int axis = -1);
Expr log_softmax(const Operand& logits, int axis = -1);
/// -sum(labels * log_softmax(logits)) along an axis, which is removed; labels are probabilities.
Expr softmax_cross_entropy_with_logits(const Operand& labels, const Operand& logits, int axis = -1);
/// The same where labels are the numbers of classes, int32 or int64: -log_softmax(logits)[..., labels]. A class out of
/// range throws ValueError in the run.   [...], [..., classes] -> [...]
Expr sparse_softmax_cross_entropy_with_logits(const Operand& labels, const Operand& logits);
/// max(x, 0) - x z + log(1 + exp(-|x|)) for logits x and labels z: the overflow-free cross entropy.
Expr sigmoid_cross_entropy_with_logits(const Operand& labels, const Operand& logits);
/// sum(x^2) / 2.
Expr l2_loss(const Operand& x);
/// The mean of -z log(p + epsilon) - (1 - z) log(1 - p + epsilon) for predictions p of labels z, in [0, 1]. With
/// weights, which broadcast to the labels: the sum of the weighted losses over the number of weights that are not 0
/// (and 0 where all are), as tf.losses has it.
Expr log_loss(const Operand& labels, const Operand& predictions, const Operand& weights = 1.0, double epsilon = 1e-7);
/// The mean of e^2 / 2 where |e| <= delta, else delta |e| - delta^2 / 2, for e = predictions - labels (Huber 1964).
/// Weights as above.
Expr huber_loss(const Operand& labels, const Operand& predictions, const Operand& weights = 1.0, double delta = 1.0);

// --- losses over a sample of the classes -----------------------------------------------------------------

/// Classes drawn in a run, and how often each was to be expected among them: what the losses below correct for.
struct SampledCandidates {
  Expr sampled_candidates;      // int64 [num_sampled]
  Expr true_expected_count;     // float32 [n, num_true]
  Expr sampled_expected_count;  // float32 [num_sampled]
};
/// Classes from 0 to range_max - 1, class c with probability log((c + 2) / (c + 1)) / log(range_max + 1): Zipf's law
/// for classes in the order of their frequency. With `unique` none twice; drawn anew each run. Throws ValueError for
/// more unique classes than there are.   true_classes [n, num_true]
SampledCandidates log_uniform_candidate_sampler(const Operand& true_classes, std::int64_t num_true,
                                                std::int64_t num_sampled, bool unique, std::int64_t range_max,
                                                std::uint64_t seed = 0);

struct SampledLossOptions {
  std::int64_t num_true = 1;  // classes an example has, each with probability 1 / num_true
  std::optional<SampledCandidates> sampled_values =
      {};  // if not given, num_sampled unique ones by log_uniform_candidate_sampler
  /// Whether sampled classes that are true ones are left out; if not said, of the softmax's and not of nce's.
  std::optional<bool> remove_accidental_hits = {};
  std::uint64_t seed = 0;
};
/// The softmax cross entropy of each example among its true and the sampled classes, whose logits inputs weights^T +
/// biases are lessened by log(expected count)                            (Jean et al. 2015, section 3)
/// Of weights and biases, and of their gradients, a run touches the rows of these classes alone. For training: the
/// whole softmax says how likely a class is.   [num_classes, d], [num_classes], int [n, num_true], [n, d] -> [n]
Expr sampled_softmax_loss(const Expr& weights, const Expr& biases, const Operand& labels, const Operand& inputs,
                          std::int64_t num_sampled, std::int64_t num_classes, const SampledLossOptions& options = {});
/// The same with a logistic loss for each of these classes: noise-contrastive estimation
/// (Gutmann, Hyvarinen 2010; Mnih, Teh 2012).
Expr nce_loss(const Expr& weights, const Expr& biases, const Operand& labels, const Operand& inputs,
              std::int64_t num_sampled, std::int64_t num_classes, const SampledLossOptions& options = {});

}  // namespace gradus
