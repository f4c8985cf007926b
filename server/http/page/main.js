// Asks the server how it does, once a second, and shows that.

import { Chart, Meter } from './charts.js';
import { brief, bytes, count, DASH, duration, percent, rate, time } from './format.js';
import { unpack, VoiceMap } from './map.js';
import { Voices } from './voices.js';

const WINDOW = 5; // seconds over which percentiles are taken
const POLL = 1000; // ms
const LIVE_POLL = 500;
const element = (id) => document.getElementById(id);

// The page's only words to those who hear it: what changes, not what is always moving.
let announced = '';
function announce(text) {
  if (text !== announced) element('announcer').textContent = announced = text;
}

// Where the server wants a token it is asked for, and forgotten with the page.
let token = '';

async function ask(what, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const answer = await fetch(`api/${what}${query && '?' + query}`, { cache: 'no-store', headers: token ? { Authorization: `Bearer ${token}` } : {} });
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(json.error ?? `the server answers ${answer.status}`), { status: answer.status });
  return json;
}

// --- What was counted between two looks

// Later minus earlier, for those that only grow; a server that was started anew begins at 0.
const grown = (later, earlier) => (later >= earlier ? later - earlier : later);

// The value below which `share` of those counted between two readings of a histogram lie; null where there are none.
function quantile(later, earlier, share) {
  const counts = later.counts.map((value, i) => grown(value, earlier.counts[i]));
  const all = counts.reduce((sum, value) => sum + value, 0);
  let left = share * all;
  for (let i = 0; i < counts.length; ++i) {
    if (counts[i] > 0 && left <= counts[i]) {
      const low = i === 0 ? 0 : later.bounds[i - 1];
      return i === later.bounds.length ? low : low + (left / counts[i]) * (later.bounds[i] - low);
    }
    left -= counts[i];
  }
  return null;
}

const mean = (later, earlier) => {
  const blocks = grown(later.count, earlier.count);
  return blocks > 0 ? grown(later.sum, earlier.sum) / blocks : null;
};

// --- The tiles

const tiles = element('tiles');
const charts = {
  rows: new Chart(tiles, { title: 'Rows', unit: 'a second', series: [{ name: 'rows', kind: 'area' }], scale: rate }),
  blocks: new Chart(tiles, { title: 'Blocks', unit: 'a second', series: [{ name: 'blocks', kind: 'area' }], scale: rate }),
  latency: new Chart(tiles, {
    title: 'Time of a block',
    series: [
      { name: 'p99', kind: 'line' },
      { name: 'p95', kind: 'line' },
      { name: 'p50', kind: 'line' },
    ],
    scale: time,
    wide: true,
  }),
  parts: new Chart(tiles, {
    title: 'Where it goes',
    unit: 'on average',
    series: [
      { name: 'answer', kind: 'area' },
      { name: 'compute', kind: 'area' },
      { name: 'queue', kind: 'area' },
    ],
    scale: time,
  }),
  waiting: new Chart(tiles, { title: 'Waiting', unit: 'rows', series: [{ name: 'queue', kind: 'area' }], scale: brief }),
  lost: new Chart(tiles, { title: 'Late or refused', unit: 'a second', series: [{ name: 'lost', kind: 'area' }], scale: rate }),
  cpu: new Chart(tiles, { title: 'Processors', unit: 'busy', series: [{ name: 'cpu', kind: 'area' }], least: 1, scale: rate }),
  memory: new Meter(tiles, { title: 'Memory for voices' }),
  disk: new Meter(tiles, { title: 'Disk' }),
};

function showTiles(status, last, ago) {
  const seconds = status.now - last.now;
  const h = status.histograms;
  const before = ago.histograms;
  const perSecond = (later, earlier) => grown(later, earlier) / seconds;
  const rows = perSecond(h.kith_batch_rows.sum, last.histograms.kith_batch_rows.sum);
  charts.rows.add([rows], rate(rows));
  const blocks = perSecond(h.kith_block_seconds.count, last.histograms.kith_block_seconds.count);
  charts.blocks.add([blocks], rate(blocks));

  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => quantile(h.kith_block_seconds, before.kith_block_seconds, share));
  charts.latency.add([p99, p95, p50], time(p50), [['p50', time(p50)], ['p95', time(p95)], ['p99', time(p99)]]);

  const [queue, compute, answer] = ['queue', 'compute', 'serialize'].map((part) => {
    const name = `kith_block_${part}_seconds`;
    return mean(h[name], before[name]);
  });
  const total = queue === null ? null : queue + compute + answer;
  charts.parts.add([total, total && queue + compute, queue], time(total), [
    ['queue', time(queue)],
    ['compute', time(compute)],
    ['answer', time(answer)],
  ]);

  charts.waiting.add([status.queue_rows], brief(status.queue_rows));
  const late = perSecond(status.late, last.late);
  const refused = perSecond(status.refused, last.refused);
  charts.lost.add([late + refused], rate(late + refused), [['late', brief(status.late)], ['refused', brief(status.refused)]]);
  const cpu = perSecond(status.cpu_seconds, last.cpu_seconds);
  charts.cpu.add([cpu], rate(cpu), [['threads', status.search_threads]]);
  const { budget, reserved, process } = status.memory;
  charts.memory.set(reserved / budget, bytes(reserved), `of ${bytes(budget)}; process ${bytes(process)}`);
  const { data, free, size } = status.disk;
  charts.disk.set(size > 0 ? 1 - free / size : 0, bytes(data), `${bytes(free)} free of ${bytes(size)}`);
  showFigures(status, { rows, blocks, p50, p95, p99, queue, compute, answer, cpu });
}

