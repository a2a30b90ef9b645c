// Compares the beats that K1 announces with the sound, and with the listener's taps.

import { Surface, calm } from './draw.js';
import { ENOUGH, ON_BEAT, Taps, verdict } from './taps.js';

/** Time that the picture shows before and after now, in ms. */
const BEHIND = 6000;
const AHEAD = 700;
/** Samples per column (8 ms), and the smallest full scale, so that noise stays small. */
const COLUMN = 128;
const QUIET = 0.02;

const signed = (x) => `${['−', '', '+'][Math.sign(Math.round(x)) + 1]}${Math.abs(Math.round(x))}`;

export class Beats {
  /** `root` is a details element. While it is closed, nothing is requested, kept or painted. */
  constructor(root, link, speaker) {
    Object.assign(this, { root, link, speaker });
    this.part = (name) => root.querySelector(`[data-part="${name}"]`);
    this.view = new Surface(root.querySelector('canvas'));
    this.taps = new Taps();
    this.clear();
    root.ontoggle = () => {
      this.clear();
      link.hear(this, root.open);
      cancelAnimationFrame(this.next);
      if (root.open) this.tick();
    };
    const pad = this.part('tap');
    // On press: a click comes on release, too late. Only assistive technology sends a click alone.
    pad.onpointerdown = (e) => { if (!e.button) this.tap(e.timeStamp); };
    pad.onclick = (e) => { if (!e.detail) this.tap(e.timeStamp); };
    pad.onkeydown = (e) => {
      if (e.key !== ' ' && e.key !== 'Enter') return;
      e.preventDefault();
      if (!e.repeat) this.tap(e.timeStamp);
    };
    pad.onkeyup = (e) => e.preventDefault();
    this.part('clear').onclick = () => this.forget();
  }

  /** Clears the sound and the beats when the connection is lost. */
  clear() {
    this.last = this.count = null;
    this.beats = [];
    this.columns = [];
    this.top = QUIET;
    this.forget();
  }

  /** Clears the taps. */
  forget() {
    this.taps = new Taps();
    this.painted = -Infinity;
    this.tell();
  }

  /** Handles a frame. Its phase gives the position in the beat; a higher beat count means that a beat was announced. */
  frame(view) {
    if (!this.root.open) return;
    const f = (i) => view.getFloat32(12 + 4 * i, true);
    const at = view.getFloat64(4, true) / 1000;
    const [bpm, phase, sure, next, believed] = [f(4), f(5), f(6), f(8) * 1000, f(9)];
    const count = view.getUint32(52, true);
    // A beat is announced up to half a hop early, so take the beat nearest to the frame.
    if (this.count !== null && count !== this.count && bpm > 0) {
      const tail = 140 + 3 * view.getUint16(2, true);
      const bar = view.getUint8(tail + 4);
      const first = bar > 0 && Math.round(view.getFloat32(tail, true)) % bar === 0;
      this.beats.push({ at: phase < 0.5 ? at - phase * 60000 / bpm : at + next, sure, first });
      this.settle();
    }
    this.age(at);
    this.count = count;
    this.last = { at, bpm, phase, next, believed };
  }

  sound(view) {
    if (!this.root.open) return;
    const from = view.getFloat64(4, true) / 1000;
    const samples = new Int16Array(view.buffer, view.byteOffset + 12, view.getUint16(2, true));
    for (let i = 0; i < samples.length; i += COLUMN) {
      const some = samples.subarray(i, i + COLUMN);
      this.columns.push({ at: from + i / 16, low: Math.min(...some) / 32768, high: Math.max(...some) / 32768 });
    }
    this.age(from);
  }

  /** Drops everything that has left the picture, so that a hidden page, which does not paint, does not grow. */
  age(now) {
    const old = (list, ms) => list.splice(0, list.findLastIndex((x) => x.at < now - ms) + 1);
    old(this.beats, BEHIND + 2000);
    old(this.columns, BEHIND + 1000);
  }

  /** Handles a tap at a local time (ms of performance.now). */
  tap(local) {
    const at = this.speaker.heard(local);
    if (!this.root.open || at === null || !this.last) return;
    this.taps.add(at, this.last.believed);
    if (!calm.matches) this.part('tap').animate([{ filter: 'brightness(1.8)' }, {}], 160);
    this.painted = -Infinity;
    this.settle();
  }

  settle() {
    this.taps.settle(this.beats, this.speaker.heard(performance.now()));
    this.tell();
  }

