// What K1 hears, as it hears it.

import { Bars, Notes, Waterfall, calm } from './draw.js';

const SECTIONS = ['', 'steady', 'build', 'drop', 'break'];
const INPUTS = ['', 'clipping: turn the source down', 'no signal'];

export class Hearing {
  constructor(root) {
    const part = (id) => root.querySelector(id);
    this.at = Object.fromEntries(['sure', 'sure-text', 'level', 'rms', 'input', 'dots', 'section'].map((id) => [id, part(`#${id}`)]));
    this.bpm = part('[data-part="bpm"]');
    this.dot = part('.beat i');
    this.spectrum = new Bars(part('#spectrum'));
    this.notes = new Notes(part('#chroma'));
    this.waterfall = new Waterfall(part('#waterfall'));
  }

  /** Shows a dot for each beat of the bar, the current one lit, and the section as a word. */
  bar(beats, position, section) {
    const { dots } = this.at;
    if (dots.childElementCount !== beats) {
      dots.replaceChildren(...Array.from({ length: beats }, () => document.createElement('i')));
      dots.ariaLabel = beats ? `${beats} beats in a bar` : null;
    }
    [...dots.children].forEach((dot, i) => dot.classList.toggle('now', !calm.matches && i === Math.floor(position)));
    this.at.section.textContent = SECTIONS[section] ?? '';
  }

  clear() {
    for (const id of ['sure-text', 'rms']) this.at[id].textContent = '–';
    for (const id of ['sure', 'level']) this.at[id].style.transform = 'scaleX(0)';
    this.bpm.textContent = '–';
    this.at.input.hidden = true;
    this.bar(0, 0, 0);
    this.spectrum.dark();
    this.notes.dark();
  }

  /** Shows the sound of a frame (see live.rs for its bytes). */
  paint(view, rgb, leds, now) {
    const f = (i) => view.getFloat32(12 + 4 * i, true);
    const bytes = (from, n) => new Uint8Array(view.buffer, view.byteOffset + from, n);
    if (!calm.matches) this.waterfall.paint(rgb, leds, now);
    this.spectrum.paint(bytes(64, 64));
    this.notes.paint(bytes(128, 12));
    const [level, rms, confidence, bpm] = [f(0), f(1), f(6), f(9)];
    this.bpm.textContent = bpm > 0 ? bpm.toFixed(1) : '–';
    this.at.sure.style.transform = `scaleX(${bpm > 0 ? confidence : 0})`;
    this.at['sure-text'].textContent = bpm > 0 ? `${Math.round(confidence * 100)} %` : '–';
    this.at.level.style.transform = `scaleX(${level})`;
    this.at.rms.textContent = rms.toFixed(0);
    const input = INPUTS[view.getUint8(60)];
    this.at.input.hidden = !input;
    this.at.input.textContent = input ?? '';
    const tail = 140 + leds * 3;
    this.bar(view.getUint8(tail + 4), view.getFloat32(tail, true), view.getUint8(tail + 6));
  }

  /** Shows how far the last beat is behind: 1 at the beat, then less. */
  beat(pulse) {
    this.dot.style.opacity = 0.12 + 0.88 * pulse;
    this.dot.style.transform = `scale(${0.4 + 0.6 * pulse})`;
  }
}