function showFigures(status, now) {
  const figures = [
    ['Rows a second', rate(now.rows)],
    ['Blocks a second', rate(now.blocks)],
    ['Time of a block, median', time(now.p50)],
    ['Time of a block, 95th percentile', time(now.p95)],
    ['Time of a block, 99th percentile', time(now.p99)],
    ['In the queue, on average', time(now.queue)],
    ['Computing, on average', time(now.compute)],
    ['Handing over the answer, on average', time(now.answer)],
    ['Rows that wait', count(status.queue_rows)],
    ['Late blocks since the start', count(status.late)],
    ['Refused blocks since the start', count(status.refused)],
    ['Voices', count(status.experiments.all)],
    ['Voices in memory', count(status.experiments.resident)],
    ['Degraded voices', count(status.experiments.degraded)],
    ['Failed voices', count(status.experiments.failed)],
    ['Rows stored', count(status.experiments.rows)],
    ['Memory reserved', bytes(status.memory.reserved)],
    ['Memory budget', bytes(status.memory.budget)],
    ['Memory of the process', bytes(status.memory.process)],
    ['Data folder', bytes(status.disk.data)],
    ['Free on its disk', bytes(status.disk.free)],
    ['Processors busy', rate(now.cpu)],
  ];
  const body = element('figures');
  if (body.rows.length !== figures.length) {
    body.replaceChildren(...figures.map(([name]) => {
      const row = document.createElement('tr');
      const head = document.createElement('th');
      head.scope = 'row';
      head.textContent = name;
      const value = document.createElement('td');
      value.className = 'number';
      row.append(head, value);
      return row;
    }));
  }
  figures.forEach(([, value], i) => (body.rows[i].cells[1].textContent = value));
}

// --- Trainings

let training = new Set();

function showTrainings(trainings) {
  const sorted = [...trainings].sort((a, b) => b.running - a.running);
  element('no-trainings').hidden = sorted.length > 0;
  element('training-list').replaceChildren(...sorted.map((job) => {
    const item = document.createElement('li');
    item.className = 'card training';
    const name = document.createElement('bdi');
    name.className = 'training-name';
    name.textContent = job.experiment || 'A tuning';
    const phase = document.createElement('span');
    phase.className = 'training-phase';
    const known = job.total > 0 && job.running;
    const share = known ? job.done / job.total : 0;
    phase.textContent = job.running ? `${job.phase}${known ? ` ${percent(share)}` : ''} · ${duration(job.seconds)}` : 'waits for its turn';
    const bar = document.createElement('progress');
    bar.setAttribute('aria-label', `${job.import ? 'Import' : 'Training'} of ${job.experiment || 'a tuning'}, ${phase.textContent}`);
    bar.max = 1;
    if (known || !job.running) bar.value = share;
    item.append(name, phase, bar);
    return item;
  }));
  const now = new Set(trainings.filter((job) => job.experiment).map((job) => job.experiment));
  for (const name of now) if (!training.has(name)) announce(`Training of ${name} began`);
  for (const name of training) if (!now.has(name)) announce(`Training of ${name} has ended`);
  training = now;
}

// --- The map

const map = new VoiceMap(element('density'), element('sparks'));
const shown = { voice: null, tag: '', ready: false, after: 0, lights: [] };

function chooseVoice(name) {
  if (name === shown.voice && name !== null) return;
  Object.assign(shown, { voice: name, tag: '', ready: false, after: 0, lights: [] });
  map.show(null);
  element('map-title').replaceChildren();
  const label = document.createElement('bdi');
  label.textContent = name ?? 'Map';
  element('map-title').append(label);
  describeMap('', name === null ? 'The map of your first voice will be drawn here.' : 'Drawing the map …');
  if (name !== null) history.replaceState(null, '', `#voice=${encodeURIComponent(name)}`);
  if (last) voices.update(last.voices, speeds, last.experiments.all, shown.voice);
  void fetchMap();
}

function describeMap(caption, empty) {
  element('map-caption').textContent = caption;
  element('sky-empty').textContent = empty;
  element('density').setAttribute('aria-label', caption ? `Map of ${shown.voice}. ${caption}` : empty || 'No map yet');
}

