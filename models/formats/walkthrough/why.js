// Why an element is what it is: each op's formula and derivative, computed again from the elements that it reads.

// Element by element: the formula of operands a and b, what it computes, and for each operand the derivative's formula
// and what that computes; y is the result.
const sigmoid = (a) => 1 / (1 + Math.exp(-a));
const elementwise = {
  add: ['a + b', (a, b) => a + b, ['1', () => 1], ['1', () => 1]],
  subtract: ['a − b', (a, b) => a - b, ['1', () => 1], ['−1', () => -1]],
  multiply: ['a × b', (a, b) => a * b, ['b', (a, b) => b], ['a', (a) => a]],
  divide: ['a / b', (a, b) => a / b, ['1 / b', (a, b) => 1 / b], ['−a / b²', (a, b) => -a / (b * b)]],
  pow: [
    'a ^ b', Math.pow, ['b × a ^ (b − 1)', (a, b) => b === 0 ? 0 : b * Math.pow(a, b - 1)],
    ['y × log(a)', (a, b, y) => a > 0 ? y * Math.log(a) : 0]
  ],
  squared_difference: [
    '(a − b)²', (a, b) => (a - b) ** 2, ['2 × (a − b)', (a, b) => 2 * (a - b)], ['−2 × (a − b)', (a, b) => 2 * (b - a)]
  ],
  square: ['a²', (a) => a * a, ['2 × a', (a) => 2 * a]],
  negative: ['−a', (a) => -a, ['−1', () => -1]],
  exp: ['exp(a)', Math.exp, ['y', (a, b, y) => y]],
  log: ['log(a)', Math.log, ['1 / a', (a) => 1 / a]],
  sqrt: ['√a', Math.sqrt, ['1 / (2 × y)', (a, b, y) => 1 / (2 * y)]],
  abs: ['|a|', Math.abs, ['sign(a)', Math.sign]],
  sigmoid: ['1 / (1 + exp(−a))', sigmoid, ['y × (1 − y)', (a, b, y) => y * (1 - y)]],
  tanh: ['tanh(a)', Math.tanh, ['1 − y²', (a, b, y) => 1 - y * y]],
  relu: ['max(a, 0)', (a) => a <= 0 ? 0 : a, ['1 where a > 0', (a) => a > 0 ? 1 : 0]],
  softplus:
      ['log(1 + exp(a))', (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))), ['1 / (1 + exp(−a))', sigmoid]],
};

// Sums of products of input elements: for output element o the terms, each a list of [input number, element], and a
// factor for all. touch says which outputs an input element may reach, where that is not all.
const sums = {
  broadcast_to: {terms: (node, o) => [[[0, ravel(unravel(o, node.shape), nodes[node.inputs[0]].shape)]]]},
  transpose: {
    terms(node, o) {
      const shape = nodes[node.inputs[0]].shape, index = unravel(o, node.shape), from = [];
      (numbersIn(node, 'perm') || shape.map((_, axis) => shape.length - 1 - axis)).forEach((axis, i) => {
        from[axis] = index[i];
      });
      return [[[0, ravel(from, shape)]]];
    },
  },
  reduce_sum: {terms: (node, o) => reduced(node, o).map((flat) => [[0, flat]])},
  reduce_mean: {
    terms: (node, o) => reduced(node, o).map((flat) => [[0, flat]]),
    factor: (node) => sizeOf(node.shape) / sizeOf(nodes[node.inputs[0]].shape),
  },
  matmul: {
    terms(node, o) {
      const [a, b] = node.inputs.map((n) => nodes[n].shape), index = unravel(o, node.shape);
      const ta = /transpose_a/.test(node.attributes), tb = /transpose_b/.test(node.attributes);
      const batch = index.slice(0, -2), [i, j] = index.slice(-2), inner = a[a.length - (ta ? 2 : 1)];
      return Array.from({length: inner}, (_, k) => {
        const left = ta ? [k, i] : [i, k], right = tb ? [j, k] : [k, j];
        return [[0, ravel([...batch, ...left], a)], [1, ravel([...batch, ...right], b)]];
      });
    },
    touch(node, input, c) {
      if (node.shape.length > 2) return null;
      const flipped = new RegExp(input ? 'transpose_b' : 'transpose_a').test(node.attributes);
      const line = unravel(c, nodes[node.inputs[input]].shape)[(input === 1) !== flipped ? 1 : 0], [m, n] = node.shape;
      return input === 0 ? Array.from({length: n}, (_, j) => line * n + j) :
                           Array.from({length: m}, (_, i) => i * n + line);
    },
  },
};

