// The table of voices. Names are never taken for markup: they go in as text.

import { brief, bytes, count, DASH, percent, rate } from './format.js';

const STATES = { training: 'In its first training', degraded: 'Degraded', failed: 'Failed' };

function cell(row, kind) {
  const made = document.createElement('td');
  made.className = kind;
  row.append(made);
  return made;
}

class Row {
  constructor(name, onChosen) {
    this.row = document.createElement('tr');
    const head = document.createElement('th');
    head.scope = 'row';
    this.button = document.createElement('button');
    this.button.type = 'button';
    this.button.className = 'name';
    this.button.addEventListener('click', () => onChosen(name));
    this.dot = document.createElement('span');
    this.dot.className = 'dot';
    this.dot.setAttribute('aria-hidden', 'true');
    const label = document.createElement('bdi');
    label.textContent = name;
    this.button.append(this.dot, label);
    this.button.title = name;
    this.badge = document.createElement('span');
    this.badge.className = 'badge';
    const line = document.createElement('div');
    line.append(this.button, this.badge);
    head.append(line);
    this.row.append(head);
    this.rows = cell(this.row, 'number');
    this.generation = cell(this.row, 'number minor');
    this.recall = cell(this.row, 'number recall');
    this.memory = cell(this.row, 'number minor');
    this.rate = cell(this.row, 'number rate');
  }

  set(voice, chosen, speed, busiest) {
    this.button.setAttribute('aria-pressed', String(chosen));
    this.row.classList.toggle('chosen', chosen);
    this.dot.dataset.state = voice.state === 'ready' && !voice.resident ? 'away' : voice.state;
    const state = STATES[voice.state] ?? (voice.in_training ? 'In training' : '');
    this.badge.textContent = state;
    this.badge.hidden = !state;
    this.badge.dataset.state = voice.state;
    this.badge.title = voice.message;
    this.rows.textContent = voice.rows > 0 ? brief(voice.rows) : DASH;
    this.rows.title = `${count(voice.rows)} rows of ${voice.dimension}`;
    this.generation.textContent = voice.generation > 0 ? voice.generation : DASH;
    this.recall.textContent = voice.recall > 0 ? percent(voice.recall) : DASH;
    this.recall.title = voice.factory ? `recall@8 of ${voice.factory}, nprobe ${voice.nprobe}` : '';
    this.memory.textContent = voice.resident ? bytes(voice.memory_bytes) : 'on disk';
    this.memory.title = voice.pinned ? 'pinned' : '';
    this.memory.classList.toggle('pinned', voice.pinned);
    this.rate.textContent = speed > 0 ? rate(speed) : DASH;
    this.rate.style.setProperty('--share', busiest > 0 ? speed / busiest : 0);
  }
}

export class Voices {
  // `onChosen` is told of the name of the voice to be looked at.
  constructor(onChosen) {
    this.onChosen = onChosen;
    this.body = document.getElementById('voice-rows');
    this.filter = document.getElementById('filter');
    this.filter.addEventListener('input', () => this.draw());
    this.rows = new Map();
    this.voices = [];
    this.speeds = new Map();
    this.chosen = null;
  }

  // `speeds`: rows a second by name. `all`: how many voices there are; not more than some hundred are told of.
  update(voices, speeds, all, chosen) {
    this.voices = voices;
    this.speeds = speeds;
    this.chosen = chosen;
    this.filter.hidden = voices.length <= 8 && !this.filter.value;
    document.getElementById('voices-empty').hidden = voices.length > 0;
    this.body.parentElement.hidden = voices.length === 0;
    const more = document.getElementById('voices-more');
    more.hidden = all <= voices.length;
    more.textContent = `The first ${count(voices.length)} of ${count(all)} by name; kith list tells them all.`;
    this.draw();
  }

  draw() {
    const wanted = this.filter.value.toLowerCase();
    const busiest = Math.max(0, ...this.speeds.values());
    const shown = this.voices.filter((voice) => voice.name.toLowerCase().includes(wanted));
    const names = new Set(shown.map((voice) => voice.name));
    for (const [name, row] of this.rows) {
      if (names.has(name)) continue;
      row.row.remove();
      this.rows.delete(name);
    }
    shown.forEach((voice, i) => {
      if (!this.rows.has(voice.name)) this.rows.set(voice.name, new Row(voice.name, this.onChosen));
      const row = this.rows.get(voice.name);
      row.set(voice, voice.name === this.chosen, this.speeds.get(voice.name) ?? 0, busiest);
      if (this.body.children[i] !== row.row) this.body.insertBefore(row.row, this.body.children[i] ?? null);
    });
  }
}
