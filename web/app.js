// The page: shows the messages of K1.

import { Beats } from './beats.js';
import { Gallery, Palettes, Params } from './controls.js';
import { Bars, Notes, Spark, Strip, Waterfall, calm, mood } from './draw.js';
import { Firmware } from './firmware.js';
import { Lights, dropped } from './lights.js';
import { Link, get } from './link.js';
import { DELAY, Speaker } from './sound.js';
import { Asker } from './token.js';

const $ = (id) => document.getElementById(id);

function toast(text) {
  $('toast').textContent = text;
  $('toast').hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $('toast').hidden = true; }, 6000);
}

const strip = new Strip($('strip'));
const waterfall = new Waterfall($('waterfall'));
const spectrum = new Bars($('spectrum'));
const notes = new Notes($('chroma'));
let gallery, palettes, params, settings;

// Each figure: field of the vitals, name, digits, unit, target value.
const FIGURES = [
  ['fps', 'Frames per second', 1, '', (v) => v.fps_target],
  ['fps_p1', '99 % of frames reach', 1, 'FPS', (v) => v.fps_target],
  ['jitter_ms', 'Frame jitter, p99', 2, 'ms'],
  ['longest_gap_ms', 'Longest gap', 1, 'ms'],
  ['age_ms', 'Age of the sound, median', 1, 'ms'],
  ['age_p99_ms', 'Age of the sound, p99', 1, 'ms'],
  ['render_us', 'Rendering a frame', 0, 'µs'],
  ['hop_us', 'Hearing a hop of 8 ms', 0, 'µs'],
  ['hop_rate', 'Hops per second', 1, ''],
];
const past = [];
const cards = FIGURES.map(([, name, , unit]) => {
  const card = document.createElement('div');
  card.className = 'card';
  card.innerHTML = '<b>–</b> <small></small><br><small></small><canvas aria-hidden="true"></canvas>';
  const [value, unitText, label] = card.querySelectorAll('b, small');
  unitText.textContent = unit;
  label.textContent = name;
  $('figures').append(card);
  return { value, spark: new Spark(card.querySelector('canvas')) };
});

let lights;
function figures(v) {
  if (v) {
    past.push(v);
    if (past.length > 120) past.shift();
  }
  if (!past.length) return;
  const newest = past[past.length - 1];
  FIGURES.forEach(([key, , digits, , target], i) => {
    cards[i].value.textContent = newest[key].toFixed(digits);
    cards[i].spark.paint(past.map((p) => p[key]), target?.(newest));
  });
  const n = (x) => x.toLocaleString('en');
  $('counts').textContent = `Since the start: ${n(newest.frames)} frames, ${dropped(lights)}${n(newest.late_frames)} late, `
    + `${n(newest.handoff_retries)} hand-off retries, ${n(newest.torn)} torn, ${n(newest.overruns)} overruns, ${n(newest.underruns)} underruns, `
    + `${n(newest.allocations)} allocations in the loops.` + (skew === null ? '' : ` Sound and light are ${Math.abs(skew).toFixed(0)} ms apart.`);
}

function show(s) {
  settings = s;
  const pattern = gallery?.show(s.pattern);
  palettes?.show(s.params.palette_id);
  params?.show(s.params);
  if (!pattern) return;
  params.name(pattern);
  const own = pattern.own_palette !== null;
  $('own-palette').hidden = !own;
  if (own) $('own-palette').textContent = `${pattern.name} has its own palette; your choice applies to other patterns.`;
}

const lamps = new Lights($('lights'));
const asker = new Asker($('ask-token'), () => {
  link.anew();
  describe();
});
const firmware = new Firmware($('firmware'), toast);
const link = new Link({
  open() {
    $('link').textContent = 'live';
    $('link').dataset.state = 'open';
    document.body.classList.remove('stale');
    asker.close();
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
      $('source').textContent = m.hello.source;
      $('version').textContent = `K1 ${m.hello.version}`;
      // A lamp cannot run a renderer for each pattern, so show names without pictures.
      $('gallery').classList.toggle('names', m.hello.thumbnails === false);
      if (m.hello.takes_firmware) firmware.look();
      past.length = 0;
      past.push(...m.hello.history);
      figures();
    }
    if (m.status) {
      lights = m.status.lights;
      lamps.show(lights, m.status.uptime_s);
      if (m.status.source) $('source').textContent = m.status.source;
      source(m.status.live_sound);
      figures(m.status.vitals);
      firmware.progress(m.status.receiving);
    }
    if (m.settings) show(m.settings);
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
    } else if (kind === 3) gallery?.thumbnails(view);
  },
});

/** Clears all values that are unknown while there is no connection. */
function gone(text) {
  $('link').textContent = text;
  $('link').dataset.state = 'closed';
  document.body.classList.add('stale');
  clear();
}

