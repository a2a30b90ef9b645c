// The views of the page, one at a time: the address says which.

/** Shows the view that the address names, and tells `shown` its name. */
export class Views {
  constructor(nav, shown) {
    this.links = new Map([...nav.querySelectorAll('a')].map((a) => [a.hash.slice(1), a]));
    this.shown = shown;
    addEventListener('hashchange', () => this.turn());
    this.turn();
  }

  /** Makes views reachable that this K1 can fill, and hides the others. */
  allow(names, possible) {
    for (const name of names) this.links.get(name).hidden = !possible;
    this.turn();
  }

  turn() {
    const wanted = location.hash.slice(1);
    const link = this.links.get(wanted);
    const name = link && !link.hidden ? wanted : 'play';
    if (name === this.name) return;
    const first = this.name === undefined;
    this.name = name;
    for (const [other, a] of this.links) {
      document.getElementById(`v-${other}`).hidden = other !== name;
      if (other === name) a.setAttribute('aria-current', 'page');
      else a.removeAttribute('aria-current');
    }
    if (!first) scrollTo(0, 0);
    this.shown(name);
  }
}
