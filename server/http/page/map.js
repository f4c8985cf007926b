// A voice as a night sky: the density of its frames, and on top the frames that it is asked for as they come.

const CELLS_X = 320;
const CELLS_Y = 200;
const LIFE = 3600; // of a spark, in ms
const DELAY = 650; // so that what is fetched twice a second comes evenly
const STEP = 28; // between the points of one block

const RAMPS = {
  dark: [
    [0, [24, 20, 60, 0]],
    [0.12, [44, 36, 112, 70]],
    [0.35, [104, 58, 178, 170]],
    [0.6, [214, 82, 158, 220]],
    [0.82, [255, 152, 112, 240]],
    [1, [255, 242, 206, 255]],
  ],
  light: [
    [0, [214, 222, 250, 0]],
    [0.12, [196, 208, 248, 130]],
    [0.35, [140, 150, 236, 200]],
    [0.6, [112, 84, 208, 230]],
    [0.82, [94, 36, 148, 245]],
    [1, [50, 12, 82, 255]],
  ],
};
const SPARKS = { dark: [150, 255, 240], light: [226, 76, 18] };
const STARS = { dark: [255, 244, 255, 62], light: [46, 16, 96, 52] };

const darkness = matchMedia('(prefers-color-scheme: dark)');
const stillness = matchMedia('(prefers-reduced-motion: reduce)');
const theme = () => (darkness.matches ? 'dark' : 'light');

// Pairs of little-endian uint16 in base64, -0.5 to 1.5 each: [x, y, x, y, ...].
export function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => (view.getUint16(2 * i, true) / 65535) * 2 - 0.5);
}

// 256 steps of a ramp, as RGBA.
function table(ramp) {
  const colours = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; ++i) {
    const share = i / 255;
    const next = Math.max(1, ramp.findIndex(([at]) => at >= share));
    const [low, from] = ramp[next - 1];
    const [high, to] = ramp[next];
    for (let c = 0; c < 4; ++c) colours[4 * i + c] = from[c] + ((share - low) / (high - low)) * (to[c] - from[c]);
  }
  return colours;
}

// Three box filters one after the other are nearly a Gaussian.
function blur(cells, radius) {
  const out = Float32Array.from(cells);
  const line = new Float32Array(Math.max(CELLS_X, CELLS_Y));
  const pass = (first, step, length) => {
    let sum = 0;
    for (let i = -radius; i < length; ++i) {
      if (i + radius < length) sum += out[first + (i + radius) * step];
      if (i - radius - 1 >= 0) sum -= line[i - radius - 1];
      if (i >= 0) {
        line[i] = out[first + i * step];
        out[first + i * step] = sum / (2 * radius + 1);
      }
    }
  };
  for (let times = 0; times < 3; ++times) {
    for (let y = 0; y < CELLS_Y; ++y) pass(y * CELLS_X, 1, CELLS_X);
    for (let x = 0; x < CELLS_X; ++x) pass(x, CELLS_X, CELLS_Y);
  }
  return out;
}

function densityOf(points) {
  const cells = new Float32Array(CELLS_X * CELLS_Y);
  for (let i = 0; i < points.length; i += 2) {
    const x = Math.floor(points[i] * CELLS_X);
    const y = Math.floor((1 - points[i + 1]) * CELLS_Y);
    if (x >= 0 && x < CELLS_X && y >= 0 && y < CELLS_Y) cells[y * CELLS_X + x] += 1;
  }
  // Both what is fine and what glows around it. Few frames are spread wider.
  const few = points.length < 2000 ? 2 : 1;
  const fine = blur(cells, 2 * few);
  const wide = blur(cells, 8 * few);
  const density = fine.map((value, i) => value + 0.9 * wide[i]);
  const most = Float32Array.from(density).sort()[Math.floor(density.length * 0.999)] || 1;
  return density.map((value) => Math.min(1, value / most) ** 0.62);
}

export class VoiceMap {
  constructor(density, sparks) {
    this.canvas = density;
    this.layer = sparks;
    this.points = null;
    this.density = null;
    this.lights = []; // {points, birth}
    this.running = false;
    new ResizeObserver(() => this.resize()).observe(density.parentElement);
    darkness.addEventListener('change', () => this.paint());
  }

