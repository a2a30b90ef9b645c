// The plan as it is edited: pieces within their limits, places, writing in order, and the way back.

import { ask, get } from '../link.js';
import { did } from '../room/undo.js';

/** Pause between two writes, in ms: K1 takes a change over within half a second. */
const BREATH = 250;
/** Rest after which a change by keys is one change, in ms. */
const REST = 900;

const path = (name) => `api/v1/zones/${encodeURIComponent(name)}`;
const copy = (x) => structuredClone(x);

export class Edit {
  /** `changed` is called when the plan has changed. */
  constructor(toast, changed) {
    Object.assign(this, { toast, changed, lights: [], zones: [], waits: new Map(), writing: null, gesture: null });
  }

  /** Reads the plan; several wishes at a time are one. */
  load() {
    this.loading ??= this.read();
    return this.loading;
  }

  async read() {
    // K1 answers the same question once in a tenth of a second.
    await new Promise((later) => setTimeout(later, 150));
    this.loading = null;
    if (this.writing || this.gesture) return;
    try {
      Object.assign(this, await get('api/v1/plan'));
      this.changed();
    } catch (e) {
      this.toast(e.message);
    }
  }

  zone(name) { return this.zones.find((z) => z.name === name); }

  /** The first LED and the last one that a piece may have, [from, to], between its neighbours on the same light. */
  room(zone, piece) {
    const others = this.zones.flatMap((z) => z.pieces).filter((p) => p !== piece && p.light === piece.light);
    const { leds } = this.lights.find((l) => l.name === piece.light);
    return [Math.max(0, ...others.filter((p) => p.to < piece.from).map((p) => p.to + 1)),
      Math.min(leds - 1, ...others.filter((p) => p.from > piece.to).map((p) => p.from - 1))];
  }

  /** Moves a piece along its light. */
  slide(zone, piece, from) {
    const [first, last] = this.room(zone, piece);
    const long = piece.to - piece.from;
    const at = Math.max(first, Math.min(last - long, Math.round(from)));
    return this.put(zone, () => Object.assign(piece, { from: at, to: at + long }));
  }

  /** Moves one end of a piece, `from` or `to`. */
  pull(zone, piece, end, led) {
    if (zone.fixed) return this.toast(`${zone.name} has a shape with a fixed number of LEDs; change its shape in the show file.`);
    const [first, last] = this.room(zone, piece);
    const most = end === 'from' ? [first, piece.to] : [piece.from, last];
    return this.put(zone, () => { piece[end] = Math.max(most[0], Math.min(most[1], Math.round(led))); });
  }

  /** Makes a zone begin at its other end. */
  turn(zone) {
    this.put(zone, () => {
      zone.pieces.reverse();
      for (const piece of zone.pieces) piece.reversed = !piece.reversed;
    });
    this.rest(`${zone.name} is turned round.`);
  }

  /** Hangs a zone at a place. */
  hang(zone, place) {
    const at = (x) => Math.round(1000 * Math.max(0, Math.min(1, x))) / 1000;
    this.put(zone, () => { zone.place = { x: at(place.x), y: at(place.y), angle: (place.angle + 360) % 360 }; });
  }

  /** Makes a change and writes it soon. The first one of a gesture notes what was before. */
  put(zone, change) {
    if (this.gesture && this.gesture.zone !== zone) this.rest();
    this.gesture ??= { zone, before: copy(zone), name: zone.name };
    const was = JSON.stringify([zone.pieces, zone.place]);
    change();
    if (JSON.stringify([zone.pieces, zone.place]) === was) return;
    this.gesture.isReal = true;
    this.changed();
    this.write(zone.name, copy(zone));
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.rest(), REST);
  }

  /** Ends a gesture: from now on it can be taken back. */
  rest(text) {
    clearTimeout(this.resting);
    const { gesture } = this;
    this.gesture = null;
    if (!gesture?.isReal) return;
    const { zone, before, name } = gesture;
    const first = (z) => z.pieces.filter((p) => p.light).map((p) => `LEDs ${p.from}–${p.to} of ${p.light}`).join(', ');
    const said = JSON.stringify(zone.pieces) === JSON.stringify(before.pieces) ? `${name} hangs elsewhere.` : `${name}: ${first(zone)}.`;
    did(text ?? said, async () => {
      this.write(name, before);
      await this.writing;
      await this.load();
    });
  }

  /** Writes pieces and place of a zone; the latest wins, in the order of the zones. */
  write(name, { pieces, place }) {
    this.waits.set(name, { pieces: pieces.map((p) => (p.gap ? { gap: p.gap } : p)), ...(place ? { place } : {}) });
    this.writing ??= this.send();
  }

  async send() {
    while (this.waits.size) {
      const [name, body] = this.waits.entries().next().value;
      this.waits.delete(name);
      const written = await this.ask(name, body);
      if (!written) this.waits.clear();
      await new Promise((later) => setTimeout(later, BREATH));
    }
    this.writing = null;
    if (!this.gesture) this.load();
  }

  /** Sends a change of a zone; true if it was written. */
  async ask(name, body) {
    try {
      const { written, faults } = await ask('PUT', path(name), body);
      if (!written) this.toast(faults[0]);
      return written;
    } catch (e) {
      this.toast(e.message);
      return false;
    }
  }

  /** A name that no zone has. */
  free(name) {
    let own = name;
    for (let n = 2; this.zone(own); n++) own = `${name} ${n}`;
    return own;
  }

  /** Makes a zone of LEDs that no zone has. */
  async make({ light, from, to }) {
    const name = this.free(light);
    if (!await this.ask(name, { pieces: [{ light, from, to }] })) return;
    await this.load();
    did(`${name} is made of LEDs ${from}–${to}.`, async () => { await this.ask(name, { remove: true }); await this.load(); });
    return name;
  }

  /** Makes two zones of the last piece of a zone, half each. */
  async split(zone) {
    const before = copy(zone);
    const pieces = copy(zone.pieces);
    const piece = pieces.findLast((p) => p.light);
    const middle = piece.from + Math.floor((piece.to - piece.from + 1) / 2);
    const rest = { ...piece, from: middle };
    const name = this.free(zone.name);
    piece.to = middle - 1;
    if (rest.to <= piece.from || !await this.ask(zone.name, { pieces })) return;
    await this.ask(name, { pieces: [rest] });
    await this.load();
    did(`${zone.name} is two zones now.`, async () => {
      await this.ask(name, { remove: true });
      await this.ask(before.name, { pieces: before.pieces });
      await this.load();
    });
  }

  /** Removes a zone; the text of the show file brings it back with its look. */
  async remove(zone) {
    const before = await get('api/v1/show');
    const { mark } = await ask('PUT', path(zone.name), { remove: true });
    await this.load();
    did(`The zone ${zone.name} is removed; its LEDs are dark.`, async () => { await ask('POST', 'api/v1/show', { text: before.text, mark }); await this.load(); });
  }
}
