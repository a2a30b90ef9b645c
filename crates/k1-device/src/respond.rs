//! The answer to a request that the door has judged. It is the same from the program and from the lamp.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use k1_http::admission::{Entry, Judged};
use k1_http::answer::{AnswerHead, Content, JSON};
use k1_http::rejection::Rejection;

use crate::api;
use crate::backend::{Backend, Description};
use crate::error::{ErrorBody, Refusal};
use crate::metrics::{self, METRICS};
use crate::packed::Packed;
use crate::routes::{Action, METRICS_TYPE};

/// An answer: its head and its body.
#[derive(Debug)]
pub struct Answer<'a> {
    head: AnswerHead<'a>,
    body: Body,
}

/// The body of an answer.
#[derive(Debug)]
enum Body {
    /// A body in memory.
    Whole(Cow<'static, [u8]>),
    /// Metrics, written while they are sent, so that their text is never in memory as a whole.
    Metrics(Box<metrics::Sample>),
    /// Packed text, unpacked while it is sent.
    Packed(Packed),
}

/// Answers a request as it was judged; `body` is its whole body, or the reason why the body is missing.
// Without inlining, a lamp's flash holds this code once and not once for each caller.
#[inline(never)]
pub fn respond<'a>(
    backend: &dyn Backend,
    judged: &Judged<'a, Action>,
    body: Result<&[u8], Refusal>,
) -> Answer<'a> {
    let done = enter(backend, &judged.result, body);
    done.unwrap_or_else(|refusal| Answer::refusal(refusal, backend.now_us() / 1000)).to(judged)
}

fn enter<'a>(
    backend: &dyn Backend,
    result: &Result<Entry<'a, Action>, Rejection>,
    body: Result<&[u8], Refusal>,
) -> Result<Answer<'a>, Refusal> {
    let (status, content, body): (_, _, Cow<'static, [u8]>) = match result {
        Err(rejection) => return Err(Refusal::Http(*rejection)),
        Ok(Entry::Preflight) => (204, Content::Nothing, Vec::new().into()),
        Ok(Entry::WebSocket(_, key)) => (101, Content::WebSocket(key), Vec::new().into()),
        Ok(Entry::File(file, is_known)) => {
            let content = Content::File { media_type: file.media_type, tag: file.tag, packed: file.packed };
            if *is_known { (304, content, Vec::new().into()) } else { (200, content, file.content.into()) }
        }
        Ok(Entry::Route(route, name)) => {
            let body = body?;
            let content = match route.action {
                Action::Metrics => {
                    let sample = Box::new(metrics::Sample::of(backend));
                    let head = AnswerHead { status: 200, content: Content::Of(METRICS_TYPE), origin: None };
                    return Ok(Answer { head, body: Body::Metrics(sample) });
                }
                Action::OpenApi => {
                    let head = AnswerHead { status: 200, content: Content::Of(JSON), origin: None };
                    let body = match backend.description()? {
                        Description::Text(text) => Body::Whole(text.into()),
                        Description::Packed(packed) => Body::Packed(packed),
                    };
                    return Ok(Answer { head, body });
                }
                Action::Backup => Content::Attachment("k1-config-backup.json"),
                _ => Content::Of(JSON),
            };
            (200, content, api::answer(backend, route.action, name, body)?.into())
        }
    };
    Ok(Answer { head: AnswerHead { status, content, origin: None }, body: Body::Whole(body) })
}

impl<'a> Answer<'a> {
    /// The answer to a request that was carried out; `body` is JSON.
    pub fn done(body: Vec<u8>) -> Self {
        let head = AnswerHead { status: 200, content: Content::Of(JSON), origin: None };
        Self { head, body: Body::Whole(body.into()) }
    }

    /// The answer that refuses a request at `now_ms` (milliseconds since the start).
    pub fn refusal(refusal: Refusal, now_ms: u64) -> Self {
        let body = api::json(&ErrorBody::new(refusal, now_ms)).unwrap_or_default();
        let content = match refusal {
            Refusal::Http(rejection) => Content::Rejected(rejection),
            _ => Content::Of(JSON),
        };
        let head = AnswerHead { status: refusal.status(), content, origin: None };
        Self { head, body: Body::Whole(body.into()) }
    }

    /// The same answer, addressed to a judged request: the page that sent the request may read it.
    pub fn to(mut self, judged: &Judged<'a, Action>) -> Self {
        self.head.origin = judged.origin;
        self
    }

    /// The head of the answer.
    pub fn head(&self) -> &AnswerHead<'a> {
        &self.head
    }

    /// Piece `number` of the body, from 0 on; `None` after the last one. A piece may be written into `scratch`.
    pub fn piece<'b>(&'b self, number: usize, scratch: &'b mut String) -> Option<&'b [u8]> {
        match &self.body {
            Body::Whole(bytes) => (number == 0).then_some(bytes),
            Body::Metrics(sample) => {
                let metric = METRICS.get(number)?;
                scratch.clear();
                // Writing to a string does not fail.
                let _ = sample.write(metric, scratch);
                Some(scratch.as_bytes())
            }
            Body::Packed(packed) => packed.piece(number, scratch).then_some(scratch.as_bytes()),
        }
    }

    /// The body as a whole.
    pub fn into_body(self) -> Cow<'static, [u8]> {
        match self.body {
            Body::Whole(bytes) => bytes,
            Body::Metrics(sample) => sample.text().into_bytes().into(),
            Body::Packed(packed) => packed.text().into_bytes().into(),
        }
    }

    /// Writes the head with its lengths, as HTTP/1.1.
    ///
    /// # Errors
    ///
    /// The error of the writer.
    pub fn write_head(&self, w: &mut impl Write, keep_alive: bool) -> fmt::Result {
        let length = match &self.body {
            Body::Whole(bytes) => bytes.len(),
            Body::Metrics(sample) => sample.length(),
            Body::Packed(packed) => packed.length,
        };
        self.head.write(w, length, keep_alive)
    }
}
