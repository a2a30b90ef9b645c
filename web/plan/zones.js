// The zones as they hang: on a plan, and on the rulers of their lights. Both are changed by finger, mouse and keyboard.

import { button, el, field, say } from '../controls.js';
import { isSquare } from '../light.js';
import { ask } from '../link.js';
import { Hung, box, longest, places } from '../room/plan.js';
import { undoButton } from '../room/undo.js';
import { Edit } from './edit.js';
import { Pieces, drag } from './pieces.js';

/** How far an arrow key moves a zone on the plan, as a share of it. */
const STEP = 0.02;
const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
/** Smallest target for a finger in px. */
const FINGER = 48;

export class Zones {
  /** `play` shows the controls of a zone. */
  constructor(root, play, toast) {
    Object.assign(this, { play, toast, zones: [], hung: new Map(), chosen: null });
    this.canvas = el('canvas');
    this.canvas.setAttribute('role', 'img');
    this.canvas.setAttribute('aria-label', 'The zones where they hang, live');
    this.plan = el('div', 'plan', '', this.canvas);
    this.about = el('div', 'panel one');
    this.lights = el('ul', 'rulers');
    this.edit = new Edit(toast, () => this.changed());
    this.pieces = new Pieces(this.lights, this.edit, (name) => this.choose(name));
    root.append(el('section', '', '', el('h2', '', 'Zones ', el('small', '', 'as they hang'), undoButton()), this.plan,
      el('p', 'note', 'Drag, or press arrow keys: they move a zone. With Shift they change its last LED. R turns it round, Shift+R hangs it upright.')),
    el('section', '', '', this.about), el('section', '', '', el('h2', '', 'LEDs of the lights'), this.lights));
    this.scene = new Hung(this.canvas);
    new ResizeObserver(() => this.changed()).observe(this.plan);
  }

  /** Shows the zones; each has name, leds, shape and pattern. */
  show(zones) {
    this.zones = zones;
    this.edit.load();
    this.changed();
  }

  choose(name) {
    this.chosen = name;
    this.changed();
  }

  /** Draws the plan, the rulers and the chosen zone anew. */
  changed() {
    const { zones, edit } = this;
    for (const zone of zones) zone.place = edit.zone(zone.name)?.place ?? null;
    if (!zones.some((z) => z.name === this.chosen)) this.chosen = zones[0]?.name ?? null;
    for (const [name, item] of this.hung) {
      if (!zones.some((z) => z.name === name)) { item.remove(); this.hung.delete(name); }
    }
    const [w, h, most] = [this.plan.clientWidth, this.plan.clientHeight, longest(zones)];
    const at = this.at = places(zones);
    zones.forEach((zone, i) => {
      const item = this.hung.get(zone.name) ?? this.item(zone.name);
      const { x, y, long, thick, angle } = box(zone, at[i], most, w, h);
      Object.assign(item.style, { left: `${x}px`, top: `${y}px`, width: `${Math.max(FINGER, long)}px`, height: `${Math.max(FINGER, thick)}px`, rotate: `${angle}rad` });
      item.classList.toggle('wide', Boolean(thick));
      item.setAttribute('aria-pressed', zone.name === this.chosen);
    });
    this.pieces.show(this.chosen);
    this.paintChosen();
  }

  /** The zone with its place as it is shown, and its part of the plan. */
  of(name) {
    return { place: this.at[this.zones.findIndex((z) => z.name === name)], zone: this.edit.zone(name) };
  }

  /** Moves or turns a zone on the plan. */
  hang(name, change) {
    const { place, zone } = this.of(name);
    if (!zone) return;
    // The way back leads to where it was shown.
    zone.place ??= place;
    this.edit.hang(zone, change(place));
  }

