// The view for every day: brightness, pattern, palette, parameters, for one zone or for all.

import { $, Gallery, Palettes, Params, arrows, check, radio } from './controls.js';
import { Target } from './target.js';

export class Play {
  constructor(link) {
    this.link = link;
    this.target = new Target(link, () => this.show());
    arrows($('targets'), (item) => item.click());
    $('reset').onclick = () => { if (this.params) this.target.set(this.params.defaults()); };
  }

  /** Builds the choices from K1's lists. */
  build(patterns, palettes, table) {
    this.gallery = new Gallery($('gallery'), patterns, this.target, this.link);
    this.palettes = new Palettes($('palettes'), palettes, this.target);
    this.params = new Params({ near: $('params'), more: $('more'), bright: document.querySelector('.bright') }, table, this.target);
    this.show();
  }

  /** Shows the look of the chosen zone. */
  show() {
    this.showTargets();
    const { look } = this.target;
    if (!look || !this.params) return;
    const pattern = this.gallery.show(look.pattern);
    this.palettes.show(look.params.palette_id);
    this.params.show(look.params);
    this.params.name(pattern);
    $('about').textContent = pattern.description;
    const own = pattern.own_palette !== null;
    $('own-palette').hidden = !own;
    if (own) $('own-palette').textContent = `${pattern.name} has its own palette; your choice applies to other patterns.`;
  }

  /** Shows the zones to choose from, if there are several. */
  showTargets() {
    const { zones } = this.target;
    $('targets').hidden = zones.length < 2;
    const names = [null, ...zones.map((z) => z.name)];
    const group = $('targets');
    const known = [...group.children].map((item) => item.dataset.zone ?? null);
    if (known.join('\n') !== names.join('\n')) {
      group.replaceChildren(...names.map((name) => {
        const item = radio('chip', name ?? 'All zones');
        if (name !== null) item.dataset.zone = name;
        item.onclick = () => this.target.choose(name);
        return item;
      }));
    }
    check(group, [...group.children].find((item) => (item.dataset.zone ?? null) === this.target.chosen));
  }

  step(what, by) { this[what]?.step(by); }
}
