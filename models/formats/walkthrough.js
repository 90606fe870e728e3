// A recorded run, to be walked through. One state (training step, node, direction, view, cell) is drawn by draw();
// whatever happens changes the state through go(), which also writes it into the address.
'use strict';

const $ = (id) => document.getElementById(id);
const run = JSON.parse($('run').textContent);
const nodes = run.nodes || [], frames = run.frames || [], parts = run.backward || [];
const state = {f: 0, n: nodes.length - 1, back: false, plan: false, c: 0, pass: 0, log: false, guess: false};

// An element with attributes and children. Text enters as text, never as HTML: names come from anybody.
function el(tag, attributes = {}, ...children) {
  const svg = ['svg', 'path', 'line', 'circle', 'text', 'rect', 'g'].includes(tag);
  const e = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') e.addEventListener('click', value);
    else if (value !== false && value !== undefined) e.setAttribute(name, value);
  }
  e.append(...children.flat());
  return e;
}

// --- numbers ------------------------------------------------------------------------------------------------

function bytes(text, Kind) {
  const raw = atob(text), out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return new Kind(out.buffer);
}

const decoded = new Map();

// A tensor as it is in the file: all its elements in row-major order in v; of a sparse one, has says which are stored.
function decode(entry, dtype, shape) {
  if (decoded.has(entry)) return decoded.get(entry);
  const Kind = dtype === 'float32' || typeof entry.means === 'string' ? Float32Array : Float64Array;
  let out;
  if (typeof entry === 'string') out = {v: bytes(entry, Kind), shape, whole: true};
  else if (entry.means) out = {v: bytes(entry.means, Kind), shape, whole: false, least: entry.least, greatest: entry.greatest};
  else {
    const at = bytes(entry.at, Int32Array), of = bytes(entry.of, Kind);
    out = {v: new Kind(sizeOf(shape)), has: new Uint8Array(sizeOf(shape)), shape, whole: true};
    at.forEach((to, i) => { out.v[to] = of[i]; out.has[to] = 1; });
  }
  decoded.set(entry, out);
  return out;
}

// The tensor of node (or part) i in frame f: a frame holds what changed since the one before.
function tensor(kind, i, f = state.f) {
  for (; f >= 0; f--) {
    const entry = frames[f][kind][i];
    if (entry === undefined) continue;
    const of = kind === 'part' ? nodes[parts[i].to] : nodes[i];
    return decode(entry, of.dtype, kind === 'part' ? parts[i].shape : of.shape);
  }
  return null;
}

const losses = bytes(run.loss || '', Float32Array);

// At most five digits, with a real minus.
function text(x) {
  if (x === undefined || x === null) return '';
  if (!Number.isFinite(x)) return Number.isNaN(x) ? 'NaN' : x > 0 ? '∞' : '−∞';
  const size = Math.abs(x);
  const digits = Number.isInteger(x) && size < 1e6 ? String(x)
    : size >= 1e6 || size < 1e-4 ? x.toExponential(3).replace(/\.?0+e/, 'e').replace('e+', 'e')
    : String(Number(x.toPrecision(5)));
  return digits.replaceAll('-', '−');
}

// What fits into a cell of a heat map.
function brief(x) {
  if (!Number.isFinite(x) || x === 0) return text(x);
  const size = Math.abs(x);
  return (size >= 1e4 || size < 5e-4 ? x.toExponential(0).replace('e+', 'e')
    : size >= 100 ? x.toFixed(0) : size >= 10 ? x.toFixed(1) : Number(x.toFixed(3)).toString()).replaceAll('-', '−');
}

// --- indices ------------------------------------------------------------------------------------------------

const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

function unravel(flat, shape) {
  const index = new Array(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = flat % shape[axis];
    flat = Math.floor(flat / shape[axis]);
  }
  return index;
}

// Where index, which may have more axes or longer ones, falls in a tensor that is broadcast to it.
function ravel(index, shape) {
  const more = index.length - shape.length;
  return shape.reduce((flat, size, axis) => flat * size + (size === 1 ? 0 : index[axis + more]), 0);
}

const place = (n, flat, shape = nodes[n].shape) => shape.length ? `[${unravel(flat, shape).join(',')}]` : '';
const words = (shape) => shape.length ? shape.join(' by ') : 'one number';

function numbersIn(node, name) {
  const found = new RegExp(name + '=\\[?([-\\d, ]*)').exec(node.attributes);
  return found ? found[1].split(',').filter((word) => word.trim() !== '').map(Number) : null;
}

// --- why: what each op does, forward and backward --------------------------------------------------------------

// Element by element: the formula of operands a and b, what it computes, and for each operand the derivative's formula
// and what that computes; y is the result.
const sigmoid = (a) => 1 / (1 + Math.exp(-a));
const elementwise = {
  add: ['a + b', (a, b) => a + b, ['1', () => 1], ['1', () => 1]],
  subtract: ['a − b', (a, b) => a - b, ['1', () => 1], ['−1', () => -1]],
  multiply: ['a × b', (a, b) => a * b, ['b', (a, b) => b], ['a', (a) => a]],
  divide: ['a / b', (a, b) => a / b, ['1 / b', (a, b) => 1 / b], ['−a / b²', (a, b) => -a / (b * b)]],
  pow: ['a ^ b', Math.pow, ['b × a ^ (b − 1)', (a, b) => b === 0 ? 0 : b * Math.pow(a, b - 1)],
    ['y × log(a)', (a, b, y) => a > 0 ? y * Math.log(a) : 0]],
  squared_difference: ['(a − b)²', (a, b) => (a - b) ** 2, ['2 × (a − b)', (a, b) => 2 * (a - b)],
    ['−2 × (a − b)', (a, b) => 2 * (b - a)]],
  square: ['a²', (a) => a * a, ['2 × a', (a) => 2 * a]],
  negative: ['−a', (a) => -a, ['−1', () => -1]],
  exp: ['exp(a)', Math.exp, ['y', (a, b, y) => y]],
  log: ['log(a)', Math.log, ['1 / a', (a) => 1 / a]],
  sqrt: ['√a', Math.sqrt, ['1 / (2 × y)', (a, b, y) => 1 / (2 * y)]],
  abs: ['|a|', Math.abs, ['sign(a)', Math.sign]],
  sigmoid: ['1 / (1 + exp(−a))', sigmoid, ['y × (1 − y)', (a, b, y) => y * (1 - y)]],
  tanh: ['tanh(a)', Math.tanh, ['1 − y²', (a, b, y) => 1 - y * y]],
  relu: ['max(a, 0)', (a) => a > 0 ? a : a === a ? 0 : NaN, ['1 where a > 0', (a) => a > 0 ? 1 : 0]],
  softplus: ['log(1 + exp(a))', (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))),
    ['1 / (1 + exp(−a))', sigmoid]],
};

