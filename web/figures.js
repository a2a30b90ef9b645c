// The measured figures, with their last two minutes.

import { el } from './controls.js';
import { Spark } from './draw.js';

// Each figure: field of the vitals, name, digits, unit, target value.
const FIGURES = [
  ['fps', 'Frames per second', 1, '', (v) => v.fps_target],
  ['fps_p1', '99 % of frames reach', 1, 'FPS', (v) => v.fps_target],
  ['jitter_ms', 'Frame jitter, p99', 2, 'ms'],
  ['longest_gap_ms', 'Longest gap', 1, 'ms'],
  ['age_ms', 'Age of the sound, median', 1, 'ms'],
  ['age_p99_ms', 'Age of the sound, p99', 1, 'ms'],
  ['render_us', 'Rendering a frame', 0, 'µs'],
  ['hop_us', 'Hearing a hop of 8 ms', 0, 'µs'],
  ['hop_rate', 'Hops per second', 1, ''],
];

const grouped = (x) => x.toLocaleString('en');

export class Figures {
  constructor(root, counts) {
    this.counts = counts;
    this.past = [];
    this.cards = FIGURES.map(([, name, , unit]) => {
      const value = el('b', '', '–');
      const canvas = el('canvas');
      canvas.setAttribute('aria-hidden', 'true');
      root.append(el('div', 'card', '', value, ' ', el('small', '', unit), el('br'), el('small', '', name), canvas));
      return { value, spark: new Spark(canvas) };
    });
  }

  /** Begins anew with a history. */
  begin(history) {
    this.past = [...history];
    this.paint();
  }

  /** Adds the figures of a second; see `paint` for the rest. */
  add(vitals, lights, skew) {
    this.past.push(vitals);
    if (this.past.length > 120) this.past.shift();
    this.paint(lights, skew);
  }

  /** Paints, and tells what was lost by `lights`; `skew` is how far sound and light are apart in ms, or null. */
  paint(lights, skew = null) {
    const v = this.past.at(-1);
    if (!v) return;
    FIGURES.forEach(([key, , digits, , target], i) => {
      this.cards[i].value.textContent = v[key].toFixed(digits);
      this.cards[i].spark.paint(this.past.map((p) => p[key]), target?.(v));
    });
    this.counts.textContent = `Since the start: ${grouped(v.frames)} frames, ${dropped(lights)}${grouped(v.late_frames)} late, `
      + `${grouped(v.handoff_retries)} hand-off retries, ${grouped(v.torn)} torn, ${grouped(v.overruns)} overruns, ${grouped(v.underruns)} underruns, `
      + `${grouped(v.allocations)} allocations in the loops.` + (skew === null ? '' : ` Sound and light are ${Math.abs(skew).toFixed(0)} ms apart.`);
  }
}

/** The lights that drop frames, for the sum of all counts: “12 dropped by ddp://wled.local:4048”; empty on a lamp. */
function dropped(lights) {
  if (!lights) return '';
  const all = lights.filter((l) => l.dropped);
  return all.length ? all.map((l) => `${grouped(l.dropped)} dropped by ${l.name}, `).join('') : '0 dropped by lights, ';
}