  item(name) {
    const item = button('hung', '', () => this.choose(name));
    item.append(el('span', '', name));
    item.ariaLabel = `${name}, on the plan`;
    let from = null;
    drag(item, {
      begin: () => { this.choose(name); from = this.of(name).place; },
      move: (dx, dy) => {
        const moved = { x: from.x + dx / this.plan.clientWidth, y: from.y + dy / this.plan.clientHeight };
        // A press is not a move.
        if (Math.abs(dx) + Math.abs(dy) > 3 || this.edit.gesture) this.hang(name, (place) => ({ ...place, ...moved }));
      },
      end: () => this.edit.rest(),
    });
    item.onkeydown = (event) => {
      const arrow = ARROWS[event.key];
      const { zone } = this.of(name);
      if (!zone || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 'r') this.edit.turn(zone);
      else if (event.key === 'R') this.upright(name);
      else if (arrow && event.shiftKey) this.grow(zone, arrow[0] || -arrow[1]);
      else if (arrow) this.hang(name, (place) => ({ ...place, x: place.x + STEP * arrow[0], y: place.y + STEP * arrow[1] }));
      else return;
      event.preventDefault();
      this.choose(name);
    };
    this.plan.append(item);
    this.hung.set(name, item);
    return item;
  }

  /** Moves the end of a zone by some LEDs. */
  grow(zone, by) {
    const piece = zone.pieces.findLast((p) => p.light);
    const end = piece.reversed ? 'from' : 'to';
    this.edit.pull(zone, piece, end, piece[end] + (piece.reversed ? -by : by));
  }

  upright(name) {
    this.hang(name, (place) => ({ ...place, angle: place.angle + 90 }));
    this.edit.rest();
  }

  /** Shows what can be done with the chosen zone. */
  paintChosen() {
    const zone = this.zones.find((z) => z.name === this.chosen);
    const plan = this.edit.zone(this.chosen);
    this.about.hidden = !plan || !zone;
    if (!plan || !zone) return;
    const pattern = this.play.gallery?.patterns.find((p) => p.id === zone.pattern)?.name ?? zone.pattern;
    const isLevel = this.of(zone.name).place.angle % 180 === 0;
    const key = JSON.stringify([zone.name, pattern, plan.pieces.map((p) => p.light), isSquare(zone), this.zones.length, isLevel]);
    if (key !== this.key) {
      this.key = key;
      const own = (act) => () => act(this.edit.zone(zone.name));
      const blink = async (p) => {
        for (const light of new Set(p.pieces.map((piece) => piece.light).filter(Boolean))) {
          await ask('POST', 'api/v1/lights/test', { light, picture: 'blink', seconds: 3 }).catch((e) => this.toast(e.message));
        }
      };
      this.numbers = plan.pieces.flatMap((piece, index) => (piece.light ? ['from', 'to'].map((end) => this.number(zone.name, piece, index, end)) : []));
      this.size = el('small');
      this.about.replaceChildren(el('h2', '', zone.name, ' ', this.size), el('div', 'fields', '', ...this.numbers.map((n) => n.label)),
        el('div', 'acts', '', button('plain', 'Turn round', own((p) => this.edit.turn(p))), button('plain', isLevel ? 'Hang upright' : 'Hang level', () => this.upright(zone.name)),
          button('plain', 'Identify', own(blink)),
          button('plain', 'Change its look', () => {
            this.play.target.choose(zone.name);
            location.hash = '#play';
            say(`The controls change ${zone.name}.`);
          }),
          ...(plan.fixed ? [] : [button('plain', 'Split in two', own((p) => this.edit.split(p)))]),
          ...(this.zones.length > 1 ? [button('plain', 'Remove', own((p) => this.edit.remove(p).catch((e) => this.toast(e.message))))] : [])));
    }
    this.size.textContent = `${pattern}, ${plan.pieces.reduce((sum, p) => sum + (p.light ? p.to - p.from + 1 : 0), 0)} LEDs`;
    for (const { input, index, end } of this.numbers) {
      if (document.activeElement !== input) input.value = plan.pieces[index]?.[end] ?? '';
    }
  }

  /** A field for the first or the last LED of a piece. */
  number(name, { light }, index, end) {
    const label = field(`${end === 'from' ? 'First' : 'Last'} LED of ${light}`, 'number');
    const input = label.querySelector('input');
    input.min = 0;
    input.onchange = () => {
      const zone = this.edit.zone(name);
      this.edit.pull(zone, zone.pieces[index], end, Number(input.value));
      this.edit.rest();
      input.value = zone.pieces[index][end];
    };
    return { label, input, index, end };
  }

  /** Paints the newest light of every zone. */
  paint(zones) {
    for (const zone of zones) zone.place = this.edit.zone(zone.name)?.place ?? null;
    this.scene.paint(zones);
    this.pieces.paint(zones);
  }
}
