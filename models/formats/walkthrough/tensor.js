// The panes of the tensor, as heat maps of its values and its gradient, and of why the chosen element is what it is.

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
        for (const x of (tensor(kind, n, f) || {v: []}).v)
          if (isFinite(x)) most = Math.max(most, Math.abs(x));
    scales.set(key, most);
  }
  return scales.get(key);
}

function paint(cell, x, scale, stored, numbers) {
  const strength = isFinite(x) && scale > 0 ? Math.sqrt(Math.min(1, Math.abs(x) / scale)) : 0;
  cell.style.setProperty('--s', stored ? strength.toFixed(3) : 0);
  cell.className = !stored ? 'void' : isFinite(x) ? (x < 0 ? 'minus' : x > 0 ? 'plus' : '') : 'odd';
  cell.textContent = numbers && stored ? brief(x) : stored && !isFinite(x) ? '!' : '';
}

let grids = {};  // by kind: what is shown of the current node

function grid(kind) {
  const t = shown(tensor(kind, state.n)), rows = rowsOf(t), columns = sizeOf(t.shape) / Math.max(rows, 1);
  const numbers = rows <= 16 && columns <= 16;
  const label = `${kind} of ${nodes[state.n].name}, ${words(t.shape)}`, size = numbers ? 'numbers' : 'dots';
  const counts = {'aria-rowcount': rows + 1, 'aria-colcount': columns + 1};
  const box = el('table', {role: 'grid', class: size, 'aria-label': label, ...counts});
  const head = el('tr', {role: 'row'}, el('td', {role: 'gridcell', class: 'corner'}));
  for (let j = 0; j < columns; j++)
    head.append(el('th', {scope: 'col', role: 'columnheader'}, numbers || j % 8 === 0 ? String(j) : ''));
  const cells = [], body = el('tbody', {role: 'rowgroup'});
  for (let i = 0; i < rows; i++) {
    const name = t.shape.length > 2 ? unravel(i, t.shape.slice(0, -1)).join(',') : String(i);
    const title = el('th', {scope: 'row', role: 'rowheader'}, numbers || i % 8 === 0 ? name : '');
    const row =
        Array.from({length: columns}, (_, j) => el('td', {role: 'gridcell', tabindex: -1, 'data-c': i * columns + j}));
    cells.push(...row);
    body.append(el('tr', {role: 'row'}, title, row));
  }
  box.append(el('thead', {role: 'rowgroup'}, head), body);
  box.addEventListener('click', (event) => {
    if (event.target.dataset.c) go({c: Number(event.target.dataset.c), back: kind === 'gradient'});
  });
  box.addEventListener('mouseover', (event) => {
    if (event.target.dataset.c) hover(kind, Number(event.target.dataset.c));
  });
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
  const more = other && kind === 'value' ? `, gradient ${covered() ? '?' : text(other.v[c])}` : '';
  $('tensor-name').textContent = `${name} = ${own}${more}`;
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
        const fixed = nodes[state.n].kind === 'constant';
        $('tensor').append(
            dim(fixed ? 'A constant has no gradient.' : 'The loss does not change smoothly with it: no gradient.'));
        continue;
      }
      grids[kind] = grid(kind);
      $('tensor').append(el('div', {class: 'map'}, legend(kind), grids[kind].box));
    }
    if (!tensor('value', state.n).whole)
      $('tensor').append(dim('It has more than 4,096 elements: a cell is the mean of a block.'));
    drawnNode = state.n;
  }
  for (const [kind, {cells, numbers}] of Object.entries(grids)) {
    const t = tensor(kind, state.n), scale = scaleOf(kind, state.n);
    cells.forEach((cell, i) => {
      paint(cell, covered() ? NaN : t.v[i], scale, !t.has || t.has[i], numbers);
      if (covered()) {
        cell.className = 'covered';
        cell.textContent = '';
      }
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
  const link = ({n, flat, isGradient}) => {
    const name = (isGradient ? '∂' : '') + nodes[n].name + place(n, flat);
    return el('button', {class: 'ref', on: () => go({n, c: flat, back: isGradient})}, name);
  };
  return tokens.map((token) => typeof token === 'string' ? token : link(token));
}

function valued(tokens) {
  const number = (x) => x < 0 && tokens.length > 1 ? `(${text(x)})` : text(x);
  return tokens.map((token) => typeof token === 'string' ? token : number(refValue(token))).join('');
}

function termTable(terms) {
  const most = 12, sorted = [...terms].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const row = (what, numbers, value) =>
      el('tr', {}, el('td', {}, what), el('td', {class: 'of'}, numbers), el('td', {}, text(value)));
  const rows = sorted.slice(0, most).map(
      ({tokens, value}) => row(named(tokens), tokens.length > 1 ? valued(tokens) : '', value));
  const rest = sorted.slice(most);
  if (rest.length) rows.push(row(`${rest.length} smaller terms`, '', total(rest)));
  return el('table', {class: 'terms'}, el('tbody', {}, rows));
}

const notExplained = ({op}) => dim(`Not explained: the page does not know ${
    op}, or sees only a part of its numbers. The value is as it was recorded.`);

function explainTerms(why, node) {
  if (!why.terms || !why.ok) return [notExplained(node)];
  if (why.terms.length === 1 && !(why.factor && why.factor !== 1)) {
    const [{tokens}] = why.terms, formula = (...children) => el('p', {class: 'formula'}, '= ', ...children);
    return [formula(named(tokens)), formula(valued(tokens), tokens.length > 1 ? ' = ' + text(why.recorded) : '')];
  }
  const terms = why.terms.filter((term) => term.value !== 0), zero = why.terms.length - terms.length;
  const divided = why.factor && why.factor !== 1 ? `, divided by ${Math.round(1 / why.factor)}` : '';
  const out = [paragraph(`= the sum of ${why.terms.length} terms${zero ? `, ${zero} of them 0` : ''}${divided}`)];
  if (terms.length) out.push(termTable(terms));
  return out;
}

const origins = {
  placeholder: 'It is fed: it comes from the data, and is the same in each step.',
  constant: 'It is a constant: it stands in the program.',
};

function drawWhy() {
  const {n, c} = state, back = state.back && tensor('gradient', n), kind = back ? 'gradient' : 'value';
  const own = tensor(kind, n), box = $('why'), name = nodes[n].name + place(n, c, shown(own).shape);
  const number = covered() ? '?' : text(own.v[c]);
  box.replaceChildren(el('p', {class: 'formula head'}, `${back ? `∂loss / ∂${name}` : name} = ${number}`));
  if (covered()) return void box.append(guessing(own.v[c]));
  if (own.has && !own.has[c])
    return void box.append(paragraph('Nothing is stored here: the layout is sparse, and it counts as 0.'));
  if (!own.whole) return void box.append(notExplained(nodes[n]));
  box.append(...(back ? explainGradient(n, c) : explainValue(n, c)), spark(kind, n, c));
}

function explainValue(n, c) {
  const {kind} = nodes[n], before = state.f > 0 && frames[state.f - 1].t;
  if (kind === 'op') return explainTerms(whyValue(n, c), nodes[n]);
  if (kind !== 'variable') return [paragraph(origins[kind])];
  const was = before === false ? 'This is where it begins.' :
                                 `At step ${before} it was ${text(tensor('value', n, state.f - 1).v[c])}.`;
  return [paragraph(`It is learnt: the optimizer moves it after each step, against its gradient. ${was}`)];
}

function explainGradient(n, c) {
  if (n === nodes.length - 1)
    return [paragraph('Here the walk backward begins: the loss changes by 1 when the loss changes by 1.')];
  const {parts: all} = whyGradient(n, c), many = all.length > 1,
                sum = all.map((part) => text(part.recorded)).join(' + ');
  const out = [paragraph(
      many ? `= the sum of ${all.length} parts, one from each use: ${sum}` :
             `from its one use, ${nodes[all[0].from].name}:`)];
  for (const part of all) {
    if (many) out.push(el('p', {class: 'part'}, `from ${nodes[part.from].name}: `, el('b', {}, text(part.recorded))));
    out.push(...explainTerms(part, nodes[part.from]));
    if (!part.axes || !part.axes.length) continue;
    const axes = `ax${part.axes.length > 1 ? 'es' : 'is'} ${part.axes.join(' and ')}`;
    out.push(dim(`It was broadcast along ${axes}: what comes back along there is summed.`));
  }
  return out;
}

// The chosen element over the recorded steps.
function spark(kind, n, c) {
  const points = frames.map((_, f) => tensor(kind, n, f).v[c]);
  const finite = points.filter(isFinite), low = Math.min(...finite), high = Math.max(...finite);
  if (!(high > low)) return '';
  const x = (f) => 4 + f * 192 / Math.max(1, frames.length - 1), y = (v) => 36 - 32 * (v - low) / (high - low);
  let path = '';
  points.forEach((v, f) => {
    const pen = f && isFinite(points[f - 1]) ? 'L' : 'M';
    if (isFinite(v)) path += `${pen}${x(f).toFixed(1)} ${y(v).toFixed(1)}`;
  });
  const here = points[state.f], at = {cx: x(state.f), cy: y(here), r: 3.5, class: 'dot'};
  const picture = {viewBox: '0 0 200 40', width: 200, height: 40, 'aria-hidden': true};
  const dot = isFinite(here) ? el('circle', at) : '';
  const line = el('svg', picture, el('path', {d: path, class: 'curve'}), dot);
  const words = ` over ${frames.length} recorded steps, from ${text(low)} to ${text(high)}`;
  return el('p', {class: 'spark'}, line, words);
}
