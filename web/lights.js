// The lights besides the page: state, and missed frames.

import { el } from './controls.js';

const WORDS = { shining: 'shining', looking: 'looking for it', unreachable: 'not reached', failed: 'failed' };

/** A time span for people: 45 s, 12 min, 3.5 h. */
function span(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

const count = (x) => x.toLocaleString('en');

export class Lights {
  constructor(root) {
    this.root = root;
    this.list = el('ul', 'rows');
    root.append(el('h2', '', 'Lights'), this.list);
    this.rows = new Map();
  }

  /** Shows K1's list of lights. */
  show(lights, uptime) {
    const names = new Set((lights ?? []).map((l, i) => `${i} ${l.name}`));
    for (const [key, row] of this.rows) {
      if (!names.has(key)) { row.remove(); this.rows.delete(key); }
    }
    (lights ?? []).forEach((l, i) => this.paint(this.row(`${i} ${l.name}`), l, uptime));
  }

  row(key) {
    if (!this.rows.has(key)) {
      const row = el('li', '', '', el('b'), el('span', 'state'), el('small', 'num'));
      this.list.append(row);
      this.rows.set(key, row);
    }
    return this.rows.get(key);
  }

  paint(row, l, uptime) {
    const [name, state, counts] = row.children;
    const since = `for ${span(uptime - l.since_s)}`;
    const why = l.reason ? `: ${l.reason}` : '';
    const where = l.address && !l.name.endsWith(l.address) ? ` at ${l.address}` : '';
    row.dataset.state = l.state;
    name.textContent = l.name;
    state.textContent = l.state === 'shining' ? `${WORDS.shining}${where} ${since}` : `${WORDS[l.state] ?? l.state} ${since}${why}`;
    const missed = [[l.dropped, 'dropped'], [l.errors, 'not sent']].filter(([times]) => times);
    counts.textContent = [`${count(l.shown)} frames`, ...missed.map(([times, what]) => `${count(times)} ${what}`)].join(', ');
  }
}

/** The lights that drop frames, for the sum of all counts: “12 dropped by ddp://wled.local:4048”; empty on a lamp. */
export function dropped(lights) {
  if (!lights) return '';
  const all = lights.filter((l) => l.dropped);
  return all.length ? all.map((l) => `${count(l.dropped)} dropped by ${l.name}, `).join('') : '0 dropped by lights, ';
}
