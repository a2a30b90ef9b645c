// The lights as rulers of their LEDs: the pieces of zones on them are moved, pulled and turned.

import { button, el } from '../controls.js';
import { Row, Surface } from '../draw.js';

/** Keys that move a value, and by how many LEDs. */
const STEPS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };

/** The light of the LEDs of one light. */
class Ruler extends Surface {
  constructor(canvas) { super(canvas); this.row = new Row(); }
  paint(rgb, leds) {
    this.ctx.imageSmoothingEnabled = leds > this.w / 4;
    this.ctx.drawImage(this.row.put(rgb, leds), 0, 0, this.w, this.h);
  }
}

/** Follows a finger or a mouse from `element`: `move(dx)` with the way in pixels since the beginning. */
export function drag(element, { begin, move, end }) {
  element.addEventListener('pointerdown', (event) => {
    if (event.button) return;
    element.setPointerCapture(event.pointerId);
    const { clientX, clientY } = event;
    begin();
    const follow = (e) => move(e.clientX - clientX, e.clientY - clientY);
    const stop = () => {
      for (const [kind, act] of [['pointermove', follow], ['pointerup', stop], ['pointercancel', stop]]) element.removeEventListener(kind, act);
      end();
    };
    element.addEventListener('pointermove', follow);
    element.addEventListener('pointerup', stop);
    element.addEventListener('pointercancel', stop);
  });
}

export class Pieces {
  /** `choose(zone name)` selects a zone. */
  constructor(root, edit, choose) {
    Object.assign(this, { root, edit, choose, rulers: new Map() });
  }

  /** Shows the lights and their pieces; those of the chosen zone have grips. */
  show(chosen) {
    this.chosen = chosen;
    const { lights, zones } = this.edit;
    const key = JSON.stringify([lights, chosen, zones.map((z) => [z.name, z.pieces.length])]);
    if (key !== this.key) {
      this.key = key;
      this.build();
    }
    for (const ruler of this.rulers.values()) {
      for (const part of ruler.parts) this.place(ruler, part);
      this.frees(ruler);
    }
  }

  build() {
    const kept = document.activeElement?.dataset.grip;
    this.rulers.clear();
    this.root.replaceChildren(...this.edit.lights.map((light) => {
      const canvas = el('canvas');
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', `The LEDs of ${light.name}, live`);
      const bar = el('div', 'ruler', '', canvas);
      const free = el('div', 'acts');
      const parts = [];
      for (const zone of this.edit.zones) {
        zone.pieces.forEach((piece, index) => {
          if (piece.light === light.name) parts.push(this.part(light, zone.name, index, bar));
        });
      }
      this.rulers.set(light.name, { light, bar, free, parts, row: new Ruler(canvas) });
      return el('li', '', '', el('b', '', light.name), bar, el('p', 'ends', '', el('span', '', '0'), el('span', '', `${light.leds - 1}`)), free);
    }));
    if (kept) this.root.querySelector(`[data-grip="${CSS.escape(kept)}"]`)?.focus();
  }

  /** The zone and the piece of a part, as they are now. */
  of({ name, index }) {
    const zone = this.edit.zone(name);
    return [zone, zone?.pieces[index]];
  }

  part(light, name, index, bar) {
    const part = { name, index, block: button('block', '', () => this.choose(name)), grips: [] };
    const { block } = part;
    const leds = (dx) => Math.round(dx * light.leds / bar.clientWidth);
    let from = 0;
    block.dataset.grip = `${name} ${index}`;
    drag(block, {
      begin: () => { [, { from }] = this.of(part); },
      move: (dx) => { const [zone, piece] = this.of(part); if (leds(dx) || piece.from !== from) this.edit.slide(zone, piece, from + leds(dx)); },
      end: () => this.edit.rest(),
    });
    block.onkeydown = (event) => {
      const [zone, piece] = this.of(part);
      const step = STEPS[event.key];
      if (event.key.toLowerCase() === 'r' && !event.ctrlKey && !event.metaKey) this.edit.turn(zone);
      else if (step && event.shiftKey) this.edit.pull(zone, piece, 'to', piece.to + step);
      else if (step) this.edit.slide(zone, piece, piece.from + step);
      else return;
      event.preventDefault();
    };
    bar.append(block);
    if (name === this.chosen) part.grips = ['from', 'to'].map((end) => this.grip(light, part, end, leds, bar));
    return part;
  }

