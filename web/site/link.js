// The connection to K1 in the place of the module of the same name that asks a server: here, K1 runs in this page.

import { Player, compiled } from './engine.js';
import { Sound } from './sources.js';

const LEDS = 180;
const LOOK = 'k1-look';

let begin;
/** The player, once the engine runs. */
export const ready = new Promise((resolve) => { begin = resolve; });

/** Sends a request to the API and returns the answer; throws an Error with K1's message. */
export async function ask(method, path, body) {
  const { player } = await ready;
  const { status, said } = player.ask(method, `/${path}`, body === undefined ? '' : JSON.stringify(body));
  if (status !== 200) throw Object.assign(new Error(said.message), { status });
  return said;
}

export const get = (path) => ask('GET', path);

/** The look of the last visit; null without storage. */
const kept = () => { try { return localStorage.getItem(LOOK); } catch { return null; } };
const keep = (look) => { try { localStorage.setItem(LOOK, look); } catch { /* It is not kept. */ } };

export class Link {
  /** `on` has open(), refused(why), message(object) and binary(DataView). */
  constructor(on) {
    Object.assign(this, { on, wanted: { fps: 60 }, hearing: new Set(), offset: null });
    Object.assign(this, { at: -Infinity, pace: 16, second: 0, picture: 0, rendering: 0 });
    // Before the page's own callback, so that it paints a frame as soon as it is made.
    const tick = () => { requestAnimationFrame(tick); this.step(); };
    requestAnimationFrame(tick);
    this.start();
  }

  async start() {
    try {
      const module = await compiled();
      this.player = new Player(module, LEDS);
      this.sound = new Sound(module, this.player, () => { if (document.hidden) this.step(); });
    } catch (e) {
      document.body.classList.add('no-engine');
      return this.on.refused({ status: 0, message: e.message });
    }
    const look = kept();
    // A look that this version does not take is forgotten.
    if (look) this.player.ask('POST', '/api/config/restore', look);
    this.offset = 0;
    this.second = performance.now();
    begin(this);
    this.on.open();
    this.on.message(this.player.hello());
    this.hear(null, false);
  }

  /** A frame, and what else is due. A page in the background does it when sound arrives. */
  step() {
    const { player, sound, on, wanted } = this;
    const now = performance.now();
    if (!player || now - this.at < 930 / wanted.fps) return;
    // How long a frame takes here; a pause in the background says nothing.
    this.pace += (Math.min(200, now - this.at) - this.pace) * 0.05;
    this.at = now;
    sound.due(now);
    const message = player.frame(Player.now(), sound.hasEnded);
    this.rendering += performance.now() - now;
    this.shown?.(player, message);
    on.binary(message);
    if (!this.isLit && new Uint8Array(message.buffer, 140, 3 * message.getUint16(2, true)).some((x) => x > 60)) {
      this.isLit = true;
      performance.mark('first light');
    }
    const changed = player.changes();
    if (changed) this.changed(changed);
    // A device that is slow shows fewer pictures of patterns, and keeps its time for the light.
    if (wanted.thumbnails && now - this.picture >= Math.max(50, 4 * this.pace - 60)) {
      this.picture = now;
      on.binary(player.thumbnails());
    }
    if (now - this.second < 1000) return;
    this.second = now;
    player.took(sound.busy(), this.rendering);
    this.rendering = 0;
    on.message(player.status());
  }

  changed(message) {
    this.on.message(message);
    this.sound.gain(message.settings.gain);
    clearTimeout(this.keeping);
    this.keeping = setTimeout(() => keep(JSON.stringify(this.player.ask('GET', '/api/config/backup').said)), 500);
  }

  post(command) {
    if (!this.player) return;
    const answer = this.player.obey(command);
    if (answer) this.on.message(answer);
  }

  /** Takes wishes that last: frames per second, thumbnails, sound. */
  want(wishes) {
    Object.assign(this.wanted, wishes);
    this.post(wishes);
  }

  /** Requests the sound as long as any part of the page needs it. */
  hear(who, on) {
    this.hearing[on ? 'add' : 'delete'](who);
    this.sound?.want(this.hearing.size > 0 && ((view) => this.on.binary(view)));
  }

  /** There is nothing to reconnect. */
  anew() {}

  /** K1's clock is the page's own. */
  local(server_us) { return this.offset === null ? null : server_us / 1000; }
}