// Sums of products of input elements: for output element o the terms, each a list of [input number, element], and a
// factor for all. touch says which outputs an input element may reach, where that is not all.
const same = (node, o) => [[[0, o]]];
const sums = {
  identity: {terms: same}, reshape: {terms: same}, reshape_like: {terms: same}, expand_dims: {terms: same},
  squeeze: {terms: same}, to_dense: {terms: same}, to_csr: {terms: same},
  broadcast_to: {terms: (node, o) => [[[0, ravel(unravel(o, node.shape), nodes[node.inputs[0]].shape)]]]},
  transpose: {
    terms(node, o) {
      const shape = nodes[node.inputs[0]].shape, index = unravel(o, node.shape), from = [];
      (numbersIn(node, 'perm') || shape.map((_, axis) => shape.length - 1 - axis)).forEach((axis, i) => { from[axis] = index[i]; });
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
      return Array.from({length: inner}, (_, k) =>
        [[0, ravel([...batch, ...(ta ? [k, i] : [i, k])], a)], [1, ravel([...batch, ...(tb ? [j, k] : [k, j])], b)]]);
    },
    touch(node, input, c) {
      if (node.shape.length > 2) return null;
      const flipped = new RegExp(input ? 'transpose_b' : 'transpose_a').test(node.attributes);
      const line = unravel(c, nodes[node.inputs[input]].shape)[(input === 1) !== flipped ? 1 : 0], [m, n] = node.shape;
      return input === 0 ? Array.from({length: n}, (_, j) => line * n + j) : Array.from({length: m}, (_, i) => i * n + line);
    },
  },
};

// The elements of the input that are summed into element o.
function reduced(node, o) {
  const shape = nodes[node.inputs[0]].shape, axes = numbersIn(node, 'axes') || shape.map((_, axis) => axis);
  const kept = node.shape.length === shape.length, index = unravel(o, node.shape), out = [];
  const from = [];
  let next = 0;
  shape.forEach((_, axis) => { from[axis] = axes.includes(axis) ? 0 : index[kept ? axis : next]; if (!axes.includes(axis)) next++; });
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
const spelt = (formula, letters) => formula.split(/\b([aby])\b/).map((piece, i) => i % 2 ? letters[piece] : piece).filter((p) => p !== '');
const ref = (n, flat, isGradient = false) => ({n, flat, isGradient});
const refValue = (r) => r.isGradient ? gradient(r.n, r.flat) : value(r.n, r.flat);

function agrees(found, recorded, size) {
  return found === recorded || (Number.isNaN(found) && Number.isNaN(recorded)) ||
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
  const none = {from, terms: null, recorded, ok: false, input};
  if (!own.whole || !readable(from) || !node.inputs.every(readable) || !tensor('gradient', from).whole) return none;
  // One part may stand for several inputs that are the same node: x times x.
  const inputs = node.inputs.map((n, i) => i).filter((i) => i === input ||
    (node.inputs[i] === to && !parts.some((q) => q.from === from && q.input === i)));
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
        const tokens = formula === '1' ? [dy] : [dy, ' × ', ...(/[ −]/.test(formula) ? ['(', ...spelt(formula, {a, b, y}), ')'] : spelt(formula, {a, b, y}))];
        terms.push({tokens, value: refValue(dy) * d});
      }
    } else if (sums[node.op]) {
      const {terms: of, touch, factor} = sums[node.op];
      const outputs = (touch && touch(node, i, c)) || Array.from({length: sizeOf(node.shape)}, (_, o) => o);
      for (const o of outputs)
        for (const factors of of(node, o)) {
          if (!factors.some(([k, flat]) => k === i && flat === c)) continue;
          const others = factors.filter(([k]) => k !== i).map(([k, flat]) => ref(node.inputs[k], flat));
          const scale = factor ? factor(node) : 1, dy = ref(from, o, true);
          terms.push({tokens: [dy, ...others.flatMap((r) => [' × ', r]), ...(scale === 1 ? [] : [` / ${Math.round(1 / scale)}`])],
            value: others.reduce((product, r) => product * refValue(r), refValue(dy) * scale)});
        }
    } else return none;
  }
  const found = total(terms);
  return {from, input, terms, found, recorded, ok: agrees(found, recorded, sizes(terms)), axes: summedAxes(node, to)};
}

// The axes of an elementwise node along which one of its inputs was broadcast.
function summedAxes(node, to) {
  if (!elementwise[node.op]) return [];
  const shape = nodes[to].shape, more = node.shape.length - shape.length;
  return node.shape.map((size, axis) => axis).filter((axis) => node.shape[axis] !== 1 && (axis < more || shape[axis - more] === 1));
}

const partsOf = (n) => parts.map((part, p) => p).filter((p) => parts[p].to === n);

