// Everything that only the program has: lights, zones and the choice of the input. A lamp has no code for them.

import './places.js';
import { el } from '../controls.js';
import { hanging } from '../light.js';
import { get } from '../link.js';
import { Inputs } from './inputs.js';
import { Lights } from './lights.js';
import { Hung } from './plan.js';
import { listen } from './undo.js';

const view = (name) => document.getElementById(`v-${name}`);

const style = (href) => document.head.append(Object.assign(el('link'), { rel: 'stylesheet', href }));
style('room/room.css');
hanging.Scene = Hung;

export class Room {
  /** `play` has the lists of patterns and palettes, `views` the views of the page; `hasShow` is true with a show file. */
  constructor({ play, views, toast, hasShow }) {
    Object.assign(this, { play, views, toast, hasShow });
    listen(toast);
    this.inputs = new Inputs(view('hearing'), toast);
    this.shown();
  }

  /** Shows the lights, if there are any or may be. */
  lights(lights, uptime) {
    this.views.allow(['lights'], this.hasShow || lights.length > 0);
    this.lamps ??= new Lights(view('lights'), this.toast, this.hasShow);
    this.lamps.show(lights, uptime);
  }

  /** Takes the zones; a K1 without a show file has one without a name. Their places are read once there is a plan. */
  zones(zones) {
    this.all = zones;
    const has = zones.length > 1 || Boolean(this.hasShow && zones[0].name);
    this.views.allow(['zones'], has);
    if (!this.hasShow || !has) return;
    if (this.hung) return this.hung.show(zones);
    // K1 tells of zones several times while they change, and answers the same question once in a tenth of a second.
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.hang(), 300);
  }

  /** Puts the places of the plan to the zones, which the wall shows. */
  async hang() {
    const plan = await get('api/v1/plan').catch(() => null);
    for (const zone of this.all) zone.place ??= plan?.zones.find((z) => z.name === zone.name)?.place ?? null;
  }

  /** The view that is shown has changed. */
  shown(name = this.views.name) {
    this.inputs.open(name === 'hearing');
    if (name === 'zones') this.plan();
  }

  /** Loads what edits the zones when somebody first looks at them. */
  async plan() {
    if (this.hung || this.isLoading) return;
    this.isLoading = true;
    style('plan/plan.css');
    const { Zones } = await import('../plan/zones.js');
    this.hung = new Zones(view('zones'), this.play, this.toast);
    this.hung.show(this.all);
  }

  /** Paints the newest light and sound. */
  paint(name, zones, message) {
    if (name === 'zones') this.hung?.paint(zones);
    if (name === 'hearing') this.inputs.hear(message.getFloat32(16, true));
  }
}
