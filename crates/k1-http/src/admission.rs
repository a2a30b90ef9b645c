//! Decides from the head of a request alone whether it is admitted, and to what.

use alloc::string::String;
use core::net::IpAddr;

use crate::answer::{AnswerHead, Content};
use crate::body::Framing;
use crate::client::Client;
use crate::guesses::{Burst, Guesses};
use crate::head::Head;
use crate::interval::Intervals;
use crate::limits::SMALL_BODY;
use crate::names::Names;
use crate::rejection::Rejection;
use crate::route::{self, File, Method, Route};
use crate::token::{shown_tokens, shows_token};

/// Everything that requests can reach.
#[derive(Debug)]
pub struct Site<A: 'static> {
    /// The routes.
    pub routes: &'static [Route<A>],
    /// Paths of WebSockets.
    pub websockets: &'static [&'static str],
    /// Files, which need no token.
    pub files: &'static [File],
    /// Every path with this prefix needs the token, so that the answers do not reveal which paths exist.
    pub guarded: &'static str,
}

/// What an admitted request may reach.
#[derive(Debug)]
pub enum Entry<'a, A: 'static> {
    /// The preflight request of a browser.
    Preflight,
    /// A file, and true if the client already has it.
    File(&'static File, bool),
    /// A WebSocket: its path, and the key from the handshake.
    WebSocket(&'static str, &'a str),
    /// A route, and the [name](route::name_in) in its path.
    Route(&'static Route<A>, &'a str),
}

/// The decision about a request.
#[derive(Debug)]
pub struct Judged<'a, A: 'static> {
    /// What the request may reach, or why it is refused.
    pub result: Result<Entry<'a, A>, Rejection>,
    /// The page that may read the answer.
    pub origin: Option<&'a str>,
    /// True if the request was admitted to a path that needs the token.
    pub is_trusted: bool,
    /// True if the request showed the first wrong token of a burst.
    pub begins_burst: bool,
}

impl<A> Judged<'_, A> {
    /// Largest body in bytes that this request may have.
    pub fn max_body(&self) -> usize {
        match &self.result {
            Ok(Entry::Route(route, _)) => route.max_body.max(SMALL_BODY),
            _ => SMALL_BODY,
        }
    }

    /// The head of the answer to this request.
    pub fn answer<'b>(&'b self, status: u16, content: Content<'b>) -> AnswerHead<'b> {
        AnswerHead { status, content, origin: self.origin }
    }
}

/// The length in bytes of a body that is processed while it arrives.
///
/// # Errors
///
/// [`Rejection::LengthRequired`] without a length, [`Rejection::TooLarge`] above the limit of the path.
pub fn streamed_length(framing: Framing, max: usize) -> Result<u32, Rejection> {
    match framing {
        Framing::Length(n @ 1..) => {
            u32::try_from(n).ok().filter(|n| *n as usize <= max).ok_or(Rejection::TooLarge { max })
        }
        _ => Err(Rejection::LengthRequired),
    }
}

/// Admits requests. Remembers `R` pairs of client and route, and `G` senders of wrong tokens.
#[derive(Debug)]
pub struct Admission<A: 'static, const R: usize, const G: usize> {
    site: Site<A>,
    names: Names,
    token: Option<String>,
    intervals: Intervals<IpAddr, R>,
    guesses: Guesses<Client, G>,
}

impl<A, const R: usize, const G: usize> Admission<A, R, G> {
    /// Admits requests that show the token, or all requests if there is none.
    pub fn new(site: Site<A>, names: Names, token: Option<String>) -> Self {
        Self { site, names, token, intervals: Intervals::default(), guesses: Guesses::default() }
    }

    /// Judges a request from `address` at `now_ms`.
    // Without inlining, a lamp's flash holds this code once and not once for each caller.
    #[inline(never)]
    pub fn judge<'a>(&mut self, address: IpAddr, head: &Head<'a>, now_ms: u64) -> Judged<'a, A> {
        let mut judged = Judged {
            result: Err(Rejection::Forbidden),
            origin: None,
            is_trusted: false,
            begins_burst: false,
        };
        if !self.names.host(head.host) {
            return judged;
        }
        let file = self.site.files.iter().find(|f| f.path == head.path);
        if !self.names.origin(head.origin, head.host) {
            // The page's own scripts are not secret, and it needs them to explain the refusal. Without permission in
            // the answer, other pages cannot read them.
            if let Some(file) = file.filter(|f| f.path != "/" && matches!(head.method, "GET" | "HEAD")) {
                judged.result = Ok(Entry::File(file, file.tag.is_known(head.known_tag)));
            }
            return judged;
        }
        judged.origin = head.origin;
        if head.method == "OPTIONS" {
            judged.result = Ok(Entry::Preflight);
            return judged;
        }
        if self.is_guarded(head.path) {
            if let Err((rejection, begins)) = self.admit(address, head, now_ms) {
                (judged.result, judged.begins_burst) = (Err(rejection), begins);
                return judged;
            }
            judged.is_trusted = true;
        }
        judged.result = self.find(address, head, file, now_ms);
        judged
    }

    /// A burst of wrong tokens that has ended. Each burst is returned once.
    pub fn ended_burst(&mut self, now_ms: u64) -> Option<Burst<Client>> {
        self.guesses.ended(now_ms)
    }

    /// True for a path that only the token opens.
    fn is_guarded(&self, path: &str) -> bool {
        path.starts_with(self.site.guarded)
            || self.site.websockets.contains(&path)
            || self.site.routes.iter().any(|r| route::name_in(r.path, path).is_some())
    }

    /// Admits every request that shows the token, without a wait; refuses the others with the reason.
    fn admit(&mut self, address: IpAddr, head: &Head, now_ms: u64) -> Result<(), (Rejection, bool)> {
        let Some(token) = &self.token else { return Ok(()) };
        if shows_token(token, head.bearer, head.query) {
            return Ok(());
        }
        let mut shown = shown_tokens(head.bearer, head.query).into_iter().flatten();
        match shown.find(|t| !t.is_empty()) {
            Some(wrong) => {
                let wrong = self.guesses.wrong(address.into(), wrong, now_ms);
                Err((wrong.rejection, wrong.begins))
            }
            None => Err((Rejection::Unauthorized, false)),
        }
    }

    fn find<'a>(
        &mut self,
        address: IpAddr,
        head: &Head<'a>,
        file: Option<&'static File>,
        now_ms: u64,
    ) -> Result<Entry<'a, A>, Rejection> {
        if let Some(path) = self.site.websockets.iter().find(|p| **p == head.path) {
            if head.method != "GET" {
                return Err(Rejection::MethodNotAllowed { allow: "GET, OPTIONS" });
            }
            // A plain GET of a WebSocket's path is a mistake, so the answer explains it.
            let key = head.upgrade.unwrap_or(Err(Rejection::NotWebSocket))?;
            return Ok(Entry::WebSocket(path, key));
        }
        if let Some(file) = file {
            return match head.method {
                "GET" | "HEAD" => Ok(Entry::File(file, file.tag.is_known(head.known_tag))),
                _ => Err(Rejection::MethodNotAllowed { allow: "GET, HEAD, OPTIONS" }),
            };
        }
        let (index, route) = route::find(self.site.routes, Method::named(head.method), head.path)?;
        self.intervals.admit(address.to_canonical(), index, route.interval_ms, now_ms)?;
        Ok(Entry::Route(route, route::name_in(route.path, head.path).unwrap_or_default()))
    }
}
