// Scenes, the playlist that moves through them, and timers.

import { button, el, field, gradient } from '../controls.js';
import { ask, get } from '../link.js';
import { did, listen, undoButton } from './undo.js';

const PERIODS = [['1 bar', 'every bar'], ['2 bars', '2 bars'], ['4 bars', '4 bars'], ['8 bars', '8 bars'], ['16 bars', '16 bars'], ['32 bars', '32 bars'],
  ['section', 'when the music changes'], ['30 s', '30 seconds'], ['90 s', '90 seconds'], ['5 min', '5 minutes'], ['30 min', '30 minutes']];
const DAYS = [['mon', 'Mon'], ['tue', 'Tue'], ['wed', 'Wed'], ['thu', 'Thu'], ['fri', 'Fri'], ['sat', 'Sat'], ['sun', 'Sun']];
const path = (name) => `api/v1/scenes/${encodeURIComponent(name)}`;

/** A choice between values, each [value, words]. */
function select(text, values, chosen, change) {
  const box = el('select');
  for (const [value, words] of values) box.append(Object.assign(el('option', '', words), { value }));
  if (![...box.options].some((o) => o.value === chosen)) box.append(Object.assign(el('option', '', chosen), { value: chosen }));
  box.value = chosen;
  box.onchange = () => change(box.value);
  return el('label', 'field', text, box);
}

/** A switch with its words. */
function toggle(text, on, change) {
  const box = Object.assign(el('input'), { type: 'checkbox', checked: on });
  box.onchange = () => change(box.checked);
  return el('label', 'check', '', box, text);
}

export class Scenes {
  /** `root` is the view, `tiles` the place on Play; `palettes` are K1's, for the colours of a scene. */
  constructor(root, tiles, palettes, toast) {
    Object.assign(this, { tiles, palettes, toast, scenes: [], current: null, playlist: null, timers: null });
    listen(toast);
    this.now = el('section');
    this.list = el('ul', 'rows');
    this.order = el('section');
    this.times = el('section');
    root.append(this.now, el('section', '', '', el('h2', '', 'Scenes', undoButton()), this.list), this.order, this.times);
    tiles.querySelector('[data-part="next"]').onclick = () => this.do('POST', 'api/v1/playlist/next', {});
    this.save();
  }

  /** Sends a change and tells why it was refused; true if it was not. */
  async do(method, route, body) {
    try {
      await ask(method, route, body);
      return true;
    } catch (e) {
      this.toast(e.message);
      return false;
    }
  }

  /** Takes what K1 says of the scenes: the current one, and that their list has changed. */
  async told({ current, scenes }) {
    const names = scenes.join('\n');
    this.current = current;
    if (names !== this.names || !current) await this.load();
    this.names = names;
    this.paint();
  }

  /** Reads the scenes with their looks. */
  async load() {
    try {
      Object.assign(this, await get('api/v1/scenes'));
    } catch (e) {
      this.scenes = [];
    }
    this.paint();
  }

  /** Takes what K1 says of the playlist. */
  async heard(playlist) {
    const first = !this.playlist;
    this.playlist = { ...this.playlist, ...playlist };
    if (first) {
      Object.assign(this.playlist, await get('api/v1/playlist').catch(() => ({})));
      this.timers = await get('api/v1/timers').catch(() => null);
      this.paintTimers();
    }
    this.paintPlaylist();
  }

  /** The colours of a scene as a background: the palettes of its looks below each other. */
  colours(scene) {
    const looks = Object.values(scene.looks);
    const palette = (look) => this.palettes.find((p) => p.name === look.palette) ?? this.palettes[0];
    return looks.map((look, i) => `${gradient(palette(look).colors)} 0 ${looks.length > 1 ? 100 * i / (looks.length - 1) : 0}% / 100% ${100 / looks.length + 0.5}% no-repeat`).join() || '#2a2833';
  }

  recall(name) { return this.do('POST', `${path(name)}/recall`, {}); }

