// What was changed, newest last, and the way back: a button in each view, Ctrl+Z, and the button of the message.

import { $, button } from '../controls.js';

/** Most changes that can be taken back. */
const MOST_CHANGES = 50;

const done = [];
const buttons = new Set();
let tell = null;

function paintButtons() {
  const last = done.at(-1);
  for (const item of buttons) {
    item.hidden = !last;
    item.title = item.ariaLabel = last ? `Undo: ${last.text}` : '';
  }
}

/** Takes back a change, the last one if none is named. */
export async function undo(change = done.at(-1)) {
  if (!change || change.undone) return;
  change.undone = true;
  done.splice(done.indexOf(change), 1);
  paintButtons();
  try {
    // What was refused is told already.
    if (await change.back() !== false) tell(`Taken back: ${change.text}`);
  } catch (e) {
    tell(e.message);
  }
}

/** Notes a change that `back` takes back, and tells it unless `quietly`. */
export function did(text, back, quietly = false) {
  const change = { text, back };
  done.push(change);
  if (done.length > MOST_CHANGES) done.shift();
  paintButtons();
  if (!quietly) tell(text, () => undo(change));
}

/** A button that takes the last change back; hidden while there is none. */
export function undoButton() {
  const item = button('quiet', 'Undo', () => undo());
  buttons.add(item);
  paintButtons();
  return item;
}

/** Tells messages by `toast`, and listens to Ctrl+Z, from the first call on. */
export function listen(toast) {
  if (tell) return;
  tell = toast;
  addEventListener('keydown', (event) => {
    const types = event.target.matches('input:not([type="range"], [type="checkbox"]), textarea');
    if (event.key !== 'z' || !(event.ctrlKey || event.metaKey) || event.shiftKey || types || !done.length) return;
    event.preventDefault();
    $('toast').hidden = true;
    undo();
  });
}
