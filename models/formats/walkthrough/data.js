// A recorded run, to be walked through. One state (training step, node, direction, view, cell) is drawn by draw();
// whatever happens changes the state through go(), which also writes it into the address.
'use strict';

const $ = (id) => document.getElementById(id);
const find = (selector) => document.querySelector(selector);
const graphNodes = () => document.querySelectorAll('#graph .node');
const run = JSON.parse($('run').textContent);
const known = run.format === 'gradus-walkthrough' && run.version === 1;  // else nothing of it is read
const {nodes, frames, plans, backward: parts} = known ? run : {nodes: [], frames: [], plans: [], backward: []};
const state = {
  f: 0,
  n: nodes.length - 1,
  back: false,
  plan: false,
  c: 0,
  pass: 0,
  log: false,
  guess: false
};

// An element with attributes and children. Text enters as text, never as HTML: names come from anybody.
function el(tag, attributes = {}, ...children) {
  const svg = ['svg', 'path', 'line', 'circle', 'text', 'rect', 'g'].includes(tag);
  const e = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on')
      e.addEventListener('click', value);
    else if (value !== false && value !== undefined)
      e.setAttribute(name, value);
  }
  e.append(...children.flat());
  return e;
}

const paragraph = (...children) => el('p', {}, ...children);
const dim = (...children) => el('p', {class: 'dim'}, ...children);

function bytes(text, Kind) {
  const raw = atob(text), out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return new Kind(out.buffer);
}

const decoded = new Map();

// A tensor as it is in the file: all its elements in row-major order in v; of a sparse one, has says which are stored.
function decode(entry, dtype, shape) {
  if (decoded.has(entry)) return decoded.get(entry);
  const Kind = dtype === 'float32' || entry.means ? Float32Array : Float64Array;
  let out;
  if (typeof entry === 'string')
    out = {v: bytes(entry, Kind), shape, whole: true};
  else if (entry.means)
    out = {v: bytes(entry.means, Kind), shape, whole: false, least: entry.least, greatest: entry.greatest};
  else {
    const at = bytes(entry.at, Int32Array), of = bytes(entry.of, Kind);
    out = {v: new Kind(sizeOf(shape)), has: new Uint8Array(sizeOf(shape)), shape, whole: true};
    at.forEach((to, i) => {
      out.v[to] = of[i];
      out.has[to] = 1;
    });
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

const losses = bytes(known ? run.loss : '', Float32Array);

// At most five digits, with a real minus.
function text(x) {
  if (x === undefined || x === null) return '';
  if (isNaN(x)) return 'NaN';
  if (!isFinite(x)) return x > 0 ? '∞' : '−∞';
  const size = Math.abs(x);
  let digits = String(Number(x.toPrecision(5)));
  if (Number.isInteger(x) && size < 1e6)
    digits = String(x);
  else if (size >= 1e6 || size < 1e-4)
    digits = x.toExponential(3).replace(/\.?0+e/, 'e').replace('e+', 'e');
  return digits.replaceAll('-', '−');
}

// What fits into a cell of a heat map.
function brief(x) {
  if (!isFinite(x) || x === 0) return text(x);
  const size = Math.abs(x);
  let digits = String(Number(x.toFixed(3)));
  if (size >= 1e4 || size < 5e-4)
    digits = x.toExponential(0).replace('e+', 'e');
  else if (size >= 10)
    digits = x.toFixed(size >= 100 ? 0 : 1);
  return digits.replaceAll('-', '−');
}

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
