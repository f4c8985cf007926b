// The status page as somebody sees, hears and uses it.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { chromium } from 'playwright-core';

import { Kithd, until } from './server.mjs';

const HOSTILE = '<img src=x onerror="window.attacked=1"> & <b>bold';
const SCREENSHOTS = 'screenshots';

let profile;
let browser; // one context, which is all of a browser
let kithd;
let page;
let complaints;

before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  profile = mkdtempSync(join(tmpdir(), 'kith-chromium-'));
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.KITH_CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--no-proxy-server',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
});

after(async () => {
  await browser?.close();
  rmSync(profile, { recursive: true, force: true });
});

// Each test has a server and a page of its own; what the browser complains of fails it.
beforeEach(async () => {
  kithd = await Kithd.start();
  page = await browser.newPage();
  complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('request', (request) => request.url().startsWith(kithd.url) || complaints.push(`asks ${request.url()}`));
});

afterEach(async () => {
  await page.close();
  await kithd.stop();
  kithd.remove();
  assert.deepEqual(complaints, []);
});

function train(name, rows = 300) {
  kithd.kith('generate', '--rows', String(rows), '--dimension', '32', kithd.path('frames'));
  kithd.kith('train', name, kithd.path('frames'));
}

function play(name, ...options) {
  const file = readdirSync(kithd.path('frames'))[0];
  kithd.kith('stream', name, join(kithd.path('frames'), file), '--block-ms', '40', '--clients', '2', '--seconds', '1', ...options);
}

// What the server says, changed by `change`, as long as the page lives.
const changeStatus = (change) =>
  page.route('**/api/status', async (route) => {
    const answer = await route.fetch();
    const status = await answer.json();
    change(status);
    await route.fulfill({ response: answer, json: status });
  });

async function open(options = {}) {
  await page.emulateMedia({ colorScheme: options.colorScheme ?? 'light', reducedMotion: options.reducedMotion ?? null });
  await page.setViewportSize({ width: options.width ?? 1280, height: options.height ?? 900 });
  await page.goto(kithd.url);
  await page.waitForSelector('#state:not([data-state=unknown])');
}

const text = (selector) => page.textContent(selector);
const becomes = (selector, wanted) => until(async () => wanted.test((await text(selector)) ?? ''), `${selector} becomes ${wanted}`);
const screenshot = (name) => page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
// How many pixels of a canvas have anything on them.
const painted = (id) =>
  page.evaluate((canvas) => {
    const { width, height } = document.getElementById(canvas);
    const data = document.getElementById(canvas).getContext('2d').getImageData(0, 0, width, height).data;
    return data.filter((value, i) => i % 4 === 3 && value > 8).length;
  }, id);

test('without voices it says how to train one', async () => {
  await open();
  assert.equal(await text('#state'), 'Serving');
  await becomes('#voices-empty', /kith train/);
  assert.ok(await page.isVisible('#voices-empty'));
  assert.equal(await page.isVisible('#voices table'), false);
  assert.match(await text('#sky-empty'), /first voice/);
  assert.ok(await page.isVisible('#no-trainings'));
  await screenshot('no-voice');
});

test('a voice has its figures and its map, whatever its name', async () => {
  train(HOSTILE);
  await open({ colorScheme: 'dark' });
  const row = await page.waitForSelector('#voice-rows tr');
  assert.equal(await (await row.$('bdi')).textContent(), HOSTILE);
  const cells = await row.$$eval('td', (all) => all.map((cell) => cell.textContent));
  assert.equal(cells[0], '300');
  assert.equal(cells[1], '1');
  assert.match(cells[2], /^\d+(\.\d)? %$/);
  assert.match(cells[3], /iB$/);
  await becomes('#map-caption', /^300 of 300 frames of generation 1/);
  assert.equal(await text('#map-title'), HOSTILE);
  assert.ok((await painted('density')) > 1000, 'the map is drawn');
  assert.match(await page.getAttribute('#density', 'aria-label'), /^Map of .*300 of 300 frames/);
  assert.equal(await page.evaluate(() => window.attacked), undefined);
  assert.equal(await page.$('main img'), null);
  await screenshot('hostile-name-dark');
});

