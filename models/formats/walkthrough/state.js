// The state: how it changes, by keys, buttons and the address, and how the page is drawn from it.

function nearest(step) {
  const away = (f) => Math.abs(frames[f].t - step);
  return frames.reduce((best, _, f) => away(f) < away(best) ? f : best, 0);
}

// Where the most is to see first: the largest element.
function largest(n) {
  return tensor('value', n).v.reduce((best, x, i, v) => Math.abs(x) > Math.abs(v[best]) ? i : best, 0);
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
  const given = new URLSearchParams(location.hash.slice(1));
  const whole = (name, most) => {
    const x = Number(given.get(name));
    return given.has(name) && Number.isInteger(x) && x >= 0 && x <= most ? x : undefined;
  };
  const change = {
    back: given.get('d') === 'back',
    plan: given.get('v') === 'plan',
    pass: whole('off', plans.length - 1) || 0,
    log: given.get('y') === 'log',
    n: whole('n', nodes.length - 1) ?? Math.max(0, nodes.findIndex((node) => node.kind === 'op'))
  };
  if (given.has('t')) change.f = nearest(Number(given.get('t')) || 0);
  const {shape} = shown(tensor('value', change.n, change.f || 0));
  const index = (given.get('c') || '').split(',').filter((word) => word !== '').map(Number);
  const fits = (i, axis) => Number.isInteger(i) && i >= 0 && i < shape[axis];
  if (given.has('c') && index.length === shape.length && index.every(fits)) change.c = ravel(index, shape);
  change.c ??= largest(change.n);
  return change;
}

function draw() {
  const {back, plan, guess, n} = state, pressed = {forward: !back, back, values: !plan, plans: plan, guess};
  for (const id of Object.keys(pressed)) $(id).setAttribute('aria-pressed', pressed[id]);
  find('.tensor').hidden = find('.why').hidden = plan;
  find('.plan').hidden = !plan;
  drawHulls();
  drawGraph();
  reveal($('graph-box'), find('#graph .now'));
  if (plan)
    drawPlan();
  else {
    drawTensor();
    drawWhy();
  }
  drawSource();
  drawLoss();
  $('say').textContent = described(nodes[n], tensor('value', n));
}

// "matmul_1: matmul, 7 by 5, node 16 of 37, from −0.0031 to 0.0112, step 10"
function described(node, t) {
  const finite = [...t.v].filter(isFinite);
  const least = t.whole ? finite.reduce((a, b) => Math.min(a, b), Infinity) : t.least;
  const greatest = t.whole ? finite.reduce((a, b) => Math.max(a, b), -Infinity) : t.greatest;
  const out = [node.kind === 'op' ? node.op : node.kind];
  if (node.attributes) out[0] += ` (${node.attributes})`;
  out.push(words(node.shape), `node ${state.n + 1} of ${nodes.length}`);
  if (finite.length && !covered()) out.push(`from ${text(least)} to ${text(greatest)}`);
  if (finite.length < t.v.length) out.push(`${t.v.length - finite.length} not finite`);
  return `${node.name}: ${out.join(', ')}, step ${frames[state.f].t}`;
}

const step = (by) => {
  const n = state.n + (state.back ? -by : by);
  if (n >= 0 && n < nodes.length) go({n});
  return n >= 0 && n < nodes.length;
};
const train = (by) => go({f: Math.min(Math.max(state.f + by, 0), frames.length - 1)});

let playing;
function play() {
  const pause = matchMedia('(prefers-reduced-motion: reduce)').matches ? 1500 : 500;
  playing = playing ? void clearInterval(playing) : setInterval(() => step(1) || play(), pause);
  $('play').textContent = playing ? 'Pause' : 'Play';
  $('play').setAttribute('aria-pressed', !!playing);
}

const keys = {
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
  ArrowUp: () => train(1),
  ArrowDown: () => train(-1),
  Home: () => go({n: state.back ? nodes.length - 1 : 0}),
  End: () => go({n: state.back ? 0 : nodes.length - 1}),
  ' ': play,
  b: () => go({back: !state.back}),
  p: () => go({plan: !state.plan}),
  g: () => {
    revealed = '';
    drawnNode = -1;
    go({guess: !state.guess});
  },
  '/': () => $('find').focus(),
  '?': () => $('keys').showModal(),
};

