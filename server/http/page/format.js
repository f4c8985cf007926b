// Figures for people.

const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

export const DASH = '–';

// 31204 -> "31,204"
export const count = (value) => plain.format(value);

// 1234567 -> "1.23M"
export const brief = (value) => (Math.abs(value) < 10000 ? plain.format(value) : short.format(value));

// Small ones keep a digit: 0.4, 12, 1,230.
export function rate(value) {
  if (value === null) return DASH;
  return value > 0 && value < 9.95 ? value.toFixed(1) : brief(value);
}

export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; ++unit) value /= 1024;
  return `${unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

// Seconds of a block: "310 µs", "4.2 ms", "1.3 s".
export function time(seconds) {
  if (seconds === null) return DASH;
  const digits = (value) => (value < 9.95 ? value.toFixed(1) : value.toFixed(0));
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(0)} µs`;
  return seconds < 1 ? `${digits(seconds * 1e3)} ms` : `${digits(seconds)} s`;
}

// Seconds of a server's life: "3 days 4 h", "12 min".
export function duration(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) return `${days} ${days === 1 ? 'day' : 'days'} ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

export const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;
