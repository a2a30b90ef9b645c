// The firmware of a lamp: the running image, the result of the last update, updating and rolling back.

import { ask, get } from './link.js';

const STATES = { on_trial: 'on trial', confirmed: 'found good by itself', not_tried: 'never tried: it came by cable' };

export class Firmware {
  /** `section` is hidden on a K1 without firmware; `toast` shows refusals. */
  constructor(section, toast) {
    this.section = section;
    this.toast = toast;
    this.part = (name) => section.querySelector(`[data-part="${name}"]`);
    this.part('file').onchange = (event) => this.send(event.target);
    this.part('back').onclick = () => this.back();
  }

  /** Loads the state, again and again while a verdict is due. */
  async look() {
    clearTimeout(this.timer);
    let now;
    try {
      now = await get('api/v1/firmware');
    } catch (e) {
      // A lamp that restarts sends a new greeting.
      if (e.status === 429) this.timer = setTimeout(() => this.look(), 1500);
      return;
    }
    this.section.hidden = false;
    const name = (image) => (image ? `${image.version} (${image.hash.slice(0, 8)})` : 'firmware without a name');
    this.part('runs').textContent = `${name(now.running)} on ${now.board}, in ${now.slot}: ${STATES[now.state]}`;
    this.part('armed').textContent = now.rollback === 'armed'
      ? 'This lamp rolls a bad update back by itself.'
      : 'This lamp cannot roll a bad update back by itself: its rollback is not armed.';
    const last = now.last;
    const went = last?.outcome === 'rolled_back';
    this.part('last').textContent = now.refused ? `The last update was refused: ${now.refused}`
      : went ? `${last.version} was tried and went back: ${last.reason}` : '';
    const back = this.part('back');
    back.hidden = !now.other || now.state === 'on_trial';
    back.textContent = `Roll back to ${now.other?.version}`;
    this.part('keys').textContent = now.keys.length
      ? `Accepts updates signed by ${now.keys.map((k) => k.slice(0, 8)).join(' or ')}.`
      : 'Accepts no updates yet, because it trusts no key. Run: k1 keys trust';
    this.part('file').disabled = !now.keys.length || now.state === 'on_trial';
    this.progress(now.receiving);
    if (now.state === 'on_trial') this.timer = setTimeout(() => this.look(), 2500);
  }

  /** Shows the progress of an incoming update; undefined or null if there is none. */
  progress(receiving) {
    const bar = this.part('bar');
    bar.hidden = !receiving;
    if (receiving) {
      bar.max = receiving.size;
      bar.value = receiving.received;
    }
  }

  async send(input) {
    const [file] = input.files;
    if (!file) return;
    input.disabled = true;
    try {
      await ask('PUT', 'api/v1/firmware', file);
      this.toast(`${file.name} is in; the lamp restarts and tries it.`);
    } catch (e) {
      this.toast(e.status ? e.message : 'The connection to the lamp broke during the upload; nothing has changed. Send the file again.');
    }
    input.value = '';
    this.look();
  }

  async back() {
    if (!confirm(`${this.part('back').textContent}? The lamp restarts.`)) return;
    try {
      await ask('POST', 'api/v1/rollback', {});
    } catch (e) {
      this.toast(e.message);
    }
  }
}
