// The page: shows the messages of K1.

import { Beats } from './beats.js';
import { $, button, say } from './controls.js';
import { calm, mood } from './draw.js';
import { Figures } from './figures.js';
import { Firmware } from './firmware.js';
import { Hearing } from './hearing.js';
import { Scene, quality } from './light.js';
import { Link, get } from './link.js';
import { Play } from './play.js';
import { setup } from './setup.js';
import { DELAY, Speaker } from './sound.js';
import { Asker } from './token.js';
import { Views } from './views.js';
import { Wall } from './wall.js';

/** Tells something for a moment; with `undo`, it can be taken back. */
function toast(text, undo) {
  $('toast').replaceChildren(text);
  if (undo) $('toast').append(button('plain', 'Undo', () => { $('toast').hidden = true; undo(); }));
  // A modal dialog covers everything else.
  (document.querySelector('dialog[open]') ?? document.body).append($('toast'));
  $('toast').hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $('toast').hidden = true; }, undo ? 12000 : 6000);
}

const strip = new Scene($('strip'));
const hearing = new Hearing($('v-hearing'));
const figures = new Figures($('figures'), $('counts'));
/** What only the program has: lights, zones, inputs. */
let room = null;
/** The scenes, once K1 tells of them. */
let scenes = null;
const firmware = new Firmware($('firmware'), toast);
const wall = new Wall($('wall'), () => { if (location.hash === '#wall') history.replaceState(null, '', '#play'); });
const asker = new Asker($('ask-token'), () => {
  link.anew();
  describe();
});

/** True if this K1 keeps a show file, which takes lights from the page. */
let hasShow = false;
/** The zones with their newest pixels; a K1 with one zone has one without a name. */
let zones = [{ name: '', leds: 0, rgb: new Uint8Array() }];

const link = new Link({
  open() {
    $('link').textContent = 'live';
    $('link').dataset.state = 'open';
    document.body.classList.remove('stale');
    asker.close();
    announce('Connected to K1.');
    describe();
  },
  closed(seconds, why) {
    gone(`${why ? why.message : 'lost'}; trying again in ${Math.ceil(seconds)} s`);
    // After too many wrong tokens, the right one still works at once.
    if (why?.status === 429) asker.ask();
  },
  refused(why) {
    gone(why.status === 401 ? 'waits for the token' : why.message);
    if (why.status === 401) asker.ask();
  },
  message(m) {
    if (m.hello) {
      source(m.hello.source);
      $('version').textContent = `K1 ${m.hello.version}`;
      // A lamp cannot run a renderer for each pattern, so show names without pictures.
      $('gallery').classList.toggle('names', m.hello.thumbnails === false);
      if (m.hello.takes_firmware) firmware.look();
      hasShow = m.hello.has_show;
      figures.begin(m.hello.history);
    }
    if (m.status) {
      if (m.status.lights) inRoom((r) => r.lights(m.status.lights, m.status.uptime_s));
      if (m.status.source) source(m.status.source);
      live(m.status.live_sound);
      figures.add(m.status.vitals, m.status.lights, skew);
      firmware.progress(m.status.receiving);
    }
    if (m.settings) play.target.first(m.settings);
    if (m.zones) known(m.zones);
    if (m.power) play.power(m.power);
    if (m.scene) scenery((s) => s.told(m.scene));
    if (m.playlist) scenery((s) => s.heard(m.playlist));
    if (m.error) toast(m.error.message);
  },
  binary(view) {
    const kind = view.getUint8(0);
    if (kind === 1) {
      queue.push(view);
      compared.frame(view);
    } else if (kind === 2) {
      speaker.play(view);
      compared.sound(view);
    } else if (kind === 3) play.gallery?.thumbnails(view);
    else if (kind === 4) pixels(view);
  },
});
const play = new Play(link, toast);
const views = new Views($('views'), (name) => {
  document.body.dataset.view = name;
  room?.shown(name);
});

/** Does something in the room, once it is there; a lamp has no code for it. */
async function inRoom(act) {
  const [{ Room }] = await Promise.all([import('./room/room.js'), built]);
  room ??= new Room({ play, views, toast, hasShow });
  act(room);
}

/** Takes the list of zones; their pixels stay. */
async function known(list) {
  await import('./room/places.js');
  zones = list.map((zone, i) => ({ ...zone, rgb: zones[i]?.leds === zone.leds ? zones[i].rgb : new Uint8Array(3 * zone.leds) }));
  play.target.list(list);
  inRoom((r) => r.zones(zones));
}

/** Tells the scenes something, on a K1 that has scenes; a lamp has them, too. */
async function scenery(tell) {
  const [there] = await Promise.all([import('./room/scenes.js'), built]);
  scenes ??= new there.Scenes($('v-scenes'), $('tiles'), play.palettes.palettes, toast);
  views.allow(['scenes'], true);
  tell(scenes);
}

/** Takes the pixels of all zones (see live.rs). */
function pixels(view) {
  const n = view.getUint8(1);
  let at = 2 + 2 * n;
  for (let i = 0; i < n; i++) {
    const leds = view.getUint16(2 + 2 * i, true);
    if (zones[i]) Object.assign(zones[i], { leds, rgb: new Uint8Array(view.buffer, view.byteOffset + at, 3 * leds) });
    at += 3 * leds;
  }
}

/** Tells a screen reader of the connection, at most once in ten seconds, however often it breaks. */
function announce(text) {
  clearTimeout(announce.timer);
  const pause = Math.max(0, (announce.at ?? -Infinity) + 10000 - performance.now());
  announce.timer = setTimeout(() => { announce.at = performance.now(); say(text); }, pause);
}