for (const op of ['identity', 'reshape', 'reshape_like', 'expand_dims', 'squeeze', 'to_dense', 'to_csr'])
  sums[op] = {terms: (node, o) => [[[0, o]]]};

// The elements of the input that are summed into element o.
function reduced(node, o) {
  const shape = nodes[node.inputs[0]].shape, axes = numbersIn(node, 'axes') || shape.map((_, axis) => axis);
  const kept = node.shape.length === shape.length, index = unravel(o, node.shape), out = [];
  const from = [];
  let next = 0;
  shape.forEach((_, axis) => {
    from[axis] = axes.includes(axis) ? 0 : index[kept ? axis : next];
    if (!axes.includes(axis)) next++;
  });
  (function walk(i) {
    if (i === axes.length) return void out.push(ravel(from, shape));
    for (from[axes[i]] = 0; from[axes[i]] < shape[axes[i]]; from[axes[i]]++) walk(i + 1);
  })(0);
  return out;
}

const value = (n, flat) => tensor('value', n).v[flat];
const gradient = (n, flat) => tensor('gradient', n).v[flat];
const readable = (n) => tensor('value', n).whole;

// A formula's letters as what they stand for.
const spelt = (formula, letters) =>
    formula.split(/\b([aby])\b/).map((piece, i) => i % 2 ? letters[piece] : piece).filter((p) => p !== '');
const ref = (n, flat, isGradient = false) => ({n, flat, isGradient});
const refValue = (r) => r.isGradient ? gradient(r.n, r.flat) : value(r.n, r.flat);

function agrees(found, recorded, size) {
  return found === recorded || (isNaN(found) && isNaN(recorded)) ||
      Math.abs(found - recorded) <= 1e-5 * (size + Math.abs(recorded)) + 1e-37;
}

const total = (terms) => terms.reduce((sum, term) => sum + term.value, 0);
const sizes = (terms) => terms.reduce((sum, term) => sum + Math.abs(term.value), 0);

// Why element c of node n has its value: {terms, found, recorded, ok}; no terms where there is no explanation.
function whyValue(n, c) {
  const node = nodes[n], recorded = value(n, c), sparse = tensor('value', n).has;
  const none = {terms: null, recorded, ok: false};
  if (!readable(n) || !node.inputs.every(readable) || (sparse && !sparse[c])) return none;
  let terms;
  if (elementwise[node.op]) {
    const [formula, compute] = elementwise[node.op], index = unravel(c, node.shape);
    const [a, b] = node.inputs.map((input) => ref(input, ravel(index, nodes[input].shape)));
    const found = compute(refValue(a), b && refValue(b));
    terms = [{tokens: spelt(formula, {a, b}), value: found}];
    const size = Math.max(Math.abs(found), Math.abs(refValue(a)), b ? Math.abs(refValue(b)) : 0);
    return {terms, found, recorded, ok: agrees(found, recorded, /add|subtract/.test(node.op) ? size : Math.abs(found))};
  }
  if (!sums[node.op]) return none;
  const factor = sums[node.op].factor ? sums[node.op].factor(node) : 1;
  terms = sums[node.op].terms(node, c).map((factors) => {
    const refs = factors.map(([input, flat]) => ref(node.inputs[input], flat));
    const tokens = refs.flatMap((r, i) => i ? [' × ', r] : [r]);
    return {tokens, value: refs.reduce((product, r) => product * refValue(r), 1)};
  });
  const found = total(terms) * factor;
  return {terms, factor, found, recorded, ok: agrees(found, recorded, sizes(terms) * factor)};
}