  tell() {
    const n = this.taps.all.length;
    const r = this.result = this.taps.compare();
    const told = r ? verdict(r)
      : n >= ENOUGH ? 'Waiting for the beat after your tap …'
        : n ? `${ENOUGH - n} more taps needed.` : 'Tap along with the music, at least four times.';
    // Set only on change, so that screen readers do not repeat it.
    if (this.part('verdict').textContent !== told) this.part('verdict').textContent = told;
    this.part('taps').textContent = n || '';
    this.part('clear').disabled = !n;
    this.part('cards').hidden = this.part('holds').hidden = !r;
    if (!r) return;
    const ms = (x, form) => (x === null ? '–' : `${form(x)} ms`);
    const bpm = (x) => x?.toFixed(1) ?? '–';
    this.part('offset').textContent = ms(r.offset, signed);
    this.part('spread').textContent = ms(r.spread, (x) => `±${x.toFixed(0)}`);
    this.part('tempo').textContent = bpm(r.tempo);
    this.part('k1').textContent = bpm(r.k1);
    this.part('share').textContent = r.share === null ? '–' : `${Math.round(r.share * 100)} %`;
    this.part('holds').textContent = 'The offset includes everything between the music and your tap as the browser times it: your hand, the '
      + 'key or screen, the path of the sound to your ear, and the delay of this display. '
      + `${this.speaker.on ? 'It excludes the delay of Sound. ' : ''}It excludes the network: the clocks agree within ±${(this.link.bestTrip / 2).toFixed(1)} ms.`;
  }

  tick() {
    if (!this.root.open) return;
    this.next = requestAnimationFrame(() => this.tick());
    const local = performance.now();
    const now = this.speaker.heard(local);
    // With reduced motion, paint a still picture once a second.
    if (now === null || (calm.matches && local - this.painted < 1000)) return;
    this.painted = local;
    if (this.taps.all.at(-1)?.beat === undefined) this.settle();
    this.paint(now);
  }

  paint(now) {
    const { ctx, w, h, canvas } = this.view;
    const px = w / Math.max(1, canvas.clientWidth);
    const x = (t) => (t - now + BEHIND) / (BEHIND + AHEAD) * w;
    const foot = h - 20 * px;
    const line = (t, from, to, half = px) => ctx.fillRect(x(t) - half, from, 2 * half, to - from);
    ctx.clearRect(0, 0, w, h);

    ctx.fillStyle = '#a9a3bb';
    ctx.font = `${12 * px}px system-ui, sans-serif`;
    ctx.textAlign = 'center';
    for (let s = 1; s < 6; s++) ctx.fillText(`−${s} s`, x(now - 1000 * s), h - 5 * px);
    ctx.fillText('now', x(now), h - 5 * px);

    for (const b of this.beats) {
      ctx.fillStyle = 'rgb(255 255 255 / .07)';
      ctx.fillRect(x(b.at - ON_BEAT), 0, x(b.at + ON_BEAT) - x(b.at - ON_BEAT), foot);
    }

    this.top = Math.max(QUIET, this.top * 0.995, ...this.columns.map((c) => Math.max(c.high, -c.low)));
    const mid = foot / 2;
    const tall = mid * 0.86 / this.top;
    ctx.fillStyle = 'rgb(150 138 205)';
    ctx.beginPath();
    this.columns.forEach((c, i) => {
      // Draw adjacent steps as one shape; separate pieces would show seams.
      const end = this.columns[i + 1]?.at - c.at < 12 ? this.columns[i + 1].at : c.at + 8;
      ctx.rect(x(c.at), mid - c.high * tall - px / 2, x(end) - x(c.at), (c.high - c.low) * tall + px);
    });
    ctx.fill();

    for (const b of this.beats) {
      ctx.fillStyle = `rgb(255 255 255 / ${0.3 + 0.7 * b.sure})`;
      line(b.at, 0, foot, b.first ? 2 * px : px);
    }
    ctx.fillStyle = 'rgb(10 9 13 / .55)';
    ctx.fillRect(x(now), 0, w, foot);
    const { at, bpm, phase, next } = this.last ?? {};
    if (bpm > 0 && now - at < 1000) {
      ctx.fillStyle = '#fff';
      for (let y = 0; y < foot; y += 8 * px) line(at + next, y, Math.min(foot, y + 4 * px));
      const turn = phase + (now - at) * bpm / 60000;
      ctx.fillStyle = 'rgb(255 255 255 / .6)';
      ctx.fillRect(0, foot, (turn - Math.floor(turn)) * x(now), 2 * px);
    } else if (this.last) {
      ctx.fillStyle = '#ece9f3';
      ctx.textAlign = 'left';
      ctx.fillText('K1 is not announcing a beat at the moment.', 8 * px, 16 * px);
    }
    ctx.fillStyle = '#8a8599';
    line(now, 0, foot);

    ctx.fillStyle = '#ffb454';
    for (const { at: t } of this.taps.all) {
      line(t, foot * 0.62, foot);
      ctx.beginPath();
      ctx.moveTo(x(t), foot * 0.56);
      ctx.lineTo(x(t) - 5 * px, foot * 0.68);
      ctx.lineTo(x(t) + 5 * px, foot * 0.68);
      ctx.fill();
    }
  }
}
