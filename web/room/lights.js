// The lights: their states, finding and adding them, and the order of their colours.

import { $, button, el, field, say } from '../controls.js';
import { ask, get } from '../link.js';
import { did, undoButton } from './undo.js';

const WORDS = { shining: 'shining', looking: 'looking for it', unreachable: 'not reached', failed: 'failed' };
const COLOURS = { r: 'red', g: 'green', b: 'blue' };
/** Seconds that a picture stays for a question. */
const LOOK_S = 30;

/** A time span for people: 45 s, 12 min, 3.5 h. */
function span(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** What changes a light of the show. */
const CHANGE = 'api/v1/lights/change';

/** The time of the last question for the lights. */
let asked = 0;

/** The lights of the show. K1 answers this question once in a tenth of a second, so the next one waits. */
async function lightsNow() {
  const at = Math.max(performance.now(), asked + 140);
  asked = at;
  await new Promise((later) => setTimeout(later, at - performance.now()));
  return (await get('api/v1/lights')).lights;
}

const count = (x) => x.toLocaleString('en');

export class Lights {
  /** `toast(text, undo)` tells something; `has` is true if this K1 keeps its lights in a show file. */
  constructor(root, toast, has) {
    Object.assign(this, { toast, has, rows: new Map() });
    this.list = el('ul', 'rows');
    this.find = button('main', 'Find lights', () => this.search());
    this.found = el('ul', 'rows');
    this.searching = el('p', 'note');
    this.searching.setAttribute('role', 'status');
    root.append(el('section', '', '', el('h2', '', 'Lights', undoButton()), this.list));
    if (has) root.append(el('section', '', '', el('h2', '', 'Add a light'), this.find, this.searching, this.found, this.byHand()));
    this.asks = el('div', 'asks');
    this.dialog = el('dialog', 'panel', '', this.asks);
    root.append(this.dialog);
    this.dialog.onclose = () => {
      // What was told while the dialog was open stays readable.
      document.body.append($('toast'));
      this.test('blink', 0.1);
    };
  }

  /** Shows K1's list of lights. */
  show(lights, uptime) {
    const names = new Set((lights ?? []).map((l, i) => `${i} ${l.name}`));
    for (const [key, row] of this.rows) {
      if (!names.has(key)) { row.remove(); this.rows.delete(key); }
    }
    (lights ?? []).forEach((l, i) => this.paint(this.row(`${i} ${l.name}`, l.name), l, uptime));
  }

  row(key, name) {
    if (!this.rows.has(key)) {
      const row = el('li', '', '', el('b'), el('span', 'state'), el('small', 'num'));
      if (this.has) row.append(this.actions(name));
      this.list.append(row);
      this.rows.set(key, row);
    }
    return this.rows.get(key);
  }

  actions(name) {
    return el('div', 'acts', '',
      button('plain', 'Identify', () => this.test('blink', 4, name)),
      button('plain', 'Set up', () => this.setUp(name)));
  }

  paint(row, l, uptime) {
    const [name, state, counts] = row.children;
    const since = `for ${span(uptime - l.since_s)}`;
    const why = l.reason ? `: ${l.reason}` : '';
    const where = l.address && !l.name.endsWith(l.address) ? ` at ${l.address}` : '';
    row.dataset.state = l.state;
    name.textContent = l.name;
    state.textContent = l.state === 'shining' ? `${WORDS.shining}${where} ${since}` : `${WORDS[l.state] ?? l.state} ${since}${why}`;
    const missed = [[l.dropped, 'dropped'], [l.errors, 'not sent']].filter(([times]) => times);
    counts.textContent = [`${count(l.shown)} frames`, ...missed.map(([times, what]) => `${count(times)} ${what}`)].join(', ');
  }

  /** Shows a picture on a light for some seconds. */
  async test(picture, seconds, name = this.now) {
    try {
      // K1 takes a light over within half a second after the show file has changed.
      for (let tries = 0; tries < 6; tries++) {
        const light = (await lightsNow()).find((l) => l.name === name);
        if (!light) return;
        if (light.state) return await ask('POST', 'api/v1/lights/test', { light: name, picture, seconds });
        await new Promise((later) => setTimeout(later, 250));
      }
    } catch (e) {
      this.toast(e.message);
    }
  }

  /** Searches the network, and lists what is not in the show yet. */
  async search() {
    this.find.disabled = true;
    this.searching.textContent = 'Searching …';
    try {
      await ask('POST', 'api/v1/lights/find', {});
      let answer;
      do {
        await new Promise((later) => setTimeout(later, 400));
        answer = await get('api/v1/lights/find');
      } while (answer.searching);
      const known = (await lightsNow()).map((l) => l.to);
      const fresh = answer.found.filter((l) => l.to && !known.includes(l.to));
      this.searching.textContent = answer.trouble ?? (fresh.length ? `${fresh.length} found that ${fresh.length === 1 ? 'is' : 'are'} not in the show yet.`
        : 'No other light answers. WLED is found by itself; add others by their address.');
      this.found.replaceChildren(...fresh.map((l) => this.offer(l)));
    } catch (e) {
      this.searching.textContent = e.message;
    }
    this.find.disabled = false;
  }

  /** A light that was found: one press adds it. */
  offer(l) {
    const size = l.matrix ? `${l.matrix.join(' × ')} LEDs` : l.leds ? `${l.leds} LEDs` : l.trouble ?? 'It does not tell its number of LEDs.';
    const row = el('li', '', '', el('b', '', l.name), el('span', 'state', `${size}, ${l.to}`));
    if (l.leds) row.append(el('div', 'acts', '', button('main', `Add ${l.name}`, async () => { if (await this.add(l)) row.remove(); })));
    return row;
  }

  /** Adds a light under a name that no other has, and shows which one it is. */
  async add({ name, to, leds, matrix }) {
    const lights = await lightsNow();
    let own = name;
    for (let n = 2; lights.some((l) => l.name === own); n++) own = `${name} ${n}`;
    const done = await this.write('api/v1/lights', { name: own, to, leds, ...(matrix ? { matrix } : {}) }, `${own} is added.`, { light: own, remove: true });
    if (done) this.setUp(own);
    return done;
  }

  byHand() {
    const [name, to, leds] = [field('Name'), field('Address', 'text', 'ddp://192.168.1.40'), field('Number of LEDs', 'number', '60')];
    const form = el('form', 'panel fields', '', name, to, leds, el('button', 'plain', 'Add'));
    form.onsubmit = (event) => {
      event.preventDefault();
      const [n, t, l] = [name, to, leds].map((f) => f.querySelector('input').value.trim());
      const known = ['ddp', 'artnet', 'sacn', 'wled', 'adalight', 'tpm2'].some((kind) => t.startsWith(`${kind}:`));
      this.add({ name: n || t, to: known ? t : `ddp://${t}`, leds: Number(l) });
    };
    return el('details', '', '', el('summary', '', 'By its address'), form);
  }

  /** Changes the show file, and offers to take the change back: by `back`, or else by the text before. True if it was written. */
  async write(path, body, told, back) {
    try {
      const before = await get('api/v1/show');
      const { written, faults, mark } = await ask('POST', path, body);
      if (!written) this.toast(faults[0]);
      else did(told, async () => {
        const done = await (back ? ask('POST', CHANGE, back) : ask('POST', 'api/v1/show', { text: before.text, mark }));
        if (!done.written) throw new Error(done.faults[0]);
        // It may show a name that is gone.
        this.dialog.close();
      });
      return written;
    } catch (e) {
      this.toast(e.message);
      return false;
    }
  }

  change(body, told, back) {
    return this.write(CHANGE, { light: this.now, ...body }, told, back && { light: this.now, ...back });
  }

  /** Asks about a light: its name, which end is first, and its colours. */
  setUp(light) {
    this.now = light;
    const name = field('Name');
    const input = name.querySelector('input');
    input.value = light;
    const form = el('form', 'fields', '', name, el('button', 'main', 'Rename'));
    form.onsubmit = async (event) => {
      event.preventDefault();
      const wanted = input.value.trim();
      if (wanted && wanted !== this.now && await this.change({ name: wanted }, `Its name is ${wanted}.`, { light: wanted, name: this.now })) this.setUp(wanted);
    };
    this.asks.replaceChildren(
      el('h2', '', light, button('plain', 'Done', () => this.dialog.close())),
      form,
      el('div', 'acts', '',
        button('plain', 'Identify', () => this.test('blink', 4)),
        button('plain', 'Which end is first?', () => this.askEnd()),
        button('plain', 'Which colour do you see?', () => this.askColours()),
        button('plain', 'Remove', async () => { if (await this.change({ remove: true }, `${light} is removed.`)) this.dialog.close(); })));
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.append($('toast'));
    this.test('blink', 3);
  }

  /** A question with answers; each answer is [word, action]. */
  question(text, answers) {
    const line = el('p', '', text);
    this.asks.replaceChildren(el('h2', '', this.now, button('plain', 'Back', () => this.setUp(this.now))), line,
      el('div', 'acts', '', ...answers.map(([word, act]) => button('main', word, act))));
    say(text);
  }

  /** Lights the first LED alone. */
  askEnd() {
    this.test('first', LOOK_S);
    this.question('One LED is lit. Does the zone begin there?', [
      ['Yes', () => this.setUp(this.now)],
      ['No, turn it round', async () => { await this.change({ turn: true }, `${this.now} is turned round.`, { turn: true }); this.setUp(this.now); }],
    ]);
  }

  /** Finds the order of the colours from what a person sees: each channel that K1 drives, and the colour that shines. */
  async askColours() {
    const lights = await lightsNow().catch(() => []);
    const now = lights.find((l) => l.name === this.now)?.order;
    if (!now) return;
    const seen = [...now];
    const next = async (asked) => {
      await this.test(COLOURS[asked], LOOK_S);
      const open = Object.keys(COLOURS).filter((c) => !answered.has(c));
      this.question(`Which colour do you see on ${this.now}?`, open.map((c) => [COLOURS[c], () => answer(asked, c)]));
    };
    const answered = new Set();
    const answer = async (asked, colour) => {
      seen[now.indexOf(asked)] = colour;
      answered.add(colour);
      if (answered.size < 2) return next('g');
      seen[now.indexOf('b')] = Object.keys(COLOURS).find((c) => !answered.has(c));
      const order = seen.join('');
      if (order === now) this.toast('The order of its colours is right.');
      else await this.change({ order }, `The order of its colours is ${order.toUpperCase()}.`, { order: now });
      this.setUp(this.now);
    };
    next('r');
  }
}
