//! Small decision trees, as the scripts in `xtask/fit` write them.

/// A look, the most of it that goes below, and where below and above lead: a child that is negative is the leaf `!child`.
pub(super) type Split = (u8, i16, i8, i8);

/// The leaf that a tree comes to. A child always stands after its parent, so that there are no more steps than splits.
pub(super) fn ask<const SPLITS: usize, const LEAVES: usize, const LOOKS: usize>(
    (splits, leaves): &([Split; SPLITS], [i16; LEAVES]),
    looks: &[i16; LOOKS],
) -> i16 {
    let mut at = 0_usize;
    for _ in 0..SPLITS {
        let (look, most, below, above) = splits[at];
        let next = if looks[usize::from(look)] <= most { below } else { above };
        if next < 0 {
            return leaves[!next as usize];
        }
        at = next as usize;
    }
    0
}

/// Fails unless a tree asks for no look that there is not, and ends in each of its leaves and nowhere else.
#[cfg(test)]
pub(super) fn assert_whole(splits: &[Split], leaves: &[i16], looks: usize) {
    let mut reached = std::vec![0; leaves.len()];
    let mut from = std::vec![0_i8];
    while let Some(at) = from.pop() {
        if at < 0 {
            reached[!at as usize] += 1;
            continue;
        }
        let (look, _, below, above) = splits[at as usize];
        assert!(usize::from(look) < looks);
        assert!([below, above].iter().all(|child| *child < 0 || *child > at));
        from.extend([below, above]);
    }
    let used = reached.iter().rposition(|n| *n > 0).map_or(0, |last| last + 1);
    assert!(used > 1 && reached[..used].iter().all(|n| *n == 1), "{reached:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_goes_below_at_its_limit_and_above_beyond_it() {
        let mut splits = [(0, 0, -1, -1); 7];
        splits[0] = (3, 100, 1, -3);
        splits[1] = (33, -5, -1, -2);
        let tree = (splits, [10, 20, 30, 0, 0, 0, 0, 0]);
        let at = |third: i16, last: i16| {
            let mut looks = [0; 34];
            (looks[3], looks[33]) = (third, last);
            ask(&tree, &looks)
        };
        assert_eq!([at(100, -5), at(100, -4), at(101, -5)], [10, 20, 30]);
    }
}
