"""ports.json: what three programs of TensorFlow 1 print, run by TensorFlow's graphs and sessions. tests/ports has them in C++.

Numbers to start from and data are little formulas that both languages work out alike. What is random is fed: the numbers
that dropout compares with its rate, and the classes that the sampler draws.
"""

import numpy as np
import tensorflow as tf

import golden_format as fmt

tf1 = tf.compat.v1


def start(shape, seed, dtype=np.float64):
    """Numbers between -5/16 and 5/16."""
    i = np.arange(int(np.prod(shape))).reshape(shape)
    return (((i * 7 + seed * 3) % 11 - 5) / 16).astype(dtype)


def unit(shape, seed):
    """Numbers between 0 and 1."""
    i = np.arange(int(np.prod(shape))).reshape(shape)
    return (((i * 5 + seed * 3) % 16) + 0.5) / 16


def words(step):
    """Eight words of twelve and a neighbour of each, and what the sampler is to have drawn."""
    i = np.arange(8)
    drawn = np.array([0, 1, 3, (step * 5 + 4) % 12])
    expected = [np.full((8, 1), 0.5, np.float32), np.array([0.875, 0.625, 0.5, 0.25], np.float32)]
    return ((i * 5 + step) % 12).astype(np.int32), ((i * 5 + step + 1 + i % 2) % 12).reshape(8, 1), drawn, expected


def word2vec():
    inputs = tf1.placeholder(tf.int32, [None])
    labels = tf1.placeholder(tf.int64, [None, 1])
    embeddings = tf1.Variable(start([12, 4], 1, np.float32))
    weights = tf1.Variable(start([12, 4], 2, np.float32))
    biases = tf1.Variable(tf.zeros([12]))
    embed = tf.nn.embedding_lookup(embeddings, inputs)
    sampled = tf1.nn.log_uniform_candidate_sampler(labels, 1, 4, True, 12)
    loss = tf.reduce_mean(tf1.nn.sampled_softmax_loss(
        weights, biases, labels, embed, 4, 12, sampled_values=sampled))
    train = tf1.train.AdagradOptimizer(0.5).minimize(loss)
    norm = tf.sqrt(tf.reduce_sum(tf.square(embeddings), 1, keepdims=True))
    normalized = embeddings / norm
    valid = tf.nn.embedding_lookup(normalized, [2, 5])
    similarity = tf.matmul(valid, normalized, transpose_b=True)
    session = tf1.Session()
    session.run(tf1.global_variables_initializer())
    losses = []
    for step in range(6):
        ids, neighbours, drawn, (true_count, count) = words(step)
        feeds = {inputs: ids, labels: neighbours, sampled[0]: drawn, sampled[1]: true_count, sampled[2]: count}
        losses.append(session.run([loss, train], feeds)[0])
    return losses, session.run(similarity)


def sequences(step):
    """A batch of its own size of sequences of different lengths, at most five."""
    n = 3 + step % 3
    length = np.array([(step + 2 * r) % 5 + 1 for r in range(n)], np.int32)
    return start([n, 5, 2], step), length, (np.arange(n) + step) % 2 * 1.0


def lstm():
    x = tf1.placeholder(tf.float64, [None, 5, 2])
    length = tf1.placeholder(tf.int32, [None])
    y = tf1.placeholder(tf.float64, [None])
    W = tf1.Variable(start([2 + 3, 4 * 3], 1))
    b = tf1.Variable(tf.zeros([4 * 3], tf.float64))
    out = tf1.Variable(start([3, 1], 2))
    state = tf.zeros([tf.shape(x)[0], 3], tf.float64)
    output = tf.zeros([tf.shape(x)[0], 3], tf.float64)
    for t in range(5):
        gates = tf.matmul(tf.concat([x[:, t], output], 1), W) + b
        i, j, f, o = tf.split(gates, 4, 1)
        new_state = state * tf.sigmoid(f + 1) + tf.sigmoid(i) * tf.tanh(j)
        new_output = tf.tanh(new_state) * tf.sigmoid(o)
        alive = tf.expand_dims(t < length, 1)
        state = tf.where(alive, new_state, state)
        output = tf.where(alive, new_output, output)
    logits = tf.squeeze(tf.matmul(output, out), 1)
    loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits))
    train = tf1.train.RMSPropOptimizer(0.05).minimize(loss)
    session = tf1.Session()
    session.run(tf1.global_variables_initializer())
    losses = []
    for step in range(6):
        values, lengths, labels = sequences(step)
        losses.append(session.run([loss, train], {x: values, length: lengths, y: labels})[0])
    return losses, session.run(tf.sigmoid(logits), {x: values, length: lengths})