function whyGradient(n, c) {
  const all = partsOf(n).map((p) => whyPart(p, c)), recorded = gradient(n, c);
  const found = all.reduce((sum, part) => sum + part.recorded, 0);
  const size = all.reduce((sum, part) => sum + Math.abs(part.recorded), 0);
  return {parts: all, recorded, found, ok: agrees(found, recorded, size), terms: []};
}

// --- the panes --------------------------------------------------------------------------------------------------

const rowsOf = (t) => t.shape.length < 2 ? 1 : sizeOf(t.shape.slice(0, -1));

// Of a tensor that is kept in blocks, the shape of what is shown.
function shown(t) {
  if (t.whole) return t;
  const columns = t.shape.length ? t.shape[t.shape.length - 1] : 1, block = (n) => Math.ceil(n / Math.ceil(n / 64));
  return {...t, shape: [block(rowsOf(t)), block(columns)]};
}

const scales = new Map();

// The greatest size in any frame: so colours can be compared over time.
function scaleOf(kind, n) {
  const key = kind + n;
  if (!scales.has(key)) {
    let most = 0;
    for (let f = 0; f < frames.length; f++)
      if (f === 0 || frames[f][kind][n] !== undefined)
        for (const x of (tensor(kind, n, f) || {v: []}).v) if (Number.isFinite(x)) most = Math.max(most, Math.abs(x));
    scales.set(key, most);
  }
  return scales.get(key);
}

function paint(cell, x, scale, stored, numbers) {
  const strength = Number.isFinite(x) && scale > 0 ? Math.sqrt(Math.min(1, Math.abs(x) / scale)) : 0;
  cell.style.setProperty('--s', stored ? strength.toFixed(3) : 0);
  cell.className = !stored ? 'void' : Number.isFinite(x) ? (x < 0 ? 'minus' : x > 0 ? 'plus' : '') : 'odd';
  cell.textContent = numbers && stored ? brief(x) : stored && !Number.isFinite(x) ? '!' : '';
}

let grids = {};  // by kind: what is shown of the current node

function grid(kind) {
  const t = shown(tensor(kind, state.n)), rows = rowsOf(t), columns = sizeOf(t.shape) / Math.max(rows, 1);
  const numbers = rows <= 16 && columns <= 16;
  const box = el('table', {role: 'grid', class: numbers ? 'numbers' : 'dots', 'aria-rowcount': rows + 1, 'aria-colcount': columns + 1,
    'aria-label': `${kind} of ${nodes[state.n].name}, ${words(t.shape)}`});
  const head = el('tr', {role: 'row'}, el('td', {role: 'gridcell', class: 'corner'}));
  for (let j = 0; j < columns; j++) head.append(el('th', {scope: 'col', role: 'columnheader'}, numbers || j % 8 === 0 ? String(j) : ''));
  const cells = [], body = el('tbody', {role: 'rowgroup'});
  for (let i = 0; i < rows; i++) {
    const name = t.shape.length > 2 ? unravel(i, t.shape.slice(0, -1)).join(',') : String(i);
    const row = el('tr', {role: 'row'}, el('th', {scope: 'row', role: 'rowheader'}, numbers || i % 8 === 0 ? name : ''));
    for (let j = 0; j < columns; j++) {
      const cell = el('td', {role: 'gridcell', tabindex: -1, 'data-c': i * columns + j});
      cells.push(cell);
      row.append(cell);
    }
    body.append(row);
  }
  box.append(el('thead', {role: 'rowgroup'}, head), body);
  box.addEventListener('click', (event) => { if (event.target.dataset.c) go({c: Number(event.target.dataset.c), back: kind === 'gradient'}); });
  box.addEventListener('mouseover', (event) => { if (event.target.dataset.c) hover(kind, Number(event.target.dataset.c)); });
  box.addEventListener('keydown', (event) => {
    const by = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns}[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const to = Number(event.target.dataset.c) + by;
    if (to < 0 || to >= cells.length) return;
    go({c: to, back: kind === 'gradient'});
    grids[kind].cells[to].focus();
  });
  return {box, cells, numbers};
}

function hover(kind, c) {
  const t = tensor(kind, state.n), other = tensor(kind === 'value' ? 'gradient' : 'value', state.n);
  const name = nodes[state.n].name + place(state.n, c, shown(t).shape);
  const own = covered() ? '?' : text(t.v[c]);
  $('tensor-name').textContent = `${name} = ${own}` + (other && kind === 'value' ? `, gradient ${covered() ? '?' : text(other.v[c])}` : '');
}

function legend(kind) {
  const most = scaleOf(kind, state.n), ramp = el('span', {class: 'ramp', 'aria-hidden': 'true'});
  for (let i = -4; i <= 4; i++) {
    const swatch = el('i', {class: i < 0 ? 'minus' : i > 0 ? 'plus' : ''});
    swatch.style.setProperty('--s', Math.sqrt(Math.abs(i) / 4).toFixed(3));
    ramp.append(swatch);
  }
  return el('div', {class: 'legend'}, el('b', {}, kind), ' ', text(-most), ramp, text(most));
}

let drawnNode = -1;

