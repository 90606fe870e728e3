// The pane of the loss: its curve over all steps, with the recorded ones marked.

const chart = {
  width: 520,
  height: 150,
  left: 52,
  right: 14,
  top: 10,
  bottom: 22
};

function chartX(step) {
  return chart.left + (chart.width - chart.left - chart.right) * step / Math.max(1, losses.length - 1);
}

function drawLoss() {
  chart.width = Math.max(260, $('chart').clientWidth - 24);
  const drawable = (x) => isFinite(x) && (!state.log || x > 0);
  const step = frames[state.f].t, finite = [...losses].filter(drawable);
  const scale = state.log ? Math.log10 : (x) => x;
  let low = Math.min(...finite.map(scale)), high = Math.max(...finite.map(scale));
  if (!state.log) low = Math.min(low, 0);
  if (!(high > low)) {
    high = (high || 0) + 1;
    low = high - 2;
  }
  const {width, height, left, right, top, bottom} = chart;
  const y = (x) => height - bottom - (height - top - bottom) * (scale(x) - low) / (high - low);
  let path = '', pen = false;
  losses.forEach((x, i) => {
    if (drawable(x)) path += `${pen ? 'L' : 'M'}${chartX(i).toFixed(1)} ${y(x).toFixed(1)}`;
    pen = drawable(x);
  });
  const best = losses.reduce((least, x, i) => x < losses[least] || isNaN(losses[least]) ? i : least, 0);
  const broken = losses.findIndex((x) => !isFinite(x));
  const label = `The loss over ${losses.length - 1} steps, from ${text(losses[0])} to ${text(losses.at(-1))}`;
  const svg = el('svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label});
  for (const part of [0, 0.5, 1]) {
    const at = low + part * (high - low), number = state.log ? 10 ** at : at;
    const h = height - bottom - part * (height - top - bottom);
    svg.append(
        el('line', {x1: left, x2: width - right, y1: h, y2: h, class: 'rule'}),
        el('text', {x: left - 6, y: h + 4, class: 'tick end'}, brief(number)));
  }
  const last = losses.length - 1;
  for (const [at, side] of new Map([[last, ' end'], [losses.length >> 1, ' middle'], [0, '']]))
    svg.append(el('text', {x: chartX(at), y: height - 6, class: 'tick' + side}, at ? String(at) : 'step 0'));
  svg.append(el('path', {d: path, class: 'curve'}));
  frames.forEach(({t}) => {
    if (drawable(losses[t])) svg.append(el('circle', {cx: chartX(t), cy: y(losses[t]), r: 1.8, class: 'frame'}));
  });
  if (drawable(losses[best])) svg.append(el('circle', {cx: chartX(best), cy: y(losses[best]), r: 4, class: 'best'}));
  if (broken >= 0)
    svg.append(el('text', {x: chartX(broken) + 4, y: top + 12, class: 'tick'}, `not finite from step ${broken}`));
  svg.append(el('line', {x1: chartX(step), x2: chartX(step), y1: top, y2: height - bottom, class: 'cursor'}));
  if (drawable(losses[step])) svg.append(el('circle', {cx: chartX(step), cy: y(losses[step]), r: 5, class: 'dot'}));
  $('chart').replaceChildren(svg);
  $('loss-now').textContent = `${text(losses[step])} at step ${step}; least ${text(losses[best])} at step ${best}`;
  $('frame').value = state.f;
  $('frame').setAttribute('aria-valuetext', `step ${step}`);
  $('step').value = step;
  $('log').setAttribute('aria-pressed', state.log);
}
