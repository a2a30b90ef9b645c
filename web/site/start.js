// The first moments: choosing a sound, and what to say when a browser refuses one.

import { $ } from './controls.js';
import { ready } from './link.js';

const root = $('start');
const buttons = new Map([...root.querySelectorAll('[data-sound]')].map((button) => [button.dataset.sound, button]));

/** Says what has happened and what to do; a message stays until the next one. */
function tell(text = '') { $('told').textContent = text; }

/** Marks the sound that plays, and makes the invitation small. */
function playing(name, sound) {
  document.body.classList.add('plays');
  for (const [other, button] of buttons) button.setAttribute('aria-pressed', other === name);
  buttons.get('pause').hidden = !sound.canPause;
  paused(false);
}

function paused(is) {
  const button = buttons.get('pause');
  button.setAttribute('aria-pressed', is);
  button.querySelector('.short').textContent = is ? 'Go on' : 'Pause';
}

/** Starts a sound, or says why it does not start; then the built-in music goes on silently. */
async function begin(name, start) {
  const { sound } = await ready;
  tell();
  const button = buttons.get(name);
  button.disabled = true;
  try {
    await start(sound);
    playing(name, sound);
  } catch (e) {
    tell(e.message);
    if (!sound.context) return;
    // A context that was opened for nothing would stand in the way of the light.
    if (!sound.ear) { sound.stop(); sound.preview(); }
  } finally {
    button.disabled = false;
  }
}

/** Plays the files that sound like music. */
function songs(list) {
  const files = [...list].filter((file) => !/^(image|text)\//.test(file.type));
  if (!files.length) return tell(list.length ? 'That is not a sound. Drop a song: MP3, FLAC, Ogg, WAV, M4A.' : '');
  begin('file', (sound) => sound.files(files, (name, unplayed) => {
    const not = unplayed.length ? `This browser cannot play ${unplayed.join(', ')}. MP3, FLAC, WAV and Opus work in every browser. ` : '';
    tell(name ? not : `${not}${unplayed.length < files.length ? 'That was the end. Drop another song, or choose a sound.' : 'Drop another song, or choose a sound.'}`);
    if (!name) buttons.get('pause').hidden = true;
  }));
}

buttons.get('demo').onclick = () => begin('demo', (sound) => sound.demo());
buttons.get('microphone').onclick = () => begin('microphone', (sound) => sound.microphone());
buttons.get('screen').onclick = () => begin('screen', (sound) => sound.screen());
buttons.get('file').onclick = () => $('songs').click();
$('songs').onchange = () => { songs($('songs').files); $('songs').value = ''; };
buttons.get('pause').onclick = async () => {
  const { sound } = await ready;
  await sound.pause(!sound.isPaused);
  paused(sound.isPaused);
};
// Only where the browser can do it.
buttons.get('screen').hidden = !navigator.mediaDevices?.getDisplayMedia;

/** Lets a button open the form of a light, whose module comes when it is asked for. */
function opens(name, form, module) {
  const button = root.querySelector(`[data-light="${name}"]`);
  button.onclick = async () => {
    form.hidden = !form.hidden;
    button.setAttribute('aria-expanded', !form.hidden);
    const { Light } = await import(module);
    button.light ??= new Light(form, await ready);
  };
  return button;
}

// Real LEDs, where the browser can reach them.
opens('serial', $('strip-here'), './strip.js').hidden = !('serial' in navigator);
opens('wled', $('wled-here'), './wled.js');

// A look is shared as a link; its module comes when it is needed.
$('share').onclick = async () => {
  const { share } = await import('./look.js');
  const link = await share();
  try {
    await navigator.clipboard.writeText(link);
    $('share').textContent = 'The link is copied';
    setTimeout(() => { $('share').textContent = 'Copy a link to this look'; }, 3000);
  } catch {
    // A page that came over http may not write to the clipboard.
    tell(link);
  }
};

/** Shows the look that the address names. */
async function named() {
  if (!location.hash.startsWith('#look?')) return;
  const link = await ready;
  const { wear } = await import('./look.js');
  await wear(link, location.hash).catch((e) => tell(e.message));
}
addEventListener('hashchange', named);
named();

// A file may be dropped anywhere.
addEventListener('dragover', (event) => {
  event.preventDefault();
  document.body.classList.add('drop');
});
addEventListener('dragleave', (event) => { if (!event.relatedTarget) document.body.classList.remove('drop'); });
addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('drop');
  songs(event.dataTransfer.files);
});

// The page's own key for the sound means a K1 elsewhere; here it pauses.
addEventListener('keydown', (event) => {
  if (event.key !== 'm' || event.target.matches('input:not([type="range"]), textarea, select') || event.ctrlKey || event.metaKey || event.altKey) return;
  event.stopImmediatePropagation();
  if (!buttons.get('pause').hidden) buttons.get('pause').click();
}, true);

ready.then(({ sound }) => { sound.broke = tell; });

if ('serviceWorker' in navigator) navigator.serviceWorker.register('sw.js').catch(() => { /* It works without, but not offline. */ });
