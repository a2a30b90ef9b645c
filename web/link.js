// The connection to K1: a WebSocket that reconnects, and a common clock.

import { refusal, showing, token } from './token.js';

/** Retries a request without an answer, because a lamp closes idle connections to make room for others. */
async function knock(request, times) {
  for (;;) {
    try {
      return await request();
    } catch (e) {
      times -= 1;
      if (!times) throw e;
      await new Promise((later) => setTimeout(later, 300));
    }
  }
}

/** When a path may be requested again, in ms of performance.now(). */
const free = new Map();

/** Waits for the pause that K1 wants between two requests of the same path (routes.rs). */
async function turn(method, path) {
  const now = performance.now();
  const at = Math.max(now, free.get(method + path) ?? 0);
  free.set(method + path, at + (method === 'POST' ? 320 : 120));
  if (at > now) await new Promise((later) => setTimeout(later, at - now));
}

/** Sends a request to the API, an object as JSON, and returns the answer's JSON; throws an Error with K1's message. */
export async function ask(method, path, body, patience = 2) {
  const headers = showing(token());
  const isFile = body instanceof Blob;
  if (body && !isFile) headers['Content-Type'] = 'application/json';
  const sent = body && !isFile ? JSON.stringify(body) : body;
  await turn(method, path);
  const answer = await knock(() => fetch(path, { method, headers, body: sent }), method === 'GET' ? 4 : 1);
  const said = await answer.json();
  // Too fast: K1 says when it listens again.
  if (answer.status === 429 && patience) {
    await new Promise((later) => setTimeout(later, 1000 * (Number(answer.headers.get('Retry-After')) || 0.3)));
    return ask(method, path, body, patience - 1);
  }
  if (!answer.ok) throw Object.assign(new Error(said.message), { status: answer.status });
  return said;
}

export const get = (path) => ask('GET', path);

export class Link {
  /** `on` has open(), closed(seconds), refused(why), message(object) and binary(DataView). */
  constructor(on) {
    this.on = on;
    this.tries = 0;
    this.turn = 0;
    this.wanted = {};
    this.hearing = new Set();
    this.offset = null;
    this.bestTrip = Infinity;
    this.connect();
    // When a phone wakes up, reconnect at once instead of after the back-off.
    addEventListener('online', () => this.now());
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.now(); });
  }

  now() {
    if (!this.socket && (this.timer || this.rests)) this.anew();
  }

  /** Connects at once, with the current token. */
  anew() {
    clearTimeout(this.timer);
    this.tries = 0;
    this.rests = false;
    this.turn += 1;
    this.socket?.close();
    this.socket = null;
    this.connect();
  }

  connect() {
    this.timer = null;
    const { turn } = this;
    const t = token();
    // Relative to the page, so that it works under any path of a proxy.
    const url = new URL('api/v1/live', document.baseURI);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    if (t) url.searchParams.set('token', t);
    const socket = new WebSocket(url);
    let opened = false;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      if (turn !== this.turn) return socket.close();
      opened = true;
      this.socket = socket;
      this.tries = 0;
      this.bestTrip = Infinity;
      this.on.open();
      this.post(this.wanted);
      this.ping();
      clearInterval(this.pinger);
      this.pinger = setInterval(() => this.ping(), 4000);
    };
    socket.onmessage = (event) => {
      if (typeof event.data !== 'string') return this.on.binary(new DataView(event.data));
      const message = JSON.parse(event.data);
      if (message.pong !== undefined) this.pong(message);
      else this.on.message(message);
    };
    socket.onclose = async () => {
      if (turn !== this.turn) return;
      clearInterval(this.pinger);
      this.socket = null;
      // A browser does not report why a WebSocket was refused, so send a plain request and read its answer.
      const why = opened ? null : await refusal(t).catch(() => null);
      if (turn !== this.turn) return;
      // Retrying does not help: another token or name is needed.
      this.rests = why?.status === 401 || why?.status === 403;
      if (this.rests) return this.on.refused(why);
      const wait = Math.max(why?.wait ?? 0, Math.min(10, 0.4 * 2 ** this.tries++) * (0.8 + 0.4 * Math.random()));
      this.on.closed(wait, why);
      this.timer = setTimeout(() => this.connect(), wait * 1000);
    };
  }

  post(command) {
    if (this.socket?.readyState === WebSocket.OPEN && Object.keys(command).length) {
      this.socket.send(JSON.stringify(command));
    }
  }

  /** Sends requests that last for the connection, and again after each reconnect. */
  want(wishes) {
    Object.assign(this.wanted, wishes);
    this.post(wishes);
  }

  /** Requests the sound as long as any part of the page needs it. */
  hear(who, on) {
    this.hearing[on ? 'add' : 'delete'](who);
    this.want({ audio: this.hearing.size > 0 });
  }

  ping() { this.post({ ping: performance.now() }); }

  /** Keeps the clock difference of the shortest round trip (Cristian's algorithm). */
  pong({ pong, server_us }) {
    const now = performance.now();
    const trip = now - pong;
    this.bestTrip *= 1.05;
    if (trip <= this.bestTrip) {
      this.bestTrip = trip;
      this.offset = server_us / 1000 - (pong + now) / 2;
    }
  }

  /** Local time (ms of performance.now) of a server time in µs; null until the clocks were compared. */
  local(server_us) {
    return this.offset === null ? null : server_us / 1000 - this.offset;
  }
}