  /** The form that saves what is shown. */
  save() {
    const name = field('Name of the scene', 'text', 'Dinner');
    const form = el('form', 'fields', '', name, el('button', 'main', 'Save what is shown'));
    form.onsubmit = async (event) => {
      event.preventDefault();
      const input = name.querySelector('input');
      const own = input.value.trim();
      if (!own) return input.focus();
      const before = this.scenes.find((s) => s.name === own);
      if (await this.do('PUT', path(own), {})) {
        did(`The scene ${own} is saved.`, () => (before ? this.put(own, before) : this.drop(own)));
        input.value = '';
        this.load();
      }
    };
    this.now.replaceChildren(el('h2', '', 'Save a scene'), form);
  }

  paint() {
    this.tiles.hidden = !this.scenes.length;
    const known = this.scenes.map((s) => `${s.name} ${s.fade_s} ${JSON.stringify(s.looks)}`).join();
    if (known !== this.painted) {
      this.painted = known;
      this.tiles.querySelector('.tiles').replaceChildren(...this.scenes.map((s) => {
        const tile = button('tile', '', () => this.recall(s.name));
        tile.append(el('b', '', s.name));
        tile.style.background = this.colours(s);
        tile.dataset.scene = s.name;
        return tile;
      }));
      this.list.replaceChildren(...this.scenes.map((s) => this.card(s)));
      if (this.playlist) this.paintPlaylist();
      if (this.timers) this.paintTimers();
    }
    for (const tile of document.querySelectorAll('[data-scene]')) tile.setAttribute('aria-pressed', tile.dataset.scene === this.current);
  }

  card(s) {
    const strip = el('i', 'colours');
    strip.style.background = this.colours(s);
    const show = button('plain', 'Show', () => this.recall(s.name));
    show.dataset.scene = s.name;
    const fade = field('Fade in seconds', 'number');
    const input = Object.assign(fade.querySelector('input'), { value: s.fade_s, min: 0, step: 0.5 });
    input.onchange = async () => {
      if (await this.do('PUT', path(s.name), { fade_s: Number(input.value) })) did(`${s.name} fades in ${input.value} s.`, () => this.put(s.name, s));
    };
    const name = field('Name');
    const own = Object.assign(name.querySelector('input'), { value: s.name });
    own.onchange = () => this.rename(s, own.value.trim());
    const zones = Object.keys(s.looks).filter(Boolean);
    return el('li', '', '', strip, el('b', '', s.name), el('span', 'note', zones.join(', ')),
      el('div', 'acts', '', show, button('plain', 'Replace by what is shown', async () => {
        if (!await this.do('PUT', path(s.name), {})) return;
        did(`${s.name} is what is shown now.`, () => this.put(s.name, s));
        this.load();
      })),
      el('details', '', '', el('summary', '', 'More'), el('div', 'fields', '', name, fade,
        button('plain', 'Delete', async () => {
          if (await this.drop(s.name)) did(`${s.name} is deleted.`, () => this.put(s.name, s));
        }))));
  }

  /** Writes a scene as it was read. */
  async put(name, { fade_s, brightness, looks }) {
    const done = await this.do('PUT', path(name), { fade_s, ...(brightness === null ? {} : { brightness }), looks });
    this.load();
    return done;
  }

  async drop(name) {
    const done = await this.do('DELETE', path(name));
    this.load();
    return done;
  }

  async rename(s, name) {
    if (!name || name === s.name) return;
    if (await this.move(s, name)) did(`The scene ${s.name} is called ${name}.`, () => this.move({ ...s, name }, s.name));
  }

  async move(s, name) {
    if (!await this.put(name, s)) return false;
    const scenes = this.playlist?.scenes?.map((other) => (other === s.name ? name : other));
    if (scenes) await this.setPlaylist({ scenes });
    return this.drop(s.name);
  }

  /** Changes the playlist because a person wants it. */
  async wantPlaylist(change) {
    const before = Object.fromEntries(Object.keys(change).map((key) => [key, this.playlist[key]]));
    if (await this.setPlaylist(change)) did('The playlist is changed.', () => this.setPlaylist(before), true);
  }

