//! The stream of a file that plays now.

use super::decode::Decoder;
use super::flow::{Edit, Stream};
use super::mix::Mix;
use super::timeline::Timeline;

/// The current stream.
pub struct Voice {
    pub stream: Stream,
    pub decoder: Decoder,
    pub mix: Option<Mix>,
    pub time: Option<(u32, Timeline)>,
    /// Pauses before the first sound, in frames as the stream counts.
    pub before: u64,
}

/// A stream whose frames are counted at the decoded rate, whatever the container states, after `before` frames of silence.
pub fn for_rate(stream: &Stream, rate: u32, before: u64) -> Stream {
    let said = stream.codec.sample_rate.filter(|r| *r > 0).unwrap_or(rate);
    let convert = |n: u64| match n {
        u64::MAX => n,
        n if said == rate => n,
        n => (n as f64 * f64::from(rate) / f64::from(said)).round() as u64,
    };
    let mut stream = stream.clone();
    for Edit { pause, from, to } in &mut stream.edits {
        (*pause, *from, *to) = (convert(*pause), convert(*from), convert(*to));
    }
    if let Some(first) = stream.edits.first_mut() {
        // Undecodable frames at the start count as silence; they may belong to the trimmed part anyway.
        let hidden = if stream.paged { 0 } else { first.from.min(convert(before)) };
        first.from -= hidden;
        first.pause += convert(before) - hidden;
    }
    stream.tail = convert(stream.tail);
    stream
}
