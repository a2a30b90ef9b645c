// The view for every day: brightness, pattern, palette, parameters, for one zone or for all.

import { $, Gallery, Palettes, Params, arrows, check, radio } from './controls.js';
import { ask } from './link.js';
import { Target } from './target.js';

/** Pause between two changes of the brightness, in ms. */
const REST = 125;

export class Play {
  constructor(link, toast) {
    Object.assign(this, { link, toast });
    this.target = new Target(link, () => this.show());
    arrows($('targets'), (item) => item.click());
    $('reset').onclick = () => { if (this.params) this.target.set(this.params.defaults()); };
    this.whole = null;
    this.slider = $('bright');
    this.slider.oninput = () => {
      const brightness = Number(this.slider.value);
      this.paintBrightness(brightness);
      if (this.whole) this.change({ brightness });
      else this.target.set({ brightness });
    };
    $('power').onclick = () => this.change({ on: !this.whole.on });
  }

  /** Takes on, off and brightness of all zones together, on a K1 that has them. */
  power(whole) {
    this.whole = whole;
    $('power').hidden = false;
    $('power').setAttribute('aria-pressed', whole.on);
    document.body.classList.toggle('off', !whole.on);
    this.show();
  }

  /** Sends a change of the whole light; the latest wins, at most eight a second. */
  async change(change) {
    const idle = !this.waits;
    this.waits = { ...this.waits, ...change };
    if (!idle) return;
    await new Promise((later) => setTimeout(later, 'on' in change ? 0 : REST));
    const wanted = this.waits;
    this.waits = null;
    await ask('PUT', 'api/v1/power', 'on' in wanted ? wanted : { ...wanted, fade_s: 0.1 }).catch((e) => this.toast(e.message));
  }

  paintBrightness(value) {
    const text = `${Math.round(100 * value)} %`;
    this.slider.parentElement.style.setProperty('--at', value);
    this.slider.setAttribute('aria-valuetext', text);
    $('bright-value').textContent = text;
  }

  showBrightness(look) {
    // With a brightness of the whole light, that of a zone is a parameter as any other.
    this.params.rows.get('brightness').box.hidden = !this.whole;
    this.slider.disabled = false;
    if (this.slider.matches(':active')) return;
    const value = this.whole?.brightness ?? look.params.brightness;
    this.slider.value = value;
    this.paintBrightness(value);
  }

  /** Builds the choices from K1's lists. */
  build(patterns, palettes, table) {
    this.gallery = new Gallery($('gallery'), patterns, this.target, this.link);
    this.palettes = new Palettes($('palettes'), palettes, this.target);
    this.params = new Params($('params'), $('more'), table, this.target);
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
    this.showBrightness(look);
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
