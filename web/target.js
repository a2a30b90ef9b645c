// The zones, and the one (or all) that the controls change.

/** Pause between two messages of a slider, in ms. */
const BREATH = 40;

export class Target {
  /** `changed` is called when the zones, their looks, or the choice have changed. */
  constructor(link, changed) {
    Object.assign(this, { link, changed, zones: [], chosen: null, waiting: {} });
    /** Pattern and parameters of a K1 that has told no zones. */
    this.only = null;
  }

  /** Takes K1's list of zones; each has name, leds, pattern and params. */
  list(zones) {
    this.zones = zones;
    if (!zones.some((z) => z.name === this.chosen)) this.chosen = null;
    this.changed();
  }

  /** Takes the look of the first zone. */
  first(settings) {
    this.only = settings;
    if (this.zones.length) Object.assign(this.zones[0], { pattern: settings.pattern, params: settings.params });
    this.changed();
  }

  /** Chooses a zone by name; null means all of them. */
  choose(name) {
    this.chosen = name;
    this.changed();
  }

  get isAll() { return this.zones.length > 1 && this.chosen === null; }

  /** The look that the controls show: { pattern, params }, or null. */
  get look() { return this.zones.find((z) => z.name === this.chosen) ?? this.zones[0] ?? this.only; }

  /** Sends a command for each zone that is meant. */
  post(command) {
    const meant = this.zones.filter((z) => this.chosen === null || z.name === this.chosen);
    if (meant.length < 2 && !(meant[0] && meant[0] !== this.zones[0])) return this.link.post(command);
    for (const { name } of meant) this.link.post({ zone: name, ...command });
  }

  /** Sends parameters; the latest wins. At most 25 messages a second, however fast a slider moves. */
  set(params) {
    const idle = Object.keys(this.waiting).length === 0;
    Object.assign(this.waiting, params);
    if (idle) setTimeout(() => {
      this.post({ params: this.waiting });
      this.waiting = {};
    }, BREATH);
  }
}
