// Where sound comes from: the sources of this machine with their levels, and the choice of one.

import { arrows, button, check, el, field, radio } from '../controls.js';
import { ask, get } from '../link.js';
import { did } from './undo.js';

const KINDS = { demo: 'plays by itself', mic: 'microphone', monitor: 'what this computer plays', stream: 'stream', file: 'file', stdin: 'standard input' };
/** Seconds that K1 listens to all sources. */
const LISTEN_S = 8;
/** Quietest level of a meter in dBFS. */
const FLOOR = -72;

export class Inputs {
  constructor(root, toast) {
    Object.assign(this, { toast, rows: new Map(), painted: 0 });
    this.all = button('quiet', 'Listen to all', () => this.listen());
    this.list = el('div', 'inputs');
    this.list.setAttribute('role', 'radiogroup');
    this.list.setAttribute('aria-label', 'Input');
    arrows(this.list, () => {});
    this.note = el('p', 'note');
    const place = field('A stream or a file', 'text', 'http://radio.example/stream.mp3');
    const input = place.querySelector('input');
    const form = el('form', 'panel fields', '', place, el('button', 'plain', 'Hear it'));
    form.onsubmit = (event) => {
      event.preventDefault();
      if (input.value.trim()) this.choose(input.value.trim(), input.value.trim());
      else input.focus();
    };
    root.querySelector('.music').after(el('section', 'choose', '', el('h2', '', 'Input', this.all),
      this.list, this.note, el('details', '', '', el('summary', '', 'Something else'), form)));
  }

  /** The view is shown, or no more. */
  open(is) {
    if (is && !this.isOpen) this.load();
    this.isOpen = is;
  }

  async load() {
    try {
      this.show(await get('api/v1/inputs'));
    } catch (e) {
      this.note.textContent = e.message;
    }
  }

  /** Listens to all sources for a while, and shows their levels as they come. */
  async listen() {
    this.all.disabled = true;
    try {
      let answer = await ask('POST', 'api/v1/inputs/listen', { seconds: LISTEN_S });
      for (;;) {
        this.show(answer);
        if (!answer.listening || !this.isOpen) break;
        await new Promise((later) => setTimeout(later, 250));
        answer = await get('api/v1/inputs');
      }
    } catch (e) {
      this.toast(e.message);
    }
    this.all.disabled = false;
  }

  show({ inputs, listening, trouble }) {
    this.inputs = inputs;
    this.note.textContent = trouble ? `No live sound: ${trouble}.` : listening ? 'Listening. The right one moves with the music.' : '';
    for (const [source, row] of this.rows) {
      if (!inputs.some((i) => i.source === source)) { row.item.remove(); this.rows.delete(source); }
    }
    for (const i of inputs) this.paint(this.rows.get(i.source) ?? this.row(i), i);
    check(this.list, this.rows.get(inputs.find((i) => i.current)?.source)?.item);
  }

  row({ source, name }) {
    const [about, bar, mark, figure] = [el('small'), el('i'), el('s'), el('small', 'num')];
    const item = radio('input', el('b', '', name), about, el('span', 'track', '', bar, mark), figure);
    item.onclick = () => this.choose(source, name);
    const row = { item, about, bar, mark, figure };
    this.list.append(item);
    this.rows.set(source, row);
    return row;
  }

  paint(row, i) {
    row.about.textContent = [KINDS[i.kind], ...(i.default ? ['default'] : []), ...(i.trouble ? [i.trouble] : [])].join(', ');
    row.about.classList.toggle('warn', Boolean(i.trouble));
    row.item.disabled = !i.again && !i.current;
    row.mark.hidden = i.loudest_dbfs === null;
    row.mark.style.left = `${100 * share(i.loudest_dbfs)}%`;
    this.level(row, i.level_dbfs, i.loudest_dbfs);
  }

  level(row, db, loudest = null) {
    row.bar.style.transform = `scaleX(${share(db)})`;
    const shown = db ?? loudest;
    row.figure.textContent = shown === null ? '' : shown <= FLOOR ? 'silent' : `${Math.round(shown)} dB`;
  }

  /** The level of the source that K1 hears now, with each frame. */
  hear(db) {
    const row = this.rows.get(this.inputs?.find((i) => i.current)?.source);
    if (!row || performance.now() - this.painted < 120) return;
    this.painted = performance.now();
    this.level(row, db);
  }

  async choose(source, name) {
    const before = this.inputs?.find((i) => i.current);
    if (this.busy || before?.source === source) return;
    this.busy = true;
    try {
      const { changed, trouble } = await ask('PUT', 'api/v1/input', { source });
      if (!changed) this.toast(`${name} cannot be heard: ${trouble}.`);
      else if (!before?.again) this.toast(`K1 hears ${name}.`);
      else did(`K1 hears ${name}.`, async () => { await ask('PUT', 'api/v1/input', { source: before.source }); this.load(); });
      if (changed && trouble) this.note.textContent = trouble;
    } catch (e) {
      this.toast(e.message);
    }
    this.busy = false;
    this.load();
  }
}

/** The part of a meter that a level fills. */
function share(db) {
  return db === null ? 0 : Math.max(0, Math.min(1, 1 - db / FLOOR));
}
