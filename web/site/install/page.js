// The page that makes a lamp: firmware, key, cable, network.

import { Chip } from './chip.js';
import { load } from './computing.js';
import { Lamp } from './lamp.js';

const $ = (id) => document.getElementById(id);
const FIRMWARE = new URL('../firmware/', import.meta.url);

/** What the visitor has chosen so far. */
const chosen = { bundle: null, maker: '', about: null, key: null };
/** The lamp on the cable after an installation, or one that was there before. */
let lamp = null;

function tell(step, text, isBad = false) {
  const told = $(`${step}-told`);
  told.textContent = text;
  told.classList.toggle('bad', isBad);
  if (isBad) $(`step-${step}`).classList.remove('done');
}

function done(step, text) {
  tell(step, text);
  $(`step-${step}`).classList.add('done');
}

/** A message as a sentence; a name of a file stays as it is. */
const sentence = ({ message }) => `${message.replace(/^[a-z]+(?=[ ’])/, (word) => word[0].toUpperCase() + word.slice(1))}${/[.!?]$/.test(message) ? '' : '.'}`;
const ready = () => { $('install').disabled = !(chosen.about && chosen.key && navigator.serial); };

/** Opens the chosen bundle, once there is a key to check it with. */
function openBundle(computing) {
  chosen.about = null;
  if (!chosen.bundle) tell('firmware', '');
  else if (!chosen.maker) tell('firmware', 'Now choose its maker’s public key (release.pem). Take it from the maker, not from the place of the bundle.');
  else {
    try {
      const about = computing.open(chosen.maker, chosen.bundle);
      chosen.about = about;
      const from = about.commit ? `, commit ${about.commit.slice(0, 12)}${about.changed ? ' with changes' : ''}` : '';
      const back = about.mayRollBack ? '' : ' Its bootloader does not support trials: this lamp cannot take back a bad update by itself.';
      done('firmware', `K1 ${about.version} for ${about.board}, ${about.bytes.toLocaleString('en')} bytes, signed by its maker ${about.maker}${from}. Its maker says: ${about.proven}.${back}`);
    } catch (e) {
      tell('firmware', `${sentence(e)} Nothing of it was used. Choose it again, or another one, or another key.`, true);
    }
  }
  ready();
}

/** Lists the bundles of this site. */
async function offer(computing) {
  const list = await fetch(new URL('list.json', FIRMWARE)).then((answer) => (answer.ok ? answer.json() : []), () => []);
  $('no-offers').hidden = list.length > 0;
  if (!list.length) return;
  const maker = await fetch(new URL('release.pem', FIRMWARE)).then((answer) => answer.text());
  for (const { file, board, version, bytes } of list) {
    const label = document.createElement('label');
    const radio = Object.assign(document.createElement('input'), { type: 'radio', name: 'firmware', value: file });
    const size = Object.assign(document.createElement('small'), { textContent: `K1 ${version}, ${(bytes / 1e6).toFixed(1)} MB` });
    label.append(radio, board.toUpperCase().replace(/^ESP32/, 'ESP32-'), size);
    radio.onchange = async () => {
      tell('firmware', 'Fetching it…');
      const answer = await fetch(new URL(file, FIRMWARE)).catch(() => null);
      if (!radio.checked) return;
      chosen.bundle = answer?.ok ? new Uint8Array(await answer.arrayBuffer()) : null;
      chosen.maker = maker;
      openBundle(computing);
      if (!chosen.bundle) tell('firmware', 'It could not be fetched. Are you online? Choose it again.', true);
    };
    $('offers').append(label);
  }
}

/** Lets a button choose a file; `use` gets its content. */
function choose(button, input, use) {
  $(button).onclick = () => $(input).click();
  $(input).onchange = async () => {
    const [file] = $(input).files;
    $(input).value = '';
    if (file) use(file, new Uint8Array(await file.arrayBuffer()));
  };
}

