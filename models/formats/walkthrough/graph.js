// The panes of the graph, which stands in the page already, and of the source lines.

function drawGraph() {
  const {n, back} = state, edges = document.querySelectorAll('#graph .edge');
  $('graph').classList.toggle('back', back);
  graphNodes().forEach((g) => {
    const own = Number(g.dataset.n);
    g.classList.toggle('now', own === n);
    g.classList.toggle('ahead', !state.plan && (back ? own < n : own > n));
    g.tabIndex = own === n ? 0 : -1;
    g.setAttribute('aria-current', own === n);
  });
  $('labels').replaceChildren();
  edges.forEach((edge) => {
    const {from, to} = edge.dataset, lit = Number(back ? from : to) === n;
    edge.classList.toggle('lit', lit);
    edge.classList.toggle(
        'ahead', !state.plan && !lit && Number(back ? from : to) * (back ? -1 : 1) > n * (back ? -1 : 1));
    if (!lit || state.plan) return;
    const middle = edge.getPointAtLength(edge.getTotalLength() / 2), input = Number(edge.dataset.input);
    const p = parts.findIndex((part) => part.from === Number(to) && part.input === input && part.to === Number(from));
    let words = `[${nodes[from].shape.join(', ')}]`;
    if (back) words = p < 0 || covered() || !tensor('gradient', n) ? '' : text(partValue(p, state.c));
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
    nodes.forEach((node, n) => {
      if (node.source === source) made.set(node.line, n);
    });
    const items = lines.map((words, i) => {
      const at = first + i, n = made.get(at), quiet = n === undefined;
      const code = el('code', quiet ? {} : {on: () => go({n})}, words || ' ');
      return el('li', {value: at, 'data-line': at, class: quiet ? 'quiet' : ''}, code);
    });
    const missing = `${name} was not there when the page was written; the node was made in its line ${line}.`;
    $('source').replaceChildren(lines.length ? el('ol', {start: first}, items) : dim(missing));
  }
  $('source').querySelectorAll('li').forEach(
      (item) => item.classList.toggle('now', Number(item.dataset.line) === line));
  reveal($('source'), $('source').querySelector('.now'));
}

// Scrolls a pane, and nothing else, so that an element of it is seen.
function reveal(pane, element) {
  if (!element) return;
  const a = pane.getBoundingClientRect(), b = element.getBoundingClientRect();
  if (b.top < a.top + 8 || b.bottom > a.bottom - 8) pane.scrollTop += b.top - a.top - a.height / 2 + b.height / 2;
  if (b.left < a.left + 8 || b.right > a.right - 8) pane.scrollLeft += b.left - a.left - a.width / 2 + b.width / 2;
}