const buttons = {
  next: keys.ArrowRight,
  previous: keys.ArrowLeft,
  play,
  forward: () => go({back: false}),
  back: () => go({back: true}),
  values: () => go({plan: false}),
  plans: () => go({plan: true}),
  guess: keys.g,
  help: keys['?'],
  log: () => go({log: !state.log}),
  download,
};

function listen() {
  document.addEventListener('keydown', (event) => {
    const within = (what) => event.target.closest(what);
    const typing =
        within('dialog, input:not([type=radio]):not([type=range])') || event.ctrlKey || event.metaKey || event.altKey;
    const own =
        within('input, .plan .scroll, .source .scroll, .why .scroll') || (event.key === ' ' && within('button'));
    if (typing || !keys[event.key] || (own && !/^[bpg?]$/.test(event.key))) return;
    event.preventDefault();
    const onNode = document.activeElement && document.activeElement.closest('#graph .node');
    keys[event.key]();
    if (onNode) find('#graph .now').focus({preventScroll: true});
  });
  const choose = (event) => {
    const g = event.target.closest('#graph .node');
    if (!g || (event.key && event.key !== 'Enter')) return;
    go({n: Number(g.dataset.n)});
    g.focus({preventScroll: true});
  };
  for (const kind of ['click', 'keydown']) $('graph').addEventListener(kind, choose);
  for (const [id, act] of Object.entries(buttons)) $(id).addEventListener('click', act);
  $('frame').addEventListener('input', () => go({f: Number($('frame').value)}));
  $('step').addEventListener('change', () => go({f: nearest(Number($('step').value))}));
  $('find').addEventListener('change', () => {
    const n = nodes.findIndex((node) => node.name === $('find').value);
    if (n >= 0) {
      go({n});
      $('find').value = '';
      $('find').blur();
    }
  });
  const drag = (event) => {
    const svg = $('chart').firstChild.getBoundingClientRect(), x = (event.clientX - svg.left) / svg.width * chart.width;
    go({f: nearest((x - chart.left) / (chart.width - chart.left - chart.right) * (losses.length - 1))});
  };
  $('chart').addEventListener('pointerdown', (event) => {
    drag(event);
    $('chart').setPointerCapture(event.pointerId);
  });
  $('chart').addEventListener('pointermove', (event) => {
    if (event.buttons) drag(event);
  });
  window.addEventListener('resize', drawLoss);
  window.addEventListener('hashchange', () => go(fromAddress()));
}

function download() {
  const file = new Blob([$('run').textContent], {type: 'application/json'});
  const link = el('a', {href: URL.createObjectURL(file), download: 'walkthrough.json'});
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
        if (g && g.whole && (!g.has || g.has[c]) && n < nodes.length - 1) {
          const why = whyGradient(n, c);
          whys.push(...why.parts, why);
        }
        for (const why of whys)
          if (why.ok)
            found.ok++;
          else if (!why.terms)
            found.unknown++;
          else
            found.wrong.push(
                `${node.name}${place(n, c)} at step ${frames[f].t}: ${why.found}, recorded ${why.recorded}`);
      }
    });
  }
  return found;
}

function begin() {
  if (!known) {
    $('say').textContent = `This page's data are of version ${run.version}; it reads version 1. Write the page again.`;
    return;
  }
  document.body.classList.add('alive');
  $('frame').max = frames.length - 1;
  $('step').max = frames[frames.length - 1].t;
  $('names').append(...nodes.map((node) => el('option', {value: node.name})));
  const asked = location.hash === '#selftest';
  listen();
  const finite = losses.filter((x) => x > 0 && isFinite(x));
  const wide = finite.length === losses.length &&
      finite.reduce((a, b) => Math.max(a, b)) > 50 * finite.reduce((a, b) => Math.min(a, b));
  const first = fromAddress();
  go({f: nearest(10), ...first, log: first.log || (wide && !location.hash.includes('t='))});
  if (!asked) return;
  const {ok, unknown, wrong} = selftest();
  const words = wrong.length ? `${wrong.length} wrong: ${wrong.slice(0, 5).join('; ')}` :
                               `ok ${ok} checks, ${unknown} not explained`;
  document.body.append(el('p', {id: 'selftest'}, `selftest: ${words}`));
  draw();
}

begin();
