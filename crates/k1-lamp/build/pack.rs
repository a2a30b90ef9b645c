//! Packs text for `k1_device::packed`.

use std::collections::HashMap;

use k1_device::packed::{FIRST_RULE, MOST_CHARACTERS, SYMBOLS, pair};

/// A pair takes three bytes as a rule, and each place at which it is used then takes one and a half bytes less.
const LEAST_USES: usize = 3;

/// Packs text of ASCII. Returns the pairs and the number of those that are rules.
///
/// The most frequent pair of neighbours becomes a rule and is replaced everywhere, again and again (Larsson and Moffat,
/// Off-line dictionary-based compression, 2000).
pub fn pack(text: &str) -> Result<(Vec<[u8; 3]>, usize), String> {
    if let Some(other) = text.chars().find(|c| !c.is_ascii() || *c == '\0') {
        return Err(format!("{other:?} cannot be packed"));
    }
    let mut text: Vec<u16> = text.bytes().map(u16::from).collect();
    let mut lengths = vec![1; usize::from(FIRST_RULE)];
    let mut rules = Vec::new();
    let mut uses: HashMap<[u16; 2], usize> = HashMap::new();
    for two in text.windows(2) {
        *uses.entry([two[0], two[1]]).or_default() += 1;
    }
    for rule in FIRST_RULE..SYMBOLS {
        let length = |two: &[u16; 2]| lengths[usize::from(two[0])] + lengths[usize::from(two[1])];
        let short = uses.iter().filter(|(two, n)| **n >= LEAST_USES && length(two) <= MOST_CHARACTERS);
        // Of equally frequent pairs always the same, so that a build can be repeated.
        let Some((two, _)) = short.max_by_key(|(two, n)| (**n, **two)) else { break };
        let two = *two;
        lengths.push(length(&two));
        rules.push(pair(two));
        text = replace(&text, two, rule, &mut uses);
        uses.remove(&two);
    }
    let count = rules.len();
    rules.extend(text.chunks(2).map(|two| pair([two[0], two.get(1).copied().unwrap_or(0)])));
    Ok((rules, count))
}

/// Replaces two neighbours by a rule everywhere, and counts how often each pair is used then.
fn replace(text: &[u16], two: [u16; 2], rule: u16, uses: &mut HashMap<[u16; 2], usize>) -> Vec<u16> {
    let mut out: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        if !rest.starts_with(&two) {
            out.push(*first);
            rest = tail;
            continue;
        }
        rest = &tail[1..];
        let before = out.last().map(|left| ([*left, two[0]], [*left, rule]));
        let after = rest.first().map(|right| ([two[1], *right], [rule, *right]));
        for (old, new) in before.into_iter().chain(after) {
            if let Some(n) = uses.get_mut(&old) {
                *n = n.saturating_sub(1);
            }
            *uses.entry(new).or_default() += 1;
        }
        out.push(rule);
    }
    uses.retain(|_, n| *n > 0);
    out
}