test('what a voice is asked for lights up, and is counted', async () => {
  train('anna');
  await open();
  await becomes('#map-caption', /300 frames/);
  await until(async () => {
    play('anna');
    return /: \d+ blocks/.test(await text('#live-count'));
  }, 'blocks are seen');
  await until(async () => {
    play('anna');
    return (await painted('sparks')) > 50;
  }, 'sparks are drawn');
  await until(async () => {
    play('anna');
    const shown = await page.$eval('.tile .value', (value) => Number(value.textContent.replace(/,/g, '')));
    const time = await page.$eval('.tile.wide .value', (value) => value.textContent);
    return shown > 0 && /^[\d.]+ (µs|ms)$/.test(time);
  }, 'rows and times are shown');
  const charts = await page.$$eval('.tile svg', (all) => all.map((svg) => svg.getAttribute('aria-label')));
  assert.equal(charts.length, 7);
  for (const label of charts) assert.match(label, /^\S+( \S+)*, last two minutes; now /);
  await screenshot('live');
});

test('without motion nothing is animated, and what comes is still seen', async () => {
  train('anna');
  await open({ reducedMotion: 'reduce' });
  await becomes('#map-caption', /300 frames/);
  await until(async () => {
    play('anna');
    return (await painted('sparks')) > 50;
  }, 'sparks are drawn');
});

test('fifty voices: found by name, chosen by the keyboard', async () => {
  kithd.kith('generate', '--rows', '60', '--dimension', '8', kithd.path('frames'));
  for (let i = 0; i < 50; ++i) kithd.kith('train', `voice ${String(i).padStart(2, '0')}`, kithd.path('frames'));
  await open();
  await until(async () => (await page.$$('#voice-rows tr')).length === 50, 'all are listed');
  assert.match(await text('#voice-count'), /^50, 50 in memory$/);
  await screenshot('fifty-voices');
  await page.focus('#filter');
  await page.keyboard.type('E 1');
  await until(async () => (await page.$$('#voice-rows tr')).length === 10, 'those are left that have it in their names');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'voices-scroll', 'the list can be scrolled');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await text('#map-title'), 'voice 11');
  assert.deepEqual(await page.$$eval('[aria-pressed=true]', (all) => all.map((button) => button.textContent)), ['voice 11']);
  await becomes('#map-caption', /60 frames/);
  const before = await text('#up');
  await until(async () => (await text('#up')) !== before, 'the page went on');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'voice 11', 'the focus stays where it is');
  await page.reload();
  await becomes('#map-title', /^voice 11$/);
});

test('trainings and what is wrong are shown and told', async () => {
  train('anna');
  let trainings = [
    { experiment: 'berta', import: false, running: true, phase: 'adding', done: 30, total: 120, seconds: 75 },
    { experiment: HOSTILE, import: true, running: false, phase: 'queued', done: 0, total: 0, seconds: 0 },
  ];
  let failed = 1;
  await changeStatus((status) => {
    status.trainings = trainings;
    status.experiments.failed = failed;
    Object.assign(status.voices[0], failed ? { state: 'failed', message: 'its index is damaged' } : {});
  });
  await open();
  assert.equal(await text('#state'), '1 failed');
  assert.equal(await text('#voice-rows .badge'), 'Failed');
  assert.equal(await page.getAttribute('#voice-rows .badge', 'title'), 'its index is damaged');
  const items = await page.$$eval('.training', (all) => all.map((item) => item.textContent));
  assert.match(items[0], /^berta.*adding 25 % · 1 min/);
  assert.match(items[1], /waits for its turn/);
  assert.equal(await page.$eval('.training progress', (bar) => bar.value), 0.25);
  await screenshot('trainings');
  trainings = [];
  failed = 0;
  await becomes('#announcer', /has ended$/);
  await becomes('#state', /^Serving$/);
  assert.equal((await page.$$('.training')).length, 0);
});

test('a voice that is not in memory is not loaded to be looked at', async () => {
  train('anna');
  kithd.kith('unload', 'anna');
  await open();
  await becomes('#sky-empty', /Not in memory/);
  assert.match(await text('#voice-rows'), /on disk/);
  kithd.kith('load', 'anna');
  await becomes('#map-caption', /300 frames/);
});