function drawTensor() {
  if (drawnNode !== state.n) {
    grids = {};
    $('tensor').replaceChildren();
    for (const kind of ['value', 'gradient']) {
      if (!tensor(kind, state.n)) {
        $('tensor').append(el('p', {class: 'dim'}, nodes[state.n].kind === 'constant' ? 'A constant has no gradient.' : 'The loss does not change smoothly with it: no gradient.'));
        continue;
      }
      grids[kind] = grid(kind);
      $('tensor').append(el('div', {class: 'map'}, legend(kind), grids[kind].box));
    }
    if (!tensor('value', state.n).whole)
      $('tensor').append(el('p', {class: 'dim'}, 'It has more than 4,096 elements: a cell is the mean of a block.'));
    drawnNode = state.n;
  }
  for (const [kind, {cells, numbers}] of Object.entries(grids)) {
    const t = tensor(kind, state.n), scale = scaleOf(kind, state.n);
    cells.forEach((cell, i) => {
      paint(cell, covered() ? NaN : t.v[i], scale, !t.has || t.has[i], numbers);
      if (covered()) { cell.className = 'covered'; cell.textContent = ''; }
      const chosen = i === state.c, mine = chosen && (kind === 'gradient') === (state.back && !!grids.gradient);
      cell.tabIndex = mine || (chosen && Object.keys(grids).length === 1) ? 0 : -1;
      cell.classList.toggle('chosen', chosen);
      cell.setAttribute('aria-selected', chosen);
    });
  }
  const shownKind = state.back && grids.gradient ? 'gradient' : 'value';
  hover(shownKind, state.c);
  reveal($('tensor'), grids[shownKind].cells[state.c]);
}

// A formula twice: with names that can be clicked, and with numbers.
function named(tokens) {
  return tokens.map((token) => typeof token === 'string' ? token : el('button', {class: 'ref', on: () => go({n: token.n, c: token.flat, back: token.isGradient})},
    (token.isGradient ? '∂' : '') + nodes[token.n].name + place(token.n, token.flat)));
}

const valued = (tokens) => tokens.map((token) => {
  if (typeof token === 'string') return token;
  const x = refValue(token);
  return x < 0 && tokens.length > 1 ? `(${text(x)})` : text(x);
}).join('');

function termTable(terms) {
  const most = 12, sorted = [...terms].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const rest = sorted.slice(most);
  const rows = sorted.slice(0, most).map((term) => el('tr', {}, el('td', {}, named(term.tokens)),
    el('td', {class: 'of'}, term.tokens.length > 1 ? valued(term.tokens) : ''), el('td', {}, text(term.value))));
  if (rest.length) rows.push(el('tr', {}, el('td', {}, `${rest.length} smaller terms`), el('td', {}), el('td', {}, text(total(rest)))));
  return el('table', {class: 'terms'}, el('tbody', {}, rows));
}

const notExplained = (node) => el('p', {class: 'dim'}, `Not explained: the page does not know ${node.op}, or sees only a part of its numbers. The value is as it was recorded.`);

function explainTerms(why, node) {
  if (!why.terms || !why.ok) return [notExplained(node)];
  if (why.terms.length === 1 && !(why.factor && why.factor !== 1)) {
    const [{tokens}] = why.terms;
    return [el('p', {class: 'formula'}, '= ', named(tokens)), el('p', {class: 'formula'}, '= ', valued(tokens), tokens.length > 1 ? ' = ' + text(why.recorded) : '')];
  }
  const zero = why.terms.filter((term) => term.value === 0).length, terms = why.terms.filter((term) => term.value !== 0);
  const divided = why.factor && why.factor !== 1 ? `, divided by ${Math.round(1 / why.factor)}` : '';
  const out = [el('p', {}, `= the sum of ${why.terms.length} terms${zero ? `, ${zero} of them 0` : ''}${divided}`)];
  if (terms.length) out.push(termTable(terms));
  return out;
}

const origins = {
  placeholder: 'It is fed: it comes from the data, and is the same in each step.',
  constant: 'It is a constant: it stands in the program.',
};

function drawWhy() {
  const {n, c} = state, node = nodes[n], back = state.back && tensor('gradient', n), own = tensor(back ? 'gradient' : 'value', n), box = $('why');
  const name = nodes[n].name + place(n, c, shown(own).shape);
  box.replaceChildren(el('p', {class: 'formula head'}, (back ? `∂loss / ∂${name}` : name) + (covered() ? ' = ?' : ` = ${text(own.v[c])}`)));
  if (covered()) return void box.append(guessing(own.v[c]));
  if (own.has && !own.has[c]) return void box.append(el('p', {}, 'Nothing is stored here: the layout is sparse, and it counts as 0.'));
  if (!own.whole) return void box.append(notExplained(node));
  if (!back) {
    if (node.kind === 'variable') {
      const before = state.f > 0 ? tensor('value', n, state.f - 1).v[c] : null;
      box.append(el('p', {}, 'It is learnt: the optimizer moves it after each step, against its gradient.' +
        (before === null ? ' This is where it begins.' : ` At step ${frames[state.f - 1].t} it was ${text(before)}.`)));
    } else if (origins[node.kind]) box.append(el('p', {}, origins[node.kind]));
    else box.append(...explainTerms(whyValue(n, c), node));
  } else if (n === nodes.length - 1) {
    box.append(el('p', {}, 'Here the walk backward begins: the loss changes by 1 when the loss changes by 1.'));
  } else {
    const why = whyGradient(n, c), many = why.parts.length > 1;
    box.append(el('p', {}, many ? `= the sum of ${why.parts.length} parts, one from each use: ${why.parts.map((part) => text(part.recorded)).join(' + ')}`
      : `from its one use, ${nodes[why.parts[0].from].name}:`));
    for (const part of why.parts) {
      if (many) box.append(el('p', {class: 'part'}, 'from ', nodes[part.from].name, ': ', el('b', {}, text(part.recorded))));
      box.append(...explainTerms(part, nodes[part.from]));
      if (!part.axes || !part.axes.length) continue;
      const axes = `ax${part.axes.length > 1 ? 'es' : 'is'} ${part.axes.join(' and ')}`;
      box.append(el('p', {class: 'dim'}, `It was broadcast along ${axes}: what comes back along there is summed.`));
    }
  }
  const line = spark(back ? 'gradient' : 'value', n, c);
  if (line) box.append(line);
}