def clicks(step):
    """Six rows of three fields with features of their own, four each, and values; and whether there was a click."""
    r = np.arange(6)
    ids = np.stack([(r * 3 + step + f * f) % 4 + 4 * f for f in range(3)], 1).astype(np.int32)
    values = np.stack([np.ones(6), np.ones(6), (r + 1 + step % 2) / 4], 1)
    return ids, values, ((r * 5 + step) % 3 == 0).astype(np.float64).reshape(6, 1)


def deepfm():
    ids = tf1.placeholder(tf.int32, [None, 3])
    values = tf1.placeholder(tf.float64, [None, 3])
    y = tf1.placeholder(tf.float64, [None, 1])
    rate = tf1.placeholder(tf.float64, [])
    training = tf1.placeholder(tf.bool, [])
    V = tf1.Variable(start([12, 2], 1))
    w = tf1.Variable(start([12, 1], 2))
    W1, b1 = tf1.Variable(start([6, 4], 3)), tf1.Variable(tf.zeros([4], tf.float64))
    beta, gamma = tf1.Variable(tf.zeros([4], tf.float64)), tf1.Variable(tf.ones([4], tf.float64))
    moving_mean = tf1.Variable(tf.zeros([4], tf.float64), trainable=False)
    moving_variance = tf1.Variable(tf.ones([4], tf.float64), trainable=False)
    W2, b2 = tf1.Variable(start([3 + 2 + 4, 1], 4)), tf1.Variable(start([], 5))
    x = tf.expand_dims(values, 2)
    first_order = tf.reduce_sum(tf.nn.embedding_lookup(w, ids) * x, 2)
    e = tf.nn.embedding_lookup(V, ids) * x
    second_order = 0.5 * (tf.square(tf.reduce_sum(e, 1)) - tf.reduce_sum(tf.square(e), 1))
    deep = tf1.nn.dropout(tf.reshape(e, [-1, 6]), rate=rate)
    deep = tf.matmul(deep, W1) + b1
    mean, variance = tf.nn.moments(deep, [0])
    update = tf.group(moving_mean.assign(0.9 * moving_mean + 0.1 * mean),
                      moving_variance.assign(0.9 * moving_variance + 0.1 * variance))
    m, v = tf.cond(training, lambda: (mean, variance), lambda: (moving_mean, moving_variance))
    deep = tf.nn.relu(tf.nn.batch_normalization(deep, m, v, beta, gamma, 0.001))
    deep = tf1.nn.dropout(deep, rate=rate)
    logits = tf.matmul(tf.concat([first_order, second_order, deep], 1), W2) + b2
    loss = tf1.losses.log_loss(y, tf.sigmoid(logits))
    step = tf1.train.AdamOptimizer(0.05).minimize(loss)
    train = tf.group(step, update)
    session = tf1.Session()
    session.run(tf1.global_variables_initializer())
    drawn = [op.outputs[0] for op in session.graph.get_operations() if op.type == "RandomUniform"]
    losses = []
    for i in range(6):
        feeds = dict(zip([ids, values, y], clicks(i)))
        feeds.update({rate: 0.25, training: True, drawn[0]: unit([6, 6], i), drawn[1]: unit([6, 4], i + 1)})
        losses.append(session.run([loss, train], feeds)[0])
    feeds.update({rate: 0, training: False})
    return losses, session.run(tf.sigmoid(logits), feeds)


def rows():
    result = []
    for program in (word2vec, lstm, deepfm):
        with tf.Graph().as_default():
            losses, last = program()
        result.append({"name": program.__name__, "losses": fmt.flat(np.array(losses, np.float64)), "last": fmt.tensor(np.asarray(last, np.float64))})
    return result