  /** What pulls one end of a piece. */
  grip(light, part, end, leds, bar) {
    const grip = el('span', `grip ${end}`);
    grip.tabIndex = 0;
    grip.dataset.grip = `${part.name} ${part.index} ${end}`;
    grip.setAttribute('role', 'slider');
    grip.setAttribute('aria-label', `${end === 'from' ? 'First' : 'Last'} LED of ${part.name} on ${light.name}`);
    grip.setAttribute('aria-valuemin', 0);
    grip.setAttribute('aria-valuemax', light.leds - 1);
    let led = 0;
    const pull = (to) => { const [zone, piece] = this.of(part); this.edit.pull(zone, piece, end, to); };
    drag(grip, {
      begin: () => { led = this.of(part)[1][end]; },
      move: (dx) => { if (leds(dx) || this.of(part)[1][end] !== led) pull(led + leds(dx)); },
      end: () => this.edit.rest(),
    });
    grip.onkeydown = (event) => {
      const now = this.of(part)[1][end];
      const to = { Home: 0, End: light.leds - 1 }[event.key] ?? (STEPS[event.key] && now + STEPS[event.key]);
      if (to === undefined) return;
      event.preventDefault();
      pull(to);
    };
    bar.append(grip);
    return grip;
  }

  /** Puts a part where its LEDs are. */
  place({ light }, part) {
    const [, piece] = this.of(part);
    if (!piece) return;
    const [left, right] = [100 * piece.from / light.leds, 100 * (piece.to + 1) / light.leds];
    const { block, grips } = part;
    block.style.left = `${left}%`;
    block.style.width = `${right - left}%`;
    block.textContent = piece.reversed ? `◂ ${part.name}` : `${part.name} ▸`;
    block.setAttribute('aria-pressed', part.name === this.chosen);
    block.ariaLabel = block.title = `${part.name}: LEDs ${piece.from} to ${piece.to} of ${light.name}${piece.reversed ? ', turned round' : ''}`;
    grips.forEach((grip, i) => {
      grip.style.left = `${i ? right : left}%`;
      grip.setAttribute('aria-valuenow', i ? piece.to : piece.from);
    });
  }

  /** Buttons that make zones of LEDs that no zone has. */
  frees({ light, free }) {
    const taken = this.edit.zones.flatMap((z) => z.pieces).filter((p) => p.light === light.name).sort((a, b) => a.from - b.from);
    const found = [];
    let at = 0;
    for (const { from, to } of [...taken, { from: light.leds, to: light.leds }]) {
      if (from > at) found.push({ light: light.name, from: at, to: from - 1 });
      at = Math.max(at, to + 1);
    }
    const key = JSON.stringify(found);
    if (key === free.dataset.key) return;
    free.dataset.key = key;
    free.replaceChildren(...found.map((f) => button('plain', `Make a zone of LEDs ${f.from}–${f.to}`, async () => {
      const made = await this.edit.make(f);
      if (made) this.choose(made);
    })));
  }

  /** Paints the newest light of the zones on the rulers. */
  paint(zones) {
    const rows = new Map([...this.rulers].map(([name, { light }]) => [name, new Uint8Array(3 * light.leds)]));
    for (const zone of zones) {
      const plan = this.edit.zone(zone.name);
      if (!plan) continue;
      const pixels = (p) => p.gap ?? Math.ceil(Math.ceil((p.to - p.from + 1) / p.repeat) / p.group);
      const stretched = plan.pieces.reduce((sum, p) => sum + pixels(p), 0) > plan.pixels;
      let first = 0;
      for (const p of plan.pieces) {
        const row = rows.get(p.light);
        const leds = p.to - p.from + 1;
        for (let i = 0; row && i < leds; i++) {
          const k = p.reversed ? leds - 1 - i : i;
          const pixel = stretched ? Math.floor(k * zone.leds / leds) : first + Math.floor((k % Math.ceil(leds / p.repeat)) / p.group);
          for (let c = 0; c < 3; c++) row[3 * (p.from + i) + c] = zone.rgb[3 * pixel + c];
        }
        first += pixels(p);
      }
    }
    for (const [name, { light, row }] of this.rulers) row.paint(rows.get(name), light.leds);
  }
}
