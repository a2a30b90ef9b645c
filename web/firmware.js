// The firmware of a lamp: what runs, what became of the last update, and the way there and back.

import { ask, get } from './link.js';

const STATES = { on_trial: 'on trial', confirmed: 'found good by itself', not_tried: 'never tried: it came by cable' };

export class Firmware {
  /** `section` is hidden where there is no firmware to speak of; `toast` tells of refusals. */
  constructor(section, toast) {
    this.section = section;
    this.toast = toast;
    this.part = (name) => section.querySelector(`[data-part="${name}"]`);
    this.part('file').onchange = (event) => this.send(event.target);
    this.part('back').onclick = () => this.back();
  }

  /** Asks anew; comes again while a verdict is due. */
  async look() {
    clearTimeout(this.timer);
    let now;
    try {
      now = await get('api/v1/firmware');
    } catch (e) {
      // A lamp that restarts greets again.
      if (e.status === 429) this.timer = setTimeout(() => this.look(), 1500);
      return;
    }
    this.section.hidden = false;
    const name = (image) => (image ? `${image.version} (${image.hash.slice(0, 8)})` : 'firmware without a name');
    this.part('runs').textContent = `${name(now.running)} on ${now.board}, in ${now.slot}: ${STATES[now.state]}`;
    this.part('armed').textContent = now.rollback === 'armed'
      ? 'A bad update goes back by itself.'
      : 'This lamp does not go back by itself: its rollback is not armed.';
    const last = now.last;
    const went = last?.outcome === 'rolled_back';
    this.part('last').textContent = now.refused ? `The last update was refused: ${now.refused}`
      : went ? `${last.version} was tried and went back: ${last.reason}` : '';
    const back = this.part('back');
    back.hidden = !now.other || now.state === 'on_trial';
    back.textContent = `Go back to ${now.other?.version}`;
    this.part('keys').textContent = now.keys.length
      ? `Takes what ${now.keys.map((k) => k.slice(0, 8)).join(' or ')} has signed.`
      : 'Takes no update yet, because it trusts no key: k1 keys trust';
    this.part('file').disabled = !now.keys.length || now.state === 'on_trial';
    this.progress(now.receiving);
    if (now.state === 'on_trial') this.timer = setTimeout(() => this.look(), 2500);
  }

  /** An update on its way in, by whatever door; undefined or null if none. */
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
      this.toast(e.status ? e.message : 'The lamp was lost while the file was on its way; nothing has changed. Send it again.');
    }
    input.value = '';
    this.look();
  }

  async back() {
    if (!confirm(`${this.part('back').textContent}? The lamp restarts.`)) return;
    try {
      await ask('POST', 'api/v1/rollback', '{}');
    } catch (e) {
      this.toast(e.message);
    }
  }
}