// The chosen element over the recorded steps.
function spark(kind, n, c) {
  const points = frames.map((_, f) => tensor(kind, n, f).v[c]);
  const finite = points.filter(Number.isFinite), low = Math.min(...finite), high = Math.max(...finite);
  if (!(high > low)) return null;
  const x = (f) => 4 + f * 192 / Math.max(1, frames.length - 1), y = (v) => 36 - 32 * (v - low) / (high - low);
  const path = points.map((v, f) => Number.isFinite(v) ? `${f && Number.isFinite(points[f - 1]) ? 'L' : 'M'}${x(f).toFixed(1)} ${y(v).toFixed(1)}` : '').join('');
  const here = points[state.f];
  const label = `over the recorded steps it goes from ${text(points[0])} to ${text(points[points.length - 1])}`;
  return el('p', {class: 'spark'}, el('svg', {viewBox: '0 0 200 40', width: 200, height: 40, role: 'img', 'aria-label': label},
    el('path', {d: path, class: 'curve'}), Number.isFinite(here) ? el('circle', {cx: x(state.f), cy: y(here), r: 3.5, class: 'dot'}) : ''),
    ` over ${frames.length} recorded steps, from ${text(low)} to ${text(high)}`);
}

function drawGraph() {
  const {n, back} = state, edges = document.querySelectorAll('#graph .edge');
  $('graph').classList.toggle('back', back);
  document.querySelectorAll('#graph .node').forEach((g) => {
    const own = Number(g.dataset.n);
    g.classList.toggle('now', own === n);
    g.classList.toggle('ahead', !state.plan && (back ? own < n : own > n));
    g.tabIndex = own === n ? 0 : -1;
    if (own === n) g.setAttribute('aria-current', 'true');
    else g.removeAttribute('aria-current');
  });
  $('labels').replaceChildren();
  edges.forEach((edge) => {
    const {from, to} = edge.dataset, lit = Number(back ? from : to) === n;
    edge.classList.toggle('lit', lit);
    edge.classList.toggle('ahead', !state.plan && !lit && Number(back ? from : to) * (back ? -1 : 1) > n * (back ? -1 : 1));
    if (!lit || state.plan) return;
    const middle = edge.getPointAtLength(edge.getTotalLength() / 2), input = Number(edge.dataset.input);
    const p = parts.findIndex((part) => part.from === Number(to) && part.input === input && part.to === Number(from));
    const words = !back ? `[${nodes[from].shape.join(', ')}]` : p < 0 || covered() || !tensor('gradient', n) ? '' : text(partValue(p, state.c));
    if (words) $('labels').append(el('text', {x: middle.x, y: middle.y + 4, class: 'label'}, words));
  });
}

function partValue(p, c) {
  const own = tensor('part', p) || tensor('gradient', parts[p].to);
  return own.v[own.whole ? ravel(unravel(c, nodes[parts[p].to].shape), own.shape) : c];
}

function drawSource() {
  const {source, line} = nodes[state.n], {name, first, text: lines} = run.sources[source];
  $('source-name').textContent = `${name}, line ${line}`;
  if ($('source').dataset.source !== String(source)) {
    $('source').dataset.source = source;
    const made = new Map();
    nodes.forEach((node, n) => { if (node.source === source) made.set(node.line, n); });
    $('source').replaceChildren(lines.length ? el('ol', {start: first}, lines.map((words, i) => {
      const n = made.get(first + i);
      return el('li', {value: first + i, 'data-line': first + i, class: n === undefined ? 'quiet' : ''}, el('code', n === undefined ? {} : {on: () => go({n})}, words || ' '));
    })) : el('p', {class: 'dim'}, `${name} was not there when the page was written; node ${nodes[state.n].name} was made in its line ${line}.`));
  }
  $('source').querySelectorAll('li').forEach((item) => item.classList.toggle('now', Number(item.dataset.line) === line));
  reveal($('source'), $('source').querySelector('.now'));
}

// Scrolls a pane, and nothing else, so that an element of it is seen.
function reveal(pane, element) {
  if (!element) return;
  const a = pane.getBoundingClientRect(), b = element.getBoundingClientRect();
  if (b.top < a.top + 8 || b.bottom > a.bottom - 8) pane.scrollTop += b.top - a.top - a.height / 2 + b.height / 2;
  if (b.left < a.left + 8 || b.right > a.right - 8) pane.scrollLeft += b.left - a.left - a.width / 2 + b.width / 2;
}

const chart = {width: 520, height: 150, left: 52, right: 14, top: 10, bottom: 22};

function chartX(step) {
  return chart.left + (chart.width - chart.left - chart.right) * step / Math.max(1, losses.length - 1);
}