/** Shows the source, or why no sound arrives. Files and built-in music have no such state. */
function source(live) {
  if (!live) return;
  const line = $('source');
  line.textContent = live.connected ? live.name : `waiting for sound: ${live.reason}`;
  line.title = line.textContent;
  line.classList.toggle('waiting', !live.connected);
}
const speaker = new Speaker(link);
const compared = new Beats($('beats'), link, speaker);
link.want({ fps: calm.matches ? 10 : 60 });
calm.addEventListener('change', () => link.want({ fps: calm.matches ? 10 : 60 }));

/** Asks K1 once for its patterns, palettes and parameters. */
let described = false;
async function describe() {
  if (described) return;
  described = true;
  try {
    // One request at a time, because a lamp serves only a few connections at once.
    const p = await get('api/patterns');
    const c = await get('api/palettes');
    const t = await get('api/v1/params');
    const { name } = await get('api/v1/setup');
    if (name !== 'k1') document.title = `${name} – K1`;
    gallery = new Gallery($('gallery'), p.patterns, link);
    palettes = new Palettes($('palettes'), c.palettes, link);
    params = new Params($('params'), t.params, link);
    if (settings) show(settings);
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

/** Shows a dot for each beat of the bar, the current one lit, and the section as a word. */
function bar(beats, position, section) {
  const dots = $('dots');
  if (dots.childElementCount !== beats) {
    dots.replaceChildren(...Array.from({ length: beats }, () => document.createElement('i')));
    dots.ariaLabel = beats ? `${beats} beats in a bar` : null;
  }
  [...dots.children].forEach((dot, i) => dot.classList.toggle('now', !calm.matches && i === Math.floor(position)));
  $('section').textContent = ['', 'steady', 'build', 'drop', 'break'][section] ?? '';
}

function clear() {
  queue.length = 0;
  beats = null;
  skew = null;
  strip.dark();
  compared.clear();
  for (const id of ['bpm', 'sure-text', 'rms']) $(id).textContent = '–';
  for (const id of ['sure', 'level']) $(id).style.transform = 'scaleX(0)';
  $('input').hidden = true;
  bar(0, 0, 0);
}

function paint(view, now) {
  const leds = view.getUint16(2, true);
  const at = view.getFloat64(4, true);
  const f = (i) => view.getFloat32(12 + 4 * i, true);
  const bytes = (from, n) => new Uint8Array(view.buffer, view.byteOffset + from, n);
  const rgb = bytes(140, leds * 3);
  strip.paint(rgb, leds);
  if (!calm.matches) waterfall.paint(rgb, leds, now);
  if (now - lastTint > 120) {
    lastTint = now;
    document.documentElement.style.setProperty('--glow', mood(rgb).join(' '));
  }
  spectrum.paint(bytes(64, 64));
  notes.paint(bytes(128, 12));
  const [level, rms, confidence, bpm] = [f(0), f(1), f(6), f(9)];
  $('bpm').textContent = bpm > 0 ? bpm.toFixed(1) : '–';
  $('sure').style.transform = `scaleX(${bpm > 0 ? confidence : 0})`;
  $('sure-text').textContent = bpm > 0 ? `${Math.round(confidence * 100)} %` : '–';
  $('level').style.transform = `scaleX(${level})`;
  $('rms').textContent = rms.toFixed(0);
  const input = ['', 'clipping: turn the source down', 'no signal'][view.getUint8(60)];
  $('input').hidden = !input;
  $('input').textContent = input ?? '';
  const tail = 140 + leds * 3;
  bar(view.getUint8(tail + 4), view.getFloat32(tail, true), view.getUint8(tail + 6));
  const count = view.getUint32(52, true);
  if (beats !== null && count !== beats) pulse = 1;
  beats = count;
  const measured = speaker.skew(at);
  if (measured !== null) skew = skew === null ? measured : skew * 0.9 + measured * 0.1;
}

let before = performance.now();
function tick(now) {
  requestAnimationFrame(tick);
  const dot = $('beat').firstElementChild;
  pulse *= Math.exp((before - now) / 160);
  before = now;
  if (!calm.matches) {
    dot.style.opacity = 0.12 + 0.88 * pulse;
    dot.style.transform = `scale(${0.4 + 0.6 * pulse})`;
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
$('reset').onclick = () => { if (params) link.set(params.defaults()); };


document.addEventListener('keydown', (event) => {
  if (event.target.matches('input[type="password"]') || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = { '[': () => gallery?.step(-1), ']': () => gallery?.step(1), ',': () => palettes?.step(-1), '.': () => palettes?.step(1), m: toggleSpeaker, t: compared.root.open && ((e) => { if (!e.repeat) compared.tap(e.timeStamp); }) }[event.key.toLowerCase()];
  if (act) { event.preventDefault(); act(event); }
});

// For tests: what the page has shown.
window.k1 = { link, speaker, compared, get skew() { return skew; }, get shown() { return { settings, beats, figures: past.length }; } };