async function fetchMap() {
  const voice = shown.voice;
  if (voice === null) return;
  const answer = await ask('map', { voice, known: shown.tag }).catch((error) => ({ state: 'error', message: error.message }));
  if (voice !== shown.voice) return; // another was chosen meanwhile
  if (answer.state !== 'ready') {
    if (shown.ready && answer.state === 'making') return; // the old one stays until the new one is there
    Object.assign(shown, { tag: '', ready: false });
    map.show(null);
    describeMap('', answer.state === 'not_in_memory' ? 'Not in memory. The first query loads it, or: kith load' : answer.message ?? 'Drawing the map …');
    return;
  }
  if (answer.tag !== shown.tag) {
    Object.assign(shown, { tag: answer.tag, ready: true });
    map.show(unpack(answer.points));
    const [x, y] = answer.explained;
    describeMap(
      `${count(answer.sampled)} of ${count(answer.rows)} frames of generation ${answer.generation}, along the two directions in which they differ most (${percent(x)} and ${percent(y)} of the variance).`,
      '',
    );
  }
}

async function fetchLive() {
  const voice = shown.voice;
  if (voice !== null && shown.ready && !document.hidden) {
    const answer = await ask('live', { voice, after: shown.after }).catch(() => ({ blocks: [] }));
    if (voice === shown.voice) {
      const first = shown.after === 0;
      for (const block of answer.blocks) {
        shown.after = Math.max(shown.after, block.number);
        if (!first || block.age < 1) map.light(unpack(block.points), block.age);
        shown.lights.push(performance.now());
      }
      const since = performance.now() - 10000;
      shown.lights = shown.lights.filter((when) => when > since);
      const lights = shown.lights.length;
      element('live-count').textContent = lights > 0 ? `live queries: ${count(lights)} blocks in 10 s` : 'live queries: none in 10 s';
    }
  }
  setTimeout(fetchLive, LIVE_POLL);
}

// --- Once a second

const voices = new Voices(chooseVoice);
const looks = []; // of the last WINDOW seconds
let last = null;
let speeds = new Map();

function setState(state, text) {
  const pill = element('state');
  if (pill.textContent !== text) pill.textContent = text;
  pill.dataset.state = state;
  document.body.dataset.state = state;
}

function showState(status) {
  const { failed, degraded } = status.experiments;
  if (!status.ready) return setState('warn', 'Draining');
  if (failed > 0) return setState('bad', `${count(failed)} failed`);
  if (degraded > 0) return setState('warn', `${count(degraded)} degraded`);
  return setState('good', 'Serving');
}

// The one that the address names, or the busiest, or the first in memory.
function defaultVoice(status) {
  const wanted = new URLSearchParams(location.hash.slice(1)).get('voice');
  const names = new Set(status.voices.map((voice) => voice.name));
  if (names.has(wanted)) return wanted;
  const best = [...status.voices].sort((a, b) => b.resident - a.resident || b.searched - a.searched)[0];
  return best?.name ?? null;
}

function show(status) {
  const restarted = last !== null && status.up_seconds < last.up_seconds;
  if (restarted) {
    // Its numbers begin anew.
    looks.length = 0;
    Object.assign(shown, { tag: '', after: 0 });
  }
  const previous = restarted ? null : last;
  last = status;
  showState(status);
  element('version').textContent = status.version;
  element('up').textContent = duration(status.up_seconds);
  element('voice-count').textContent = `${count(status.experiments.all)}, ${count(status.experiments.resident)} in memory`;
  element('row-count').textContent = brief(status.experiments.rows);
  if (previous !== null && status.now > previous.now) {
    showTiles(status, previous, looks[0]);
    const before = new Map(previous.voices.map((voice) => [voice.name, voice.searched]));
    speeds = new Map(status.voices.map((voice) => [
      voice.name,
      before.has(voice.name) ? grown(voice.searched, before.get(voice.name)) / (status.now - previous.now) : 0,
    ]));
  }
  looks.push(status);
  if (looks.length > WINDOW) looks.shift();
  const names = new Set(status.voices.map((voice) => voice.name));
  if (!names.has(shown.voice)) {
    const chosen = defaultVoice(status);
    if (chosen !== null || shown.voice !== null || previous === null) chooseVoice(chosen);
  }
  voices.update(status.voices, speeds, status.experiments.all, shown.voice);
  showTrainings(status.trainings);
}

// Asks whoever looks for a token; with that it goes on.
function wantToken(status) {
  setState('bad', 'Locked');
  element('token-note').textContent = status === 403 || token ? 'That token is not good for this.' : '';
  element('token-form').hidden = false;
  element('token').focus();
}

element('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  token = element('token').value.trim();
  element('token').value = '';
  element('token-form').hidden = true;
  void look();
});

async function look() {
  try {
    const status = await ask('status');
    if (document.body.dataset.state === 'gone') announce('The server answers again');
    show(status);
    await fetchMap();
  } catch (error) {
    if (error.status === 401 || error.status === 403) return wantToken(error.status);
    setState('gone', error.status ? error.message : 'Not reached');
    announce('The server does not answer');
  }
  setTimeout(look, looks.length < 3 ? POLL / 4 : POLL); // soon at first, so that there is something to see
}

void look();
void fetchLive();
