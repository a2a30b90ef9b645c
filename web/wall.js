// Wall mode: only the light, on the whole screen.

import { Waterfall } from './draw.js';
import { Scene, hanging } from './light.js';

const WALL = 'k1-wall';
const MODES = ['strip', 'zones', 'waterfall'];
const HINT_MS = 3500;

/** This browser's choice; it is not kept without storage. */
const chosenMode = () => { try { return localStorage.getItem(WALL); } catch { return null; } };
const keepMode = (mode) => { try { localStorage.setItem(WALL, mode); } catch { /* It is not kept. */ } };

export class Wall {
  /** `root` has a canvas for the light and a paragraph for a short hint; `left` is called when the wall is left. */
  constructor(root, left) {
    Object.assign(this, { root, left });
    this.mode = MODES.includes(chosenMode()) ? chosenMode() : 'strip';
    this.hint = root.querySelector('p');
    this.zones = 1;
    root.onclick = () => this.leave();
    root.onpointermove = () => this.wake();
    document.addEventListener('fullscreenchange', () => { if (!document.fullscreenElement) this.leave(); });
    document.addEventListener('visibilitychange', () => { if (this.on && !document.hidden) this.stayLit(); });
    addEventListener('keydown', (event) => {
      if (!this.on) return;
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (event.key === 'Escape') this.leave();
      else if (step) this.turn(step);
    });
  }

  get on() { return !this.root.hidden; }

  /** Goes on to another picture: the strip, the zones if there are several, or the waterfall. */
  turn(step) {
    const there = MODES.filter((mode) => mode !== 'zones' || this.zones > 1);
    this.mode = there[(there.indexOf(this.mode) + step + there.length) % there.length];
    keepMode(this.mode);
    this.fresh();
    this.wake();
  }

  /** A new canvas for the picture. */
  fresh() {
    const old = this.root.querySelector('canvas');
    const canvas = old.cloneNode();
    old.replaceWith(canvas);
    this.picture = this.mode === 'waterfall' ? new Waterfall(canvas) : new (this.mode === 'zones' && hanging.Scene || Scene)(canvas, { wall: true, first: this.mode === 'strip' });
  }

  async enter() {
    if (this.on) return;
    this.root.hidden = false;
    document.documentElement.classList.add('on-wall');
    this.fresh();
    this.wake();
    this.stayLit();
    // A phone without full screen still shows the light over the whole page.
    await document.documentElement.requestFullscreen?.({ navigationUI: 'hide' }).catch(() => {});
  }

  leave() {
    if (!this.on) return;
    this.root.hidden = true;
    this.picture = null;
    document.documentElement.classList.remove('on-wall');
    this.lock?.release().catch(() => {});
    this.lock = null;
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
    this.left();
  }

  /** Keeps the screen on; browsers allow it only for pages from this machine or over HTTPS. */
  async stayLit() {
    this.lock = await navigator.wakeLock?.request('screen').catch(() => null) ?? null;
    if (this.on && !this.lock) this.note = 'The browser keeps the screen on only over HTTPS. ';
  }

  /** Shows the hint and the cursor for a moment. */
  wake() {
    this.hint.textContent = `${this.note ?? ''}Tap or Escape leaves, ← → change the picture.`;
    this.root.classList.add('awake');
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.root.classList.remove('awake'), HINT_MS);
  }

  paint(zones, now) {
    if (!this.picture) return;
    this.zones = zones.length;
    if (this.mode === 'waterfall') this.picture.paint(zones[0].rgb, zones[0].leds, now);
    else this.picture.paint(zones);
  }
}