function save(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/x-pem-file' }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** The serial port that the visitor chooses. */
async function choosePort() {
  try {
    return await navigator.serial.requestPort();
  } catch (e) {
    if (e.name === 'NotFoundError') throw new Error('No port was chosen. If the list was empty, the cable may carry no data: try another cable or socket, and press the button again.');
    throw new Error('The browser refuses access to serial ports. Allow them for this page in its settings, then press the button again.');
  }
}

/** Puts everything onto the chip; returns the port. */
async function install(computing) {
  await lamp?.close();
  lamp = null;
  const port = await choosePort();
  const erase = $('erase').checked;
  const progress = $('progress');
  const chip = new Chip(port);
  const began = performance.now();
  let wasBegun = false;
  try {
    tell('chip', 'Looking for the chip…');
    const found = await chip.open();
    const need = computing.suits(found.id, found.revision, found.flash);
    await chip.prepare(found.flash || 4 << 20, need.watchdog);
    let kept = '';
    if (!erase && await chip.md5(...need.settings) !== need.blank) {
      tell('chip', 'Reading what the chip remembers…');
      computing.respects(await chip.read(...need.settings));
      kept = ' The lamp keeps what it remembered: network, name, lights and keys.';
    }
    const plan = computing.plan(erase);
    const total = plan.reduce((sum, piece) => sum + piece.bytes, 0);
    let gone = 0;
    const went = (bytes) => { gone += bytes; progress.value = gone / total; };
    progress.hidden = false;
    wasBegun = true;
    for (const [number, { at, bytes, md5 }] of plan.entries()) {
      tell('chip', `${found.name}: ${Math.floor(100 * gone / total)} % installed. Leave the cable in.`);
      // What an interrupted installation has written already stays.
      if (await chip.md5(at, bytes) === md5) {
        went(bytes);
        continue;
      }
      await chip.write(at, computing.piece(number), went);
      if (await chip.md5(at, bytes) !== md5) throw new Error(`The flash does not hold what was written at ${at}: it may be worn out`);
    }
    await chip.restart();
    done('chip', `Installed in ${((performance.now() - began) / 1000).toFixed(0)} s, and compared by the chip itself.${kept}`);
    $('erase-choice').hidden = true;
    return port;
  } catch (e) {
    if (/keys of its own/.test(e.message)) {
      $('erase-choice').hidden = false;
      throw new Error(`${sentence(e)} Choose the file of the key that it trusts in step 2, or let everything be erased. Nothing was written`);
    }
    throw new Error(`${sentence(e)} ${wasBegun ? 'The chip is not harmed, but does not start yet: plug it in and press Install again' : 'Nothing was written'}`);
  } finally {
    progress.hidden = true;
    await chip.close();
  }
}

/** What a lamp says, on the page. */
function hear(said) {
  if (said.line) return;
  if (said.gone) tell('network', 'The cable was pulled. What the lamp has stored stays: plug it in and press “Connect to a lamp”.', true);
  if (said.error) tell('network', `${sentence({ message: said.error })} Try again.`, true);
  if (said.state === 'ready') $('wifi').hidden = false;
  if (said.state === 'joining') tell('network', 'The lamp is joining. This takes up to half a minute.');
  if (said.result === 4 && said.texts.length === 3) {
    const [name, strength, locked] = said.texts;
    if ([...$('networks').options].some((option) => option.value === name)) return;
    $('networks').append(Object.assign(document.createElement('option'), { value: name, label: `${strength} dBm${locked === 'YES' ? '' : ', open'}` }));
  }
  if ((said.result === 1 || said.result === 2) && /^https?:\/\/[0-9a-zA-Z.:[\]-]+\/?$/.test(said.texts[0] ?? '')) {
    $('wifi').hidden = false;
    $('place').hidden = false;
    $('lamp').href = said.texts[0];
    $('commands').textContent = $('commands').textContent.replace(/trust .*$/, `trust ${new URL(said.texts[0]).host}`);
    done('network', `The lamp is on the network, at ${said.texts[0]}.`);
  }
}

/** Speaks to the lamp on a port. */
async function meet(computing, port) {
  await lamp?.close();
  tell('network', 'Waiting for the lamp…');
  $('networks').replaceChildren();
  let hasSpoken = false;
  lamp = new Lamp(computing, (said) => {
    if (!hasSpoken && !said.gone) tell('network', 'The lamp is there. Choose its network.');
    hasSpoken = true;
    hear(said);
  });
  await lamp.open(port);
  // A lamp answers a few seconds after its start.
  for (let i = 0; i < 10 && !hasSpoken; i++) {
    await lamp.ask();
    await new Promise((go) => { setTimeout(go, 1500); });
  }
  if (!hasSpoken) throw new Error('Nothing answers on this port. Press RESET on the board, wait five seconds, and press “Connect to a lamp”. Boards with two USB sockets answer on the one named USB, not UART');
}

/** Runs the work of a button, which waits meanwhile; says why it fails. */
function during(button, step, work) {
  return async () => {
    button.disabled = true;
    try {
      await work();
    } catch (e) {
      tell(step, sentence(e), true);
    } finally {
      button.disabled = false;
      ready();
    }
  };
}

async function start() {
  if (!navigator.serial) {
    $('cannot').textContent = window.isSecureContext
      ? 'This browser cannot reach a cable (it has no Web Serial). Chrome, Edge, Opera and other browsers built on Chromium have it, on computers, not on phones. Or install with the program: k1 install BUNDLE --trust release.pem --port PORT.'
      : 'Browsers let a page reach a cable only over https, or from this computer itself (localhost). Open this page over https, or install with the program: k1 install BUNDLE --trust release.pem --port PORT.';
    $('cannot').hidden = false;
    $('connect').disabled = true;
  }
  const computing = await load();
  choose('choose-bundle', 'bundle', (file, bytes) => {
    for (const radio of $('offers').querySelectorAll('input')) radio.checked = false;
    chosen.bundle = bytes;
    openBundle(computing);
  });
  choose('choose-maker', 'maker', (file, bytes) => {
    chosen.maker = new TextDecoder().decode(bytes);
    openBundle(computing);
  });
  choose('choose-key', 'key', (file, bytes) => {
    chosen.key = null;
    try {
      chosen.key = computing.readKey(new TextDecoder().decode(bytes));
      done('key', `Your key is ${chosen.key.id}. It stays in this page and goes nowhere.`);
    } catch (e) {
      tell('key', sentence(e), true);
    }
    ready();
  });
  $('make-key').onclick = () => {
    chosen.key = computing.makeKey();
    save('k1.pem', chosen.key.secret);
    done('key', `Your key is ${chosen.key.id}. Its file k1.pem was saved with your downloads: keep it, and show it to nobody.`);
    ready();
  };
  $('install').onclick = during($('install'), 'chip', async () => {
    const port = await install(computing);
    $('connect').disabled = true;
    await meet(computing, port).catch((e) => tell('network', sentence(e), true));
    $('connect').disabled = false;
  });
  $('connect').onclick = during($('connect'), 'network', async () => meet(computing, await choosePort()));
  $('wifi').onsubmit = (event) => {
    event.preventDefault();
    lamp?.join($('ssid').value, $('password').value).catch((e) => tell('network', sentence(e), true));
  };
  await offer(computing);
  ready();
}

start().catch((e) => {
  $('cannot').textContent = sentence(e);
  $('cannot').hidden = false;
});