test('a server that goes away is seen and told', async () => {
  train('anna');
  await open();
  await becomes('#map-caption', /300 frames/);
  await kithd.stop();
  await becomes('#state', /^Not reached$/);
  assert.equal(await text('#announcer'), 'The server does not answer');
  complaints = complaints.filter((complaint) => !/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/.test(complaint));
});

test('on a phone all of it is within the width', async () => {
  train('a-very-long-name-of-a-voice-that-does-not-fit-into-any-column-of-a-phone-at-all');
  for (const colorScheme of ['light', 'dark']) {
    await open({ width: 360, height: 740, colorScheme });
    await becomes('#map-caption', /300 frames/);
    await page.waitForSelector('#figures tr', { state: 'attached' });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    await screenshot(`phone-${colorScheme}`);
  }
});

test('light and dark are two looks, and both can be read', async () => {
  train('anna');
  // Of two colours as WCAG 2 has it.
  const contrasts = () =>
    page.evaluate(() => {
      const luminance = (colour) => {
        const [r, g, b] = colour.match(/[\d.]+/g).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const behind = (element) => {
        for (; element; element = element.parentElement) {
          const colour = getComputedStyle(element).backgroundColor;
          if (/^rgb\(/.test(colour)) return colour;
        }
        return 'rgb(255, 255, 255)';
      };
      return ['#version', '.facts dt', '.tile .value', '.tile .unit', '.keys', '#map-caption', 'thead .number', '#no-trainings', 'footer a']
        .map((selector) => {
          const element = document.querySelector(selector);
          const [high, low] = [luminance(getComputedStyle(element).color), luminance(behind(element))].sort((a, b) => b - a);
          return [selector, (high + 0.05) / (low + 0.05)];
        });
    });
  const papers = [];
  for (const colorScheme of ['light', 'dark']) {
    await open({ colorScheme });
    await becomes('#map-caption', /300 frames/);
    for (const [selector, contrast] of await contrasts()) assert.ok(contrast >= 4.5, `${selector} in ${colorScheme}: ${contrast}`);
    papers.push(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor));
    await screenshot(colorScheme);
  }
  assert.notEqual(papers[0], papers[1]);
});

test('every figure can be read as text, and every part has a name', async () => {
  train('anna');
  await open();
  await page.waitForSelector('#figures tr', { state: 'attached' });
  await page.click('summary');
  const figures = Object.fromEntries(await page.$$eval('#figures tr', (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))));
  assert.equal(figures['Voices in memory'], '1');
  assert.equal(figures['Rows stored'], '300');
  assert.match(figures['Memory budget'], /iB$/);
  const nameless = await page.$$eval('section, svg, canvas:not([aria-hidden]), [role=img], progress, input', (all) =>
    all.filter((one) => !one.getAttribute('aria-label') && !one.getAttribute('aria-labelledby') && !one.labels?.length).map((one) => one.outerHTML.slice(0, 80)));
  assert.deepEqual(nameless, []);
  assert.deepEqual(await page.$$eval('h1', (all) => all.map((one) => one.textContent)), ['Kith']);
  await page.keyboard.press('Escape');
  await page.evaluate(() => document.body.focus());
});

test('where the server wants a token it is asked for', async () => {
  train('anna');
  await page.route('**/api/*', async (route) => {
    const given = route.request().headers().authorization;
    return given === 'Bearer right' ? route.continue() : route.fulfill({ status: 401, body: 'no' });
  });
  await open();
  await page.waitForSelector('#token-form:not([hidden])');
  assert.equal(await text('#state'), 'Locked');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
  await page.keyboard.type('wrong');
  await page.keyboard.press('Enter');
  await becomes('#token-note', /not good/);
  await page.keyboard.type('right');
  await page.keyboard.press('Enter');
  await becomes('#state', /^Serving$/);
  await becomes('#map-caption', /300 frames/);
  complaints = complaints.filter((complaint) => !/401/.test(complaint));
});

test('it cannot be put into a frame, and runs nothing that is not its own', async () => {
  const answer = await page.request.get(kithd.url);
  assert.match(answer.headers()['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/);
  await open();
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.attacked = 1';
    document.body.append(script);
  });
  assert.equal(await page.evaluate(() => window.attacked), undefined);
  assert.ok(complaints.some((complaint) => /Content Security Policy/.test(complaint)));
  complaints = [];
});