// Why part p of the gradient of its node has its value at element c.
function whyPart(p, c) {
  const {from, input, to} = parts[p], node = nodes[from], own = tensor('part', p) || tensor('gradient', to);
  const recorded = own.v[own.shape ? ravel(unravel(c, nodes[to].shape), own.shape) : c];
  const none = {from, terms: null, recorded, ok: false};
  if (!own.whole || !readable(from) || !node.inputs.every(readable) || !tensor('gradient', from).whole) return none;
  // One part may stand for several inputs that are the same node: x times x.
  const here = (i) => i === input || (node.inputs[i] === to && !parts.some((q) => q.from === from && q.input === i));
  const inputs = node.inputs.map((n, i) => i).filter(here);
  const terms = [];
  const dense = (o) => !tensor('value', from).has || tensor('value', from).has[o];
  for (const i of inputs) {
    if (elementwise[node.op]) {
      const [formula, compute] = elementwise[node.op][2 + i];
      for (let o = 0; o < sizeOf(node.shape); o++) {
        const index = unravel(o, node.shape);
        if (ravel(index, nodes[to].shape) !== c || !dense(o)) continue;
        const [a, b] = node.inputs.map((n) => ref(n, ravel(index, nodes[n].shape)));
        const dy = ref(from, o, true), y = ref(from, o);
        const d = compute(refValue(a), b && refValue(b), refValue(y));
        const slope = spelt(formula, {a, b, y}), many = /[ −]/.test(formula);
        const factor = formula === '1' ? [] : [many ? ' × (' : ' × ', ...slope, many ? ')' : ''];
        terms.push({tokens: [dy, ...factor], value: refValue(dy) * d});
      }
    } else if (sums[node.op]) {
      const {terms: termsOf, touch, factor} = sums[node.op];
      const outputs = (touch && touch(node, i, c)) || Array.from({length: sizeOf(node.shape)}, (_, o) => o);
      for (const o of outputs)
        for (const factors of termsOf(node, o)) {
          if (!factors.some(([k, flat]) => k === i && flat === c)) continue;
          const others = factors.filter(([k]) => k !== i).map(([k, flat]) => ref(node.inputs[k], flat));
          const scale = factor ? factor(node) : 1, dy = ref(from, o, true);
          const tokens = [dy, ...others.flatMap((r) => [' × ', r]), scale === 1 ? '' : ` / ${Math.round(1 / scale)}`];
          const value = others.reduce((product, r) => product * refValue(r), refValue(dy) * scale);
          terms.push({tokens: tokens.filter((token) => token !== ''), value});
        }
    } else
      return none;
  }
  const found = total(terms);
  return {from, terms, found, recorded, ok: agrees(found, recorded, sizes(terms)), axes: summedAxes(node, to)};
}

// The axes of an elementwise node along which one of its inputs was broadcast.
function summedAxes(node, to) {
  if (!elementwise[node.op]) return [];
  const shape = nodes[to].shape, more = node.shape.length - shape.length;
  return node.shape.map((size, axis) => axis)
      .filter((axis) => node.shape[axis] !== 1 && (axis < more || shape[axis - more] === 1));
}

const partsOf = (n) => parts.map((part, p) => p).filter((p) => parts[p].to === n);

function whyGradient(n, c) {
  const all = partsOf(n).map((p) => whyPart(p, c)), recorded = gradient(n, c);
  const found = all.reduce((sum, part) => sum + part.recorded, 0);
  const size = all.reduce((sum, part) => sum + Math.abs(part.recorded), 0);
  return {parts: all, recorded, found, ok: agrees(found, recorded, size), terms: []};
}