/** Clears all values that are unknown while there is no connection. */
function gone(text) {
  $('link').textContent = text;
  $('link').dataset.state = 'closed';
  document.body.classList.add('stale');
  announce('The connection to K1 is lost.');
  clear();
}

function source(text, waits = false) {
  for (const line of [$('source'), document.querySelector('.source-name')]) {
    line.textContent = line.title = text;
    line.classList.toggle('waiting', waits);
  }
}

/** Shows the live source, or why no sound arrives. Files and built-in music have no such state. */
function live(sound) {
  if (sound) source(sound.connected ? sound.name : `waiting for sound: ${sound.reason}`, !sound.connected);
}
const speaker = new Speaker(link);
const compared = new Beats($('beats'), link, speaker);
link.want({ fps: calm.matches ? 10 : 60, zones: true });
calm.addEventListener('change', () => link.want({ fps: calm.matches ? 10 : 60 }));

/** Asks K1 once for its patterns, palettes and parameters. */
let described = false;
let isBuilt;
const built = new Promise((done) => { isBuilt = done; });
async function describe() {
  if (described) return;
  described = true;
  try {
    // One request at a time, because a lamp serves only a few connections at once.
    const p = await get('api/patterns');
    const c = await get('api/palettes');
    const t = await get('api/v1/params');
    const own = await get('api/v1/setup');
    if (own.name !== 'k1') document.title = `${own.name} – K1`;
    setup($('setup'), own, toast);
    play.build(p.patterns, c.palettes, t.params);
    isBuilt();
  } catch (e) {
    described = false;
    if (e.status === 401) asker.ask();
    // Another page of this browser has just asked; try again later.
    else if (e.status === 429) setTimeout(describe, 1200);
  }
}

// Frames wait here until they are due: at once, or in time with the sound when the speaker is on.
const queue = [];
let skew = null;
let beats = null;
let pulse = 0;
let lastTint = 0;

function clear() {
  queue.length = 0;
  beats = null;
  skew = null;
  strip.dark();
  hearing.clear();
  compared.clear();
  $('bpm').textContent = '–';
}

function paint(view, now) {
  const leds = view.getUint16(2, true);
  const rgb = new Uint8Array(view.buffer, view.byteOffset + 140, leds * 3);
  Object.assign(zones[0], { leds, rgb });
  if (wall.on) wall.paint(zones, now);
  else {
    strip.paint(zones);
    room?.paint(views.name, zones, view);
    if (views.name === 'hearing') hearing.paint(view, rgb, leds, now);
  }
  if (now - lastTint > 300) {
    lastTint = now;
    tint(mood(rgb));
    const bpm = view.getFloat32(48, true);
    $('bpm').textContent = bpm > 0 ? bpm.toFixed(1) : '–';
  }
  const count = view.getUint32(52, true);
  if (beats !== null && count !== beats) pulse = 1;
  beats = count;
  const measured = speaker.skew(view.getFloat64(4, true));
  if (measured !== null) skew = skew === null ? measured : skew * 0.9 + measured * 0.1;
}

/** Tints the page. Every change makes the browser style and paint all of it, so small ones are left out. */
let tinted = [0, 0, 0];
function tint(colour) {
  if (!colour.some((x, i) => Math.abs(x - tinted[i]) > 12)) return;
  tinted = colour;
  document.documentElement.style.setProperty('--glow', colour.join(' '));
}

/** Makes the light coarser on a device that shows fewer than 25 frames a second for a while. */
let slow = 0;
function watch(ms) {
  slow = ms > 40 && ms < 500 ? slow + 1 : Math.max(0, slow - 1);
  if (slow < 40 || quality.scale < 0.8) return;
  quality.scale = Math.min(quality.scale, devicePixelRatio || 1) / 1.5;
  slow = 0;
}

let before = performance.now();
function tick(now) {
  requestAnimationFrame(tick);
  watch(now - before);
  pulse *= Math.exp((before - now) / 160);
  before = now;
  if (!calm.matches) {
    $('beat').style.opacity = 0.15 + 0.85 * pulse;
    if (views.name === 'hearing') hearing.beat(pulse);
  }
  const due = (view) => {
    if (!speaker.on) return true;
    const local = link.local(view.getFloat64(4, true));
    return local === null || local + DELAY <= performance.now();
  };
  let frame = null;
  while (queue.length && due(queue[0])) frame = queue.shift();
  // A page in the background gets no ticks, so limit the frames that it collects.
  if (queue.length > 240) queue.splice(0, queue.length - 60);
  if (frame) paint(frame, now);
}
requestAnimationFrame(tick);

async function toggleSpeaker() {
  try {
    await speaker.toggle();
  } catch (e) {
    toast(`This browser cannot play sound here: ${e.message}`);
  }
  $('speaker').setAttribute('aria-pressed', speaker.on);
  skew = null;
}
$('speaker').onclick = toggleSpeaker;
$('to-wall').onclick = () => wall.enter();
if (location.hash === '#wall') wall.enter();

document.addEventListener('keydown', (event) => {
  if (event.target.matches('input:not([type="range"]), textarea, select') || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = {
    '[': () => play.step('gallery', -1),
    ']': () => play.step('gallery', 1),
    ',': () => play.step('palettes', -1),
    '.': () => play.step('palettes', 1),
    m: toggleSpeaker,
    f: () => (wall.on ? wall.leave() : wall.enter()),
    t: compared.root.open && ((e) => { if (!e.repeat) compared.tap(e.timeStamp); }),
  };
  const act = keys[event.key.toLowerCase()];
  if (act) { event.preventDefault(); act(event); }
});

// For tests: what the page has shown.
window.k1 = {
  link, speaker, compared, play, wall, views,
  get skew() { return skew; },
  get shown() { return { settings: play.target.look, beats, figures: figures.past.length }; },
};