  // Another voice, another generation, or none: null.
  show(points) {
    this.points = points;
    this.density = points && densityOf(points);
    this.lights = [];
    this.resize();
  }

  // Points of a block that came `age` seconds ago.
  light(points, age) {
    if (!this.points) return;
    this.lights.push({ points, birth: performance.now() - 1000 * age + DELAY });
    if (this.lights.length > 400) this.lights.shift();
    if (stillness.matches) {
      this.paintLights();
    } else if (!this.running) {
      this.running = true;
      requestAnimationFrame(() => this.animate());
    }
  }

  resize() {
    const scale = Math.min(2, devicePixelRatio || 1);
    for (const canvas of [this.canvas, this.layer]) {
      canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale));
      canvas.height = Math.max(1, Math.round(canvas.clientHeight * scale));
    }
    this.scale = scale;
    this.paint();
  }

  paint() {
    const context = this.canvas.getContext('2d');
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.paintLights();
    if (!this.density) return;
    const image = new ImageData(CELLS_X, CELLS_Y);
    const colours = table(RAMPS[theme()]);
    this.density.forEach((value, i) => {
      const from = 4 * Math.round(255 * value);
      image.data.set(colours.subarray(from, from + 4), 4 * i);
    });
    const small = new OffscreenCanvas(CELLS_X, CELLS_Y);
    small.getContext('2d').putImageData(image, 0, 0);
    context.imageSmoothingQuality = 'high';
    context.drawImage(small, 0, 0, this.canvas.width, this.canvas.height);
    this.paintStars(context);
  }

  paintStars(context) {
    const [r, g, b, a] = STARS[theme()];
    context.fillStyle = `rgba(${r} ${g} ${b} / ${a / 255})`;
    const size = Math.max(1, 0.9 * this.scale);
    for (let i = 0; i < this.points.length; i += 2) {
      const [x, y] = this.place(this.points[i], this.points[i + 1]);
      context.fillRect(x, y, size, size);
    }
  }

  // Where a point lies on the canvas; what is outside the map is put at its edge.
  place(x, y) {
    const edge = 0.015;
    const within = (value) => Math.min(1 - edge, Math.max(edge, value));
    return [within(x) * this.canvas.width, (1 - within(y)) * this.canvas.height];
  }

  animate() {
    this.paintLights();
    this.running = this.lights.length > 0 && !document.hidden;
    if (this.running) requestAnimationFrame(() => this.animate());
  }

  paintLights() {
    const now = performance.now();
    const context = this.layer.getContext('2d');
    context.clearRect(0, 0, this.layer.width, this.layer.height);
    this.lights = this.lights.filter((light) => now - light.birth < LIFE + STEP * light.points.length);
    context.globalCompositeOperation = theme() === 'dark' ? 'lighter' : 'source-over';
    context.lineWidth = 0.9 * this.scale;
    context.lineCap = 'round';
    for (const light of this.lights) this.paintBlock(context, light, now);
  }

  paintBlock(context, light, now) {
    const [r, g, b] = SPARKS[theme()];
    let last = null;
    for (let i = 0; i < light.points.length; i += 2) {
      const age = stillness.matches ? LIFE / 3 : now - light.birth - STEP * i;
      if (age < 0) return;
      const left = Math.max(0, 1 - age / LIFE);
      const [x, y] = this.place(light.points[i], light.points[i + 1]);
      if (last) {
        context.strokeStyle = `rgba(${r} ${g} ${b} / ${0.2 * left ** 3})`;
        context.beginPath();
        context.moveTo(...last);
        context.lineTo(x, y);
        context.stroke();
      }
      const radius = this.scale * (1.8 + 6 * left ** 8);
      const glow = context.createRadialGradient(x, y, 0, x, y, 2 * radius);
      glow.addColorStop(0, `rgba(${r} ${g} ${b} / ${0.95 * left})`);
      glow.addColorStop(0.28, `rgba(${r} ${g} ${b} / ${0.5 * left * left})`);
      glow.addColorStop(1, `rgba(${r} ${g} ${b} / 0)`);
      context.fillStyle = glow;
      context.fillRect(x - 2 * radius, y - 2 * radius, 4 * radius, 4 * radius);
      last = [x, y];
    }
  }
}
