// The zones as they hang: each with its light, its pattern and its pieces.

import { button, el, say } from '../controls.js';
import { Scene, isSquare } from '../light.js';

export class Zones {
  /** `play` shows the controls of a zone. */
  constructor(root, play) {
    Object.assign(this, { play, cards: new Map() });
    this.list = el('ul', 'rows zones');
    root.append(el('section', '', '', el('h2', '', 'Zones'), this.list));
  }

  /** Shows the zones; each has name, leds, shape and pattern. */
  show(zones, patterns) {
    const keys = zones.map((z) => `${z.name} ${z.shape} ${z.leds}`);
    for (const [key, card] of this.cards) {
      if (!keys.includes(key)) { card.row.remove(); this.cards.delete(key); }
    }
    zones.forEach((zone, i) => {
      let card = this.cards.get(keys[i]);
      if (!card) this.cards.set(keys[i], card = this.card(zone));
      card.about.textContent = `${patterns?.find((p) => p.id === zone.pattern)?.name ?? zone.pattern}, ${zone.leds} LEDs`;
    });
  }

  card(zone) {
    const canvas = el('canvas', isSquare(zone) ? 'square' : '');
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', `The light of ${zone.name}, live`);
    const about = el('span', 'note');
    const row = el('li', '', '', canvas, el('b', '', zone.name), about,
      el('div', 'acts', '', button('plain', 'Change its look', () => {
        this.play.target.choose(zone.name);
        location.hash = '#play';
        say(`The controls change ${zone.name}.`);
      })));
    this.list.append(row);
    return { row, about, scene: new Scene(canvas, { wall: true }) };
  }

  /** Paints the newest light of every zone. */
  paint(zones) {
    for (const zone of zones) this.cards.get(`${zone.name} ${zone.shape} ${zone.leds}`)?.scene.paint([zone]);
  }
}