function drawLoss() {
  chart.width = Math.max(260, $('chart').clientWidth - 24);
  const step = frames[state.f].t, finite = [...losses].filter((x) => Number.isFinite(x) && (!state.log || x > 0));
  const scale = state.log ? Math.log10 : (x) => x;
  let low = Math.min(...finite.map(scale)), high = Math.max(...finite.map(scale));
  if (!state.log) low = Math.min(low, 0);
  if (!(high > low)) { high = (high || 0) + 1; low = high - 2; }
  const {width, height, left, right, top, bottom} = chart;
  const y = (x) => height - bottom - (height - top - bottom) * (scale(x) - low) / (high - low);
  const drawable = (x) => Number.isFinite(x) && (!state.log || x > 0);
  let path = '', pen = false;
  losses.forEach((x, i) => {
    if (drawable(x)) path += `${pen ? 'L' : 'M'}${chartX(i).toFixed(1)} ${y(x).toFixed(1)}`;
    pen = drawable(x);
  });
  let best = 0;
  losses.forEach((x, i) => { if (x < losses[best] || Number.isNaN(losses[best])) best = i; });
  const broken = losses.findIndex((x) => !Number.isFinite(x));
  const svg = el('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `The loss over ${losses.length - 1} steps, from ${text(losses[0])} to ${text(losses[losses.length - 1])}`});
  for (const part of [0, 0.5, 1]) {
    const at = low + part * (high - low), number = state.log ? 10 ** at : at, h = height - bottom - part * (height - top - bottom);
    svg.append(el('line', {x1: left, x2: width - right, y1: h, y2: h, class: 'rule'}), el('text', {x: left - 6, y: h + 4, class: 'tick end'}, brief(number)));
  }
  for (const at of new Set([0, losses.length >> 1, losses.length - 1]))
    svg.append(el('text', {x: chartX(at), y: height - 6, class: at === 0 ? 'tick' : at < losses.length - 1 ? 'tick middle' : 'tick end'}, at === 0 ? 'step 0' : String(at)));
  svg.append(el('path', {d: path, class: 'curve'}));
  frames.forEach(({t}) => { if (drawable(losses[t])) svg.append(el('circle', {cx: chartX(t), cy: y(losses[t]), r: 1.8, class: 'frame'})); });
  if (drawable(losses[best])) svg.append(el('circle', {cx: chartX(best), cy: y(losses[best]), r: 4, class: 'best'}));
  if (broken >= 0) svg.append(el('text', {x: chartX(broken) + 4, y: top + 12, class: 'tick'}, `not finite from step ${broken}`));
  svg.append(el('line', {x1: chartX(step), x2: chartX(step), y1: top, y2: height - bottom, class: 'cursor'}));
  if (drawable(losses[step])) svg.append(el('circle', {cx: chartX(step), cy: y(losses[step]), r: 5, class: 'dot'}));
  $('chart').replaceChildren(svg);
  $('loss-now').textContent = `${text(losses[step])} at step ${step}; least ${text(losses[best])} at step ${best}`;
  $('frame').value = state.f;
  $('frame').setAttribute('aria-valuetext', `step ${step}`);
  $('step').value = step;
  $('log').setAttribute('aria-pressed', state.log);
}

// --- the plan ---------------------------------------------------------------------------------------------------

const computed = (plan) => plan.steps.filter((step) => ['loop', 'call', 'host'].includes(step.form));
const sameSteps = (a, b) => a.bytes === b.bytes && a.steps.length === b.steps.length && a.steps.every((step, i) => step.details === b.steps[i].details && step.formula === b.steps[i].formula);

function drawPlan() {
  const plan = run.plans[state.pass], whole = run.plans[0], steps = plan.steps;
  const sum = (of) => of.reduce((a, b) => a + b, 0);
  $('plan-total').textContent = `${computed(plan).length} steps, ${plan.bytes} bytes between them, about ${text(sum(computed(plan).map((step) => step.us)))} µs as measured`;
  $('passes').replaceChildren(el('fieldset', {}, el('legend', {}, 'Passes of the compiler: switch one off'), run.plans.map((other, i) => {
    const change = computed(other).length - computed(whole).length;
    const effect = sameSteps(other, whole) ? 'changes nothing here'
      : change ? `${change > 0 ? '+' : '−'}${Math.abs(change)} steps` : 'other steps, as many';
    const words = i === 0 ? `all on: ${computed(whole).length} steps` : `${other.without.replace(' passes', '')} off: ${effect}`;
    const input = el('input', {type: 'radio', name: 'pass', value: i});
    input.checked = i === state.pass;
    input.addEventListener('change', () => go({pass: i}));
    return el('label', {}, input, ' ', words);
  })));
  const own = steps.findIndex((step) => step.nodes.includes(state.n)), host = steps.findIndex((step) => step.including.includes(state.n));
  const step = steps[own] || steps[host], name = nodes[state.n].name;
  const sharing = (of) => of.nodes.filter((n) => n !== state.n).map((n) => nodes[n].name).join(', ');
  $('fate').textContent = nodes[state.n].kind !== 'op' ? `${name} is given to the run.`
    : own >= 0 && step.form === 'constant' ? `${name} was folded: its value is known before the run.`
    : own >= 0 ? `${name} is %${own}${step.nodes.length > 1 ? `, one value shared with ${sharing(step)}` : ''}.`
    : host >= 0 ? `${name} has no value of its own: %${host} does its work.` : `${name} is not computed: what the step is for does not need its value.`;
  $('plan').replaceChildren(el('table', {class: 'listing'}, el('thead', {}, el('tr', {}, ['step', 'where', 'bytes read', 'written', 'µs'].map((word) => el('th', {scope: 'col'}, word)))),
    el('tbody', {}, steps.map((each, i) => {
      const shownNode = each.nodes.concat(each.including)[0];
      const formula = shownNode === undefined ? each.formula : el('button', {class: 'ref', on: () => go({n: shownNode})}, each.formula);
      return el('tr', {class: (i === own || i === host ? 'now' : '') + (shownNode === undefined ? ' quiet' : '')}, el('td', {}, formula),
        el('td', {}, each.details), el('td', {}, text(each.read)), el('td', {}, text(each.written)), el('td', {}, each.us ? each.us.toFixed(2) : ''));
    }))));
  reveal($('plan'), $('plan').querySelector('.now'));
}

// A tint behind the nodes that are one step, and lines that hold them together.
function drawHulls() {
  $('hulls').replaceChildren();
  document.querySelectorAll('#graph .node').forEach((g) => g.classList.remove('gone'));
  if (!state.plan) return;
  const steps = run.plans[state.pass].steps, box = (n) => document.querySelector(`#graph [data-n="${n}"] rect`).getBBox();
  const seen = new Set();
  steps.forEach((step, i) => {
    const members = step.nodes.concat(step.including);
    members.forEach((n) => seen.add(n));
    if (members.length < 2) return;
    const hull = el('g', {class: 'hull'});
    hull.style.setProperty('--hue', String(i * 67 % 360));
    for (const n of members) {
      const {x, y, width, height} = box(n);
      hull.append(el('rect', {x: x - 6, y: y - 6, width: width + 12, height: height + 12, rx: 12}));
      for (const m of nodes[n].inputs.filter((input) => members.includes(input))) {
        const from = box(m);
        hull.append(el('line', {x1: from.x + from.width / 2, y1: from.y + from.height, x2: x + width / 2, y2: y}));
      }
    }
    $('hulls').append(hull);
  });
  document.querySelectorAll('#graph .node').forEach((g) => { const n = Number(g.dataset.n); g.classList.toggle('gone', nodes[n].kind === 'op' && !steps.some((step) => step.nodes.includes(n))); });
}

// --- predicting -------------------------------------------------------------------------------------------------

const score = {right: 0, of: 0};
let revealed = '';
const moment = () => `${state.f} ${state.n} ${state.c} ${state.back}`;
const covered = () => state.guess && revealed !== moment();

function guessing(x) {
  const answer = (sign, size) => {
    const power = Math.abs(x) < 0.01 ? 0 : Math.abs(x) < 1 ? 1 : 2, right = sign === Math.sign(x) && (sign === 0 || size === power);
    score.of++;
    score.right += right ? 1 : 0;
    revealed = moment();
    draw();
    $('why').prepend(el('p', {class: right ? 'right' : 'wrong'}, `${right ? 'Right' : 'Not so'}: ${score.right} of ${score.of} guesses were right.`));
  };
  const sizesOf = ['below 0.01', '0.01 to 1', '1 or more'];
  return el('div', {class: 'guess'}, el('p', {}, 'What will it be? Sign and size:'),
    sizesOf.map((words, i) => el('button', {on: () => answer(-1, i)}, `− ${words}`)), el('button', {on: () => answer(0, 0)}, 'exactly 0'),
    sizesOf.map((words, i) => el('button', {on: () => answer(1, i)}, `+ ${words}`)));
}

// --- state ------------------------------------------------------------------------------------------------------

function nearest(step) {
  let best = 0;
  frames.forEach((frame, f) => { if (Math.abs(frame.t - step) < Math.abs(frames[best].t - step)) best = f; });
  return best;
}

// Where the most is to see first: the largest element.
function largest(n) {
  const {v} = tensor('value', n);
  let best = 0;
  v.forEach((x, i) => { if (Math.abs(x) > Math.abs(v[best])) best = i; });
  return best;
}

function go(change) {
  if (change.n !== undefined && change.n !== state.n && change.c === undefined) change.c = largest(change.n);
  Object.assign(state, change);
  state.c = Math.min(Math.max(state.c, 0), Math.max(0, tensor('value', state.n).v.length - 1));
  draw();
  const index = unravel(state.c, shown(tensor('value', state.n)).shape).join(',');
  const more = (state.pass ? `&off=${state.pass}` : '') + (state.log ? '&y=log' : '');
  const d = state.back ? 'back' : 'forward', v = state.plan ? 'plan' : 'numbers';
  history.replaceState(null, '', `#t=${frames[state.f].t}&n=${state.n}&d=${d}&v=${v}&c=${index}${more}`);
}

function fromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)), whole = (name, most) => {
    const x = Number(given.get(name));
    return given.has(name) && Number.isInteger(x) && x >= 0 && x <= most ? x : undefined;
  };
  const change = {back: given.get('d') === 'back', plan: given.get('v') === 'plan', pass: whole('off', run.plans.length - 1) || 0, log: given.get('y') === 'log', n: whole('n', nodes.length - 1)};
  if (change.n === undefined) change.n = nodes.findIndex((node) => node.kind === 'op');
  if (change.n < 0) change.n = 0;
  if (given.has('t')) change.f = nearest(Number(given.get('t')) || 0);
  const shape = shown(tensor('value', change.n, change.f || 0)).shape, index = (given.get('c') || '').split(',').filter((word) => word !== '').map(Number);
  const inside = index.length === shape.length && index.every((i, axis) => Number.isInteger(i) && i >= 0 && i < shape[axis]);
  if (given.has('c') && inside) change.c = ravel(index, shape);
  if (change.c === undefined) change.c = largest(change.n);
  return change;
}

