// Small charts of the last minutes, as SVG.

const SVG = 'http://www.w3.org/2000/svg';
const LENGTH = 120; // samples
const LEAST = 30; // that the width is for, while there are fewer
const HEIGHT = 40;

function make(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

// 1, 2 or 5 times a power of ten, and not below `value`.
function niceAbove(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((step) => step * power >= value * 0.999);
}

// Through the samples, with gaps where there are none; down to the bottom where it is to be filled.
function pathOf(samples, top, filled) {
  const length = Math.max(LEAST, samples.length);
  const place = (i) => (((length - samples.length + i) * (LENGTH - 1)) / (length - 1)).toFixed(2);
  const y = (value) => (HEIGHT - 1 - (Math.min(value, top) / top) * (HEIGHT - 3)).toFixed(2);
  let path = '';
  let first = null;
  const close = (end) => {
    if (first !== null && filled) path += `L${place(end)} ${HEIGHT}L${place(first)} ${HEIGHT}Z`;
    first = null;
  };
  samples.forEach((value, i) => {
    if (value === null) {
      close(i - 1);
    } else {
      path += `${first === null ? 'M' : 'L'}${place(i)} ${y(value)}`;
      first ??= i;
    }
  });
  close(samples.length - 1);
  return path;
}

// A tile with a title, the value of now, and how it came to be.
//
// title, unit: text. series: [{name, kind}], kind 'area' or 'line', drawn in this order. least: the scale ends
// there or above. scale: how a value of the scale is written.
export class Chart {
  constructor(parent, { title, unit = '', series, least = 0, scale, wide = false }) {
    this.title = title;
    this.unit = unit;
    this.least = least;
    this.scale = scale;
    this.series = series.map((one) => ({ ...one, samples: [] }));
    const figure = document.createElement('figure');
    figure.className = wide ? 'card tile wide' : 'card tile';
    figure.innerHTML = `<figcaption><span class="title"></span> <span class="unit"></span></figcaption>
      <p class="value">–</p><p class="keys"></p><div class="plot"><span class="top"></span></div>`;
    figure.querySelector('.title').textContent = title;
    figure.querySelector('.unit').textContent = unit;
    this.value = figure.querySelector('.value');
    this.keys = figure.querySelector('.keys');
    this.topLabel = figure.querySelector('.top');
    const plot = figure.querySelector('.plot');
    this.svg = make('svg', { viewBox: `0 0 ${LENGTH - 1} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' }, plot);
    for (const one of this.series) {
      if (one.kind === 'area') one.area = make('path', { class: `area of-${one.name}` }, this.svg);
      one.line = make('path', { class: `line of-${one.name}` }, this.svg);
    }
    parent.append(figure);
  }

  // One sample of each series, null where there is none; and how they are told: `text` for the large value, `details`
  // for the small ones, as [name, text].
  add(samples, text, details = []) {
    this.series.forEach((one, i) => {
      one.samples.push(samples[i]);
      if (one.samples.length > LENGTH) one.samples.shift();
    });
    this.value.textContent = text;
    this.keys.replaceChildren(
      ...details.map(([name, value]) => {
        const key = document.createElement('span');
        key.className = `key of-${name}`;
        key.textContent = `${name} ${value}`;
        return key;
      }),
    );
    const spoken = details.map(([name, value]) => `${name} ${value}`).join(', ');
    const name = this.unit ? `${this.title} ${this.unit}` : this.title;
    this.svg.setAttribute('aria-label', `${name}, last two minutes; now ${text}${spoken && '; ' + spoken}`);
    this.draw();
  }

  draw() {
    const all = this.series.flatMap((one) => one.samples.filter((sample) => sample !== null));
    const most = Math.max(0, ...all);
    const top = Math.max(this.least, niceAbove(most));
    this.topLabel.textContent = most > 0 ? this.scale(top) : '';
    for (const one of this.series) {
      one.line.setAttribute('d', pathOf(one.samples, top, false));
      one.area?.setAttribute('d', pathOf(one.samples, top, true));
    }
  }

}

// A share of something that has an end.
export class Meter {
  constructor(parent, { title }) {
    this.title = title;
    const figure = document.createElement('figure');
    figure.className = 'card tile';
    figure.innerHTML = `<figcaption><span class="title"></span></figcaption><p class="value">–</p><p class="keys"></p>
      <div class="bar" role="img"><span class="filled"></span></div>`;
    figure.querySelector('.title').textContent = title;
    this.value = figure.querySelector('.value');
    this.note = figure.querySelector('.keys');
    this.bar = figure.querySelector('.bar');
    this.filled = figure.querySelector('.filled');
    parent.append(figure);
  }

  set(share, text, note) {
    this.value.textContent = text;
    this.note.textContent = note;
    this.filled.style.width = `${Math.min(100, 100 * share)}%`;
    this.bar.dataset.level = share > 0.97 ? 'high' : 'low';
    this.bar.setAttribute('aria-label', `${this.title}: ${text}, ${note}`);
  }
}
