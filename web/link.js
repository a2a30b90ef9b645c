// The connection to K1: one WebSocket that comes back by itself, and one clock for both sides.

import { refusal, showing, token } from './token.js';

/** Tries again when nobody answers: a lamp ends connections that wait, to make room for others. */
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

/** A request of the API, answered in JSON; throws an Error with K1's own sentence. */
export async function ask(method, path, body) {
  const headers = showing(token());
  if (typeof body === 'string') headers['Content-Type'] = 'application/json';
  const answer = await knock(() => fetch(path, { method, headers, body }), method === 'GET' ? 4 : 1);
  const said = await answer.json();
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
    this.waiting = {};
    this.hearing = new Set();
    this.offset = null;
    this.bestTrip = Infinity;
    this.connect();
    // A phone that wakes up reconnects at once and not after the back-off.
    addEventListener('online', () => this.now());
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.now(); });
  }

  now() {
    if (!this.socket && (this.timer || this.rests)) this.anew();
  }

  /** Connects at once, with the token as it is now. */
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
    // Below the page, wherever a proxy has put it.
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
      // A browser does not tell why a WebSocket was refused: the same is asked for in a way that is answered.
      const why = opened ? null : await refusal(t).catch(() => null);
      if (turn !== this.turn) return;
      // Only another token or name helps, and neither comes by waiting.
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

  /** Wishes that hold for the connection and are said again after each reconnect. */
  want(wishes) {
    Object.assign(this.wanted, wishes);
    this.post(wishes);
  }

  /** The sound, for as long as anybody here wants it. */
  hear(who, on) {
    this.hearing[on ? 'add' : 'delete'](who);
    this.want({ audio: this.hearing.size > 0 });
  }

  /** Parameters, latest wins: at most one message per animation frame however fast a slider moves. */
  set(params) {
    const idle = Object.keys(this.waiting).length === 0;
    Object.assign(this.waiting, params);
    if (idle) requestAnimationFrame(() => {
      this.post({ params: this.waiting });
      this.waiting = {};
    });
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