function draw() {
  const node = nodes[state.n], t = tensor('value', state.n);
  const pressed = {forward: !state.back, back: state.back, values: !state.plan, plans: state.plan, guess: state.guess, play: !!playing};
  for (const id of Object.keys(pressed)) $(id).setAttribute('aria-pressed', pressed[id]);
  document.querySelector('.tensor').hidden = document.querySelector('.why').hidden = state.plan;
  document.querySelector('.plan').hidden = !state.plan;
  drawHulls();
  drawGraph();
  reveal($('graph-box'), document.querySelector('#graph .now'));
  if (state.plan) drawPlan();
  else { drawTensor(); drawWhy(); }
  drawSource();
  drawLoss();
  const finite = [...t.v].filter(Number.isFinite);
  const what = `${node.name}: ${node.kind === 'op' ? node.op : node.kind}${node.attributes ? ` (${node.attributes})` : ''}`;
  const [least, greatest] = t.whole ? [Math.min, Math.max].map((f) => finite.reduce((x, y) => f(x, y), finite[0])) : [t.least, t.greatest];
  const range = finite.length && !covered() ? `, from ${text(least)} to ${text(greatest)}` : '';
  const odd = finite.length < t.v.length ? `, ${t.v.length - finite.length} not finite` : '';
  $('say').textContent = `${what}, ${words(node.shape)}, node ${state.n + 1} of ${nodes.length}${range}${odd}, step ${frames[state.f].t}`;
}

const step = (by) => { const n = state.n + (state.back ? -by : by); if (n >= 0 && n < nodes.length) go({n}); return n >= 0 && n < nodes.length; };
const train = (by) => go({f: Math.min(Math.max(state.f + by, 0), frames.length - 1)});

