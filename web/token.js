// The token: kept for every tab of this browser, and asked for where it is missing or wrong.

// Behind a proxy, several K1 may share one host: each is its folder.
const PLACE = new URL('.', document.baseURI).pathname;
const KEY = `k1-token ${PLACE}`;

/** What this browser keeps; in memory where it keeps nothing. */
let kept = null;
try { kept = localStorage.getItem(KEY); } catch { /* It stays in memory. */ }

function keep(value) {
  kept = value;
  try { localStorage.setItem(KEY, value); } catch { /* It stays in memory. */ }
}

/** Takes the token out of the address: it stands behind the hash, where no server logs it. */
function takeFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!given) return false;
  keep(given);
  history.replaceState(null, '', location.pathname + location.search);
  return true;
}
takeFromAddress();

/** The token to show, or null. */
export const token = () => kept;

/** The headers of a request that shows a token. */
export const showing = (t) => (t ? { Authorization: `Bearer ${t}` } : {});

/** Why K1 lets nobody in: { status, message, wait } with the seconds to wait; null if it lets us in; throws if nobody answers. */
export async function refusal(t) {
  const asked = (method) => fetch('api/test-connection', { method, headers: showing(t), cache: 'no-store' });
  // A browser says whose page asks with everything but a GET, and K1 may not take this page for its own.
  let answer = await asked('OPTIONS');
  if (answer.ok) answer = await asked('GET');
  if (answer.ok) return null;
  const said = await answer.json().catch(() => ({}));
  // It was asked a moment ago: so it lets us in.
  if (said.error === 'rate_limited') return null;
  const wait = Number(answer.headers.get('Retry-After')) || 0;
  return { status: answer.status, message: said.message ?? `K1 answers with ${answer.status}.`, wait };
}

const WHERE = 'It stands where K1 was started (`k1 token` prints it), or on the console of a lamp.';
const SAYS = {
  missing: `This K1 wants its token. ${WHERE}`,
  changed: `The token of this K1 has changed. ${WHERE}`,
  wrong: `That is not the token of this K1. ${WHERE}`,
};

export class Asker {
  /** `form` is shown while K1 wants another token; `go` is called when there is one. */
  constructor(form, go) {
    this.form = form;
    this.go = go;
    this.label = form.querySelector('label');
    this.input = form.querySelector('input');
    this.button = form.querySelector('button');
    form.onsubmit = (event) => { event.preventDefault(); this.offer(this.input.value.trim()); };
    // Another tab has been given the token, or this one an address with it.
    addEventListener('storage', (event) => {
      if (event.key !== KEY || !event.newValue || event.newValue === kept) return;
      kept = event.newValue;
      this.go();
    });
    addEventListener('hashchange', () => { if (takeFromAddress()) this.go(); });
  }

  get asks() { return !this.form.hidden; }

  /** Asks, and says why. */
  ask() {
    if (!this.asks) this.label.textContent = kept ? SAYS.changed : SAYS.missing;
    this.form.hidden = false;
  }

  close() {
    this.form.hidden = true;
    this.input.value = '';
  }

  /** Tries what somebody typed. Only the right one is kept, so that a slip costs no other tab anything. */
  async offer(value) {
    // A whole address is what one has copied.
    const typed = new URLSearchParams(value.split('#')[1] ?? '').get('token') ?? value;
    if (!typed) return;
    this.button.disabled = true;
    let pause = 0;
    try {
      const why = await refusal(typed);
      if (!why) {
        keep(typed);
        this.go();
      } else {
        this.label.textContent = why.status === 401 ? SAYS.wrong : why.message;
        pause = why.wait;
      }
    } catch {
      this.label.textContent = 'K1 does not answer; try again in a moment.';
    }
    setTimeout(() => { this.button.disabled = false; }, pause * 1000);
  }
}