  async setPlaylist(change) {
    const done = await this.do('PUT', 'api/v1/playlist', change);
    if (done) Object.assign(this.playlist, change);
    this.paintPlaylist();
    return done;
  }

  paintPlaylist() {
    const p = this.playlist;
    const next = this.tiles.querySelector('[data-part="next"]');
    next.hidden = !p.on;
    this.tiles.querySelector('[data-part="next-up"]').textContent = p.on && p.next ? `Then ${p.next}${p.left ? ` in ${p.left}` : ''}` : '';
    const key = JSON.stringify([p.on, p.scenes, p.every, p.shuffle, this.scenes.map((s) => s.name)]);
    if (key === this.playlistKey) return;
    this.playlistKey = key;
    const chosen = p.scenes?.length ? p.scenes : this.scenes.map((s) => s.name);
    const list = this.scenes.map((s) => toggle(s.name, chosen.includes(s.name), (on) => this.wantPlaylist({
      scenes: this.scenes.map((other) => other.name).filter((other) => (other === s.name ? on : chosen.includes(other))),
    })));
    this.order.replaceChildren(el('h2', '', 'Playlist', button('quiet', 'Next', () => this.do('POST', 'api/v1/playlist/next', {}))),
      el('div', 'panel fields', '', toggle('Move through the scenes', p.on, (on) => this.wantPlaylist({ on })),
        select('Every', PERIODS, p.every ?? '8 bars', (every) => this.wantPlaylist({ every })),
        toggle('Shuffle', p.shuffle, (shuffle) => this.wantPlaylist({ shuffle }))),
      el('div', 'acts', '', ...list));
  }

  async wantTimers(timers) {
    const before = this.timers.timers;
    if (await this.setTimers(timers)) did('The timers are changed.', () => this.setTimers(before), true);
  }

  async setTimers(timers) {
    const done = await this.do('PUT', 'api/v1/timers', { timers });
    if (done) Object.assign(this.timers, await get('api/v1/timers').catch(() => ({ timers })));
    this.paintTimers();
    return done;
  }

  paintTimers() {
    if (!this.timers) return;
    const { timers, now } = this.timers;
    const without = (i) => timers.filter((_, at) => at !== i);
    const rows = timers.map((t, i) => el('li', '', '', el('b', '', `${t.at} ${t.do}`),
      el('span', 'note', t.days?.length && t.days.length < 7 ? t.days.join(', ') : 'every day'),
      el('div', 'acts', '', button('plain', 'Remove', () => this.wantTimers(without(i))))));
    const at = field('Time', 'time');
    const what = select('Does', [['on', 'Light on'], ['off', 'Light off'], ['playlist', 'Start the playlist'], ['stop playlist', 'Stop the playlist'],
      ...this.scenes.map((s) => [`scene ${s.name}`, `Show ${s.name}`])], 'on', () => {});
    const days = DAYS.map(([day, word]) => {
      const chip = button('chip', word, () => chip.setAttribute('aria-pressed', chip.getAttribute('aria-pressed') !== 'true'));
      chip.setAttribute('aria-pressed', 'true');
      chip.dataset.day = day;
      return chip;
    });
    const form = el('form', 'panel', '', el('div', 'fields', '', at, what), el('div', 'acts', '', ...days, el('button', 'main', 'Add the timer')));
    form.onsubmit = (event) => {
      event.preventDefault();
      const chosen = days.filter((d) => d.getAttribute('aria-pressed') === 'true').map((d) => d.dataset.day);
      if (!at.querySelector('input').value || !chosen.length) return this.toast('A timer needs a time and a day.');
      this.wantTimers([...timers, { at: at.querySelector('input').value, do: what.querySelector('select').value, ...(chosen.length < 7 ? { days: chosen } : {}) }]);
    };
    this.times.replaceChildren(el('h2', '', 'Timers', el('small', '', now ? `It is ${now}.` : '')), el('ul', 'rows', '', ...rows), form);
  }
}