let playing = 0;
function play() {
  if (playing) playing = clearInterval(playing) || 0;
  else playing = setInterval(() => { if (!step(1)) play(); }, matchMedia('(prefers-reduced-motion: reduce)').matches ? 1500 : 500);
  $('play').textContent = playing ? 'Pause' : 'Play';
  $('play').setAttribute('aria-pressed', !!playing);
}

const keys = {
  ArrowRight: () => step(1), ArrowLeft: () => step(-1), ArrowUp: () => train(1), ArrowDown: () => train(-1),
  Home: () => go({n: state.back ? nodes.length - 1 : 0}), End: () => go({n: state.back ? 0 : nodes.length - 1}),
  ' ': play, b: () => go({back: !state.back}), p: () => go({plan: !state.plan}), g: () => { revealed = ''; drawnNode = -1; go({guess: !state.guess}); },
  '/': () => $('find').focus(), '?': () => $('keys').showModal(),
};

function listen() {
  document.addEventListener('keydown', (event) => {
    const within = (what) => event.target.closest(what);
    const typing = within('dialog, input:not([type=radio]):not([type=range])') || event.ctrlKey || event.metaKey || event.altKey;
    const own = within('input, .plan .scroll, .source .scroll, .why .scroll') || (event.key === ' ' && within('button'));
    if (typing || !keys[event.key] || (own && !/^[bpg?]$/.test(event.key))) return;
    event.preventDefault();
    const onNode = document.activeElement && document.activeElement.closest('#graph .node');
    keys[event.key]();
    if (onNode) document.querySelector('#graph .now').focus({preventScroll: true});
  });
  const graphNode = (event) => event.target.closest('#graph .node');
  $('graph').addEventListener('click', (event) => { const g = graphNode(event); if (g) { go({n: Number(g.dataset.n)}); g.focus({preventScroll: true}); } });
  $('graph').addEventListener('keydown', (event) => { const g = graphNode(event); if (g && event.key === 'Enter') go({n: Number(g.dataset.n)}); });
  for (const [id, act] of Object.entries({next: () => step(1), previous: () => step(-1), play, forward: () => go({back: false}), back: () => go({back: true}), values: () => go({plan: false}),
    plans: () => go({plan: true}), guess: keys.g, help: keys['?'], log: () => go({log: !state.log}), download})) $(id).addEventListener('click', act);
  $('frame').addEventListener('input', () => go({f: Number($('frame').value)}));
  $('step').addEventListener('change', () => go({f: nearest(Number($('step').value))}));
  $('find').addEventListener('change', () => { const n = nodes.findIndex((node) => node.name === $('find').value); if (n >= 0) { go({n}); $('find').value = ''; $('find').blur(); } });
  const drag = (event) => {
    const svg = $('chart').firstChild.getBoundingClientRect(), x = (event.clientX - svg.left) / svg.width * chart.width;
    go({f: nearest((x - chart.left) / (chart.width - chart.left - chart.right) * (losses.length - 1))});
  };
  $('chart').addEventListener('pointerdown', (event) => { drag(event); $('chart').setPointerCapture(event.pointerId); });
  $('chart').addEventListener('pointermove', (event) => { if (event.buttons) drag(event); });
  window.addEventListener('resize', drawLoss);
  window.addEventListener('hashchange', () => go(fromAddress()));
}

function download() {
  const link = el('a', {href: URL.createObjectURL(new Blob([$('run').textContent], {type: 'application/json'})), download: 'walkthrough.json'});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Every element of every node, forward and backward, in the first, a middle and the last frame: what agrees, what is
// not explained for want of knowledge, and what is wrong.
function selftest() {
  const found = {ok: 0, unknown: 0, wrong: []};
  for (const f of new Set([0, Math.floor(frames.length / 2), frames.length - 1])) {
    state.f = f;
    nodes.forEach((node, n) => {
      const t = tensor('value', n), g = tensor('gradient', n);
      for (let c = 0; c < (t.whole ? t.v.length : 0); c++) {
        const whys = node.kind === 'op' && (!t.has || t.has[c]) ? [whyValue(n, c)] : [];
        if (g && g.whole && (!g.has || g.has[c]) && n < nodes.length - 1) { const why = whyGradient(n, c); whys.push(...why.parts, why); }
        for (const why of whys)
          if (why.ok) found.ok++;
          else if (!why.terms) found.unknown++;
          else found.wrong.push(`${node.name}${place(n, c)} at step ${frames[f].t}: ${why.found}, recorded ${why.recorded}`);
      }
    });
  }
  return found;
}

function begin() {
  if (run.format !== 'gradus-walkthrough' || run.version !== 1) {
    $('say').textContent = `This page's data are of version ${run.version}; it reads version 1. Write the page again.`;
    return;
  }
  document.body.classList.add('alive');
  $('frame').max = frames.length - 1;
  $('step').max = frames[frames.length - 1].t;
  $('names').append(...nodes.map((node) => el('option', {value: node.name})));
  const asked = location.hash === '#selftest';
  listen();
  const finite = losses.filter((x) => x > 0 && Number.isFinite(x));
  const wide = finite.length === losses.length && finite.reduce((a, b) => Math.max(a, b)) > 50 * finite.reduce((a, b) => Math.min(a, b));
  const first = fromAddress();
  go({f: nearest(10), ...first, log: first.log || (wide && !location.hash.includes('t='))});
  if (!asked) return;
  const {ok, unknown, wrong} = selftest();
  document.body.append(el('p', {id: 'selftest'}, wrong.length ? `selftest: ${wrong.length} wrong: ${wrong.slice(0, 5).join('; ')}` : `selftest: ok ${ok} checks, ${unknown} not explained`));
  draw();
}

begin();
