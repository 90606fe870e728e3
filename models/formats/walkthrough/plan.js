// The view of the plan: what a step runs, without each of the compiler's passes, and what becomes of the nodes.

const computed = (plan) => plan.steps.filter((step) => ['loop', 'call', 'host'].includes(step.form));
const sameSteps = (a, b) => a.bytes === b.bytes && a.steps.length === b.steps.length &&
    a.steps.every((step, i) => step.details === b.steps[i].details && step.formula === b.steps[i].formula);

function drawPlan() {
  const plan = plans[state.pass], steps = plan.steps;
  const time = computed(plan).reduce((sum, each) => sum + each.us, 0);
  $('plan-total').textContent =
      `${computed(plan).length} steps, ${plan.bytes} bytes between them, about ${text(time)} µs as measured`;
  $('passes').replaceChildren(el('fieldset', {}, el('legend', {}, 'Leave out a pass of the compiler:'), switches()));
  const own = steps.findIndex((each) => each.nodes.includes(state.n));
  const host = steps.findIndex((each) => each.including.includes(state.n));
  $('fate').textContent = fate(steps, own, host);
  const head = ['step', 'where', 'bytes read', 'written', 'µs'].map((word) => el('th', {scope: 'col'}, word));
  const given = ['placeholder', 'variable', 'constant'], rows = steps.map((each, i) => {
    if (given.includes(each.form)) return '';  // it stands in the formulas that read it
    const n = each.nodes.concat(each.including)[0], quiet = n === undefined;
    const formula = quiet ? each.formula : el('button', {class: 'ref', on: () => go({n})}, each.formula);
    const cells = [formula, each.details, text(each.read), text(each.written), each.us ? each.us.toFixed(2) : ''];
    const look = (i === own || i === host ? 'now' : '') + (quiet ? ' quiet' : '');
    return el('tr', {class: look}, cells.map((cell) => el('td', {}, cell)));
  });
  $('plan').replaceChildren(
      el('table', {class: 'listing'}, el('thead', {}, el('tr', {}, head)), el('tbody', {}, rows)));
  reveal($('plan'), $('plan').querySelector('.now'));
}

// A switch for each plan, that is for each pass that one of them lacks.
function switches() {
  const steps = computed(plans[0]).length;
  return plans.map((plan, i) => {
    const change = computed(plan).length - steps;
    let effect = change ? `${change > 0 ? '+' : '−'}${Math.abs(change)} steps` : 'as many steps';
    if (sameSteps(plan, plans[0])) effect = 'no change';
    const input = el('input', {type: 'radio', name: 'pass', value: i});
    input.checked = i === state.pass;
    input.addEventListener('change', () => go({pass: i}));
    const words = i ? `${plan.without.replace(' passes', '')}: ${effect}` : `none: ${steps} steps`;
    return el('label', {}, input, ' ', words);
  });
}

// What has become of the current node, whose value is step own, or whose work is part of step host.
function fate(steps, own, host) {
  const {name, kind} = nodes[state.n];
  if (kind !== 'op') return `${name} is given to the run.`;
  if (own < 0 && host < 0) return `${name} is not computed: what the step is for does not need its value.`;
  if (own < 0) return `${name} has no value of its own: %${host} does its work.`;
  if (steps[own].form === 'constant') return `${name} was folded: its value is known before the run.`;
  const others = steps[own].nodes.filter((n) => n !== state.n).map((n) => nodes[n].name);
  return `${name} is %${own}${others.length ? `, one value shared with ${others.join(', ')}` : ''}.`;
}

// A tint behind the nodes that are one step, and lines between them.
function drawHulls() {
  $('hulls').replaceChildren();
  const steps = state.plan ? plans[state.pass].steps : [];
  const box = (n) => find(`#graph [data-n="${n}"] rect`).getBBox();
  steps.forEach((step, i) => {
    const members = step.nodes.concat(step.including);
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
  graphNodes().forEach((g) => {
    const n = Number(g.dataset.n);
    const gone = state.plan && nodes[n].kind === 'op' && !steps.some((step) => step.nodes.includes(n));
    g.classList.toggle('gone', gone);
  });
}
