//! The order of scenes: as in the list, or shuffled so that each comes once before one comes again.

/// Names in the order in which they come.
#[derive(Clone, Debug)]
pub struct Order {
    names: Vec<String>,
    shuffle: bool,
    /// The name that was shown last.
    last: Option<String>,
    /// In shuffled order: the names that are still to come in this round, the next one last.
    round: Vec<String>,
    random: u64,
}

impl Order {
    /// An empty order; `seed` decides how it shuffles.
    pub fn new(seed: u64) -> Self {
        Self { names: Vec::new(), shuffle: false, last: None, round: Vec::new(), random: seed | 1 }
    }

    /// Sets the names.
    pub fn set(&mut self, names: Vec<String>, shuffle: bool) {
        if (&names, shuffle) != (&self.names, self.shuffle) {
            (self.names, self.shuffle) = (names, shuffle);
            self.round.clear();
            self.fill();
        }
    }

    /// The name that comes next; `None` if it would be the one that is shown.
    pub fn next(&self) -> Option<&str> {
        let next = if self.shuffle {
            self.round.last()
        } else {
            let last = self.last.as_ref().and_then(|last| self.names.iter().position(|name| name == last));
            self.names.get(last.map_or(0, |last| (last + 1) % self.names.len()))
        };
        next.filter(|next| Some(*next) != self.last.as_ref()).map(String::as_str)
    }

    /// Notes which name is shown, as the next one or because somebody has chosen it.
    pub fn shown(&mut self, name: &str) {
        self.last = Some(name.to_owned());
        self.round.retain(|other| other != name);
        self.fill();
    }

    /// Begins another round once all names were shown.
    fn fill(&mut self) {
        if !self.shuffle || !self.round.is_empty() {
            return;
        }
        self.round.clone_from(&self.names);
        for i in (1..self.round.len()).rev() {
            let other = self.random(i + 1);
            self.round.swap(i, other);
        }
        // The first of this round must not be the last of the round before.
        let last = self.round.len().saturating_sub(1);
        if last > 0 && self.round.last() == self.last.as_ref() {
            let other = self.random(last);
            self.round.swap(last, other);
        }
    }

    /// A number below `n` (xorshift; Marsaglia 2003).
    fn random(&mut self, n: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as usize % n.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("scene {i}")).collect()
    }

    fn step(order: &mut Order) -> Option<String> {
        let next = order.next()?.to_owned();
        order.shown(&next);
        Some(next)
    }

    proptest! {
        #[test]
        fn shuffled_scenes_all_come_before_one_comes_again(n in 2_usize..12, seed: u64) {
            let mut order = Order::new(seed);
            order.set(names(n), true);
            let all: Vec<String> = (0..n * 20).map(|_| step(&mut order).unwrap()).collect();
            prop_assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", all);
            for round in all.chunks(n) {
                let mut round = round.to_vec();
                round.sort();
                let mut expected = names(n);
                expected.sort();
                prop_assert_eq!(round, expected);
            }
            prop_assert!(n < 4 || all.chunks(n).any(|round| round != &all[..n]), "rounds differ");
        }

        #[test]
        fn choosing_and_changing_the_list_never_repeats_the_shown_scene(
            seed: u64,
            does in proptest::collection::vec((0_usize..8, 0_usize..4), 1..80),
        ) {
            let mut order = Order::new(seed);
            let mut last = None;
            for (what, n) in does {
                match what {
                    0 => order.set(names(n), true),
                    1 => order.set(names(n), false),
                    2 => {
                        last = Some(format!("scene {n}"));
                        order.shown(&format!("scene {n}"));
                    }
                    _ => if let Some(next) = step(&mut order) {
                        prop_assert!(Some(&next) != last.as_ref());
                        last = Some(next);
                    }
                }
            }
        }
    }

    #[test]
    fn in_order_a_scene_that_was_chosen_is_followed_by_its_neighbour() {
        let mut order = Order::new(1);
        order.set(names(3), false);
        let all: Vec<_> = (0..4).map(|_| step(&mut order).unwrap()).collect();
        assert_eq!(all, ["scene 0", "scene 1", "scene 2", "scene 0"]);
        order.shown("another");
        assert_eq!(order.next(), Some("scene 0"));
        order.shown("scene 1");
        assert_eq!(order.next(), Some("scene 2"));
        order.set(names(1), false);
        order.shown("scene 0");
        assert_eq!(order.next(), None, "there is no other");
        order.set(Vec::new(), true);
        assert_eq!(order.next(), None);
    }
}
