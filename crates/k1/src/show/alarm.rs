//! Which timers are due. No clock: the caller passes the local time.

use jiff::civil::Date;
use jiff::{Span, Timestamp, Zoned};
use k1_show::Timer;

/// A clock that moves forward by more than this many seconds at once has been set, or the machine has slept.
const JUMP_S: i64 = 60;
/// A clock that moves back by more than this many seconds was wrong before: what it has shown counts no more.
const WRONG_S: i64 = 25 * 3600;

/// Remembers until when timers have been done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alarm {
    last: Option<Timestamp>,
    /// Timers until this time are done or missed.
    done: Option<Timestamp>,
}

impl Alarm {
    /// The timers that have become due since the last look, in the order of their times. Look at least every minute.
    ///
    /// After a jump forward of more than a minute, nothing that lies before it is done any more; after a jump back,
    /// nothing is done twice.
    pub fn due(&mut self, timers: &[Timer], now: &Zoned) -> Vec<Timer> {
        let now_s = now.timestamp();
        let (Some(last), Some(done)) = (self.last.replace(now_s), self.done) else {
            self.done = Some(now_s);
            return Vec::new();
        };
        let gone_s = now_s.as_second() - last.as_second();
        if gone_s < -WRONG_S {
            self.done = Some(now_s);
            return Vec::new();
        }
        self.done = Some(now_s.max(done));
        if gone_s > JUMP_S || now_s <= done {
            return Vec::new();
        }
        let mut due: Vec<(Timestamp, &Timer)> = Vec::new();
        for day in [now.date().yesterday(), Ok(now.date()), now.date().tomorrow()].into_iter().flatten() {
            let times = timers.iter().filter_map(|timer| Some((time_on(timer, day, now)?, timer)));
            due.extend(times.filter(|(at, _)| *at > done && *at <= now_s));
        }
        due.sort_by_key(|(at, _)| *at);
        due.into_iter().map(|(_, timer)| timer.clone()).collect()
    }
}

/// The timer that comes next, and its local time.
pub fn next<'t>(timers: &'t [Timer], now: &Zoned) -> Option<(Zoned, &'t Timer)> {
    let days = (0..=8_i64).filter_map(|n| now.date().checked_add(Span::new().days(n)).ok());
    let times =
        days.flat_map(|day| timers.iter().filter_map(move |timer| Some((time_on(timer, day, now)?, timer))));
    let (at, timer) = times.filter(|(at, _)| *at > now.timestamp()).min_by_key(|(at, _)| *at)?;
    Some((at.to_zoned(now.time_zone().clone()), timer))
}

/// The time of a timer on a day; `None` if it does nothing on that day of the week.
///
/// A time that a day skips, because clocks go forward, is as much later. Of a time that a day has twice, the first counts.
fn time_on(timer: &Timer, day: Date, now: &Zoned) -> Option<Timestamp> {
    let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
    if !timer.days.has(weekday) {
        return None;
    }
    let at = day.at(i8::try_from(timer.at.hour).ok()?, i8::try_from(timer.at.minute).ok()?, 0, 0);
    Some(at.to_zoned(now.time_zone().clone()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use jiff::{SignedDuration, ToSpan};
    use k1_show::{Days, Task, TimeOfDay};
    use proptest::prelude::*;

    fn berlin() -> TimeZone {
        // The rule of Central Europe, so that the test does not depend on the machine's files.
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn timer(hour: u8, minute: u8, days: Days) -> Timer {
        Timer { at: TimeOfDay { hour, minute }, days, task: Task::On, fade_s: None }
    }

    fn at(day: Date, hour: i8, minute: i8) -> Zoned {
        day.at(hour, minute, 0, 0).to_zoned(berlin()).unwrap()
    }

    /// The local times at which a timer goes off from a time on, for some seconds.
    fn goes_off(timer: &Timer, from: &Zoned, seconds: i64, step_s: i64) -> Vec<String> {
        let (mut alarm, mut times, timers) = (Alarm::default(), Vec::new(), [timer.clone()]);
        for s in (0..=seconds).step_by(step_s as usize) {
            let now = from.checked_add(SignedDuration::from_secs(s)).unwrap();
            times.extend(alarm.due(&timers, &now).iter().map(|_| now.strftime("%a %H:%M").to_string()));
        }
        times
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn a_timer_goes_off_once_on_each_of_its_days_whatever_the_day(
            start in 0_i64..365 * 5,
            hour in 0_u8..24,
            minute in 0_u8..60,
            bits in 1_u8..128,
            step_s in 40_i64..59,
        ) {
            let days = (0..7).filter(|day| bits >> day & 1 != 0).fold(Days::NONE, Days::with);
            let from = at(date(2024, 1, 1).checked_add(start.days()).unwrap(), 0, 0);
            // Two weeks and the hours of a change of clocks, from just before midnight on.
            let from = from.checked_sub(SignedDuration::from_secs(30)).unwrap();
            let times = goes_off(&timer(hour, minute, days), &from, 14 * 86_400 - 7_200, step_s);
            let expected = 2 * days.names().count();
            // The two hours that were left out may hold the last one.
            prop_assert!(times.len() == expected || times.len() + 1 == expected, "{times:?}");
        }

        #[test]
        fn no_clock_makes_a_timer_go_off_twice(jumps in proptest::collection::vec(-7_200_i64..7_200, 1..60)) {
            let day = date(2025, 6, 3);
            let (mut alarm, timers) = (Alarm::default(), [timer(12, 0, Days::ALL)]);
            let (mut now, mut count) = (at(day, 11, 0), 0);
            for jump in jumps {
                let end = now.checked_add(SignedDuration::from_secs(jump)).unwrap();
                // The jump at once, and then 20 minutes as they pass.
                now = end;
                for _ in 0..40 {
                    if now.date() == day {
                        count += alarm.due(&timers, &now).len();
                    }
                    now = now.checked_add(SignedDuration::from_secs(30)).unwrap();
                }
            }
            prop_assert!(count <= 1, "{count} times");
        }
    }

    #[test]
    fn clocks_that_change_in_spring_and_autumn_change_nothing_for_people() {
        let (spring, autumn) = (date(2025, 3, 30), date(2025, 10, 26));
        let day =
            |day, hour, minute| goes_off(&timer(hour, minute, Days::ALL), &at(day, 0, 0), 23 * 3600 - 60, 30);
        assert_eq!(day(spring, 18, 30), ["Sun 18:30"]);
        assert_eq!(day(autumn, 18, 30), ["Sun 18:30"]);
        assert_eq!(day(spring, 2, 30), ["Sun 03:30"], "that day skips 02:30");
        assert_eq!(day(autumn, 2, 30), ["Sun 02:30"], "that day has 02:30 twice");
    }

    #[test]
    fn what_a_small_jump_skips_is_done_once_and_a_large_one_does_nothing_old() {
        let (day, timers) = (date(2025, 6, 3), [timer(12, 0, Days::ALL), timer(12, 1, Days::NONE.with(1))]);
        let looks = |times: &[(i8, i8, i64)]| -> Vec<usize> {
            let mut alarm = Alarm::default();
            let time = |(h, m, s): &(i8, i8, i64)| {
                at(day, *h, *m).checked_add(SignedDuration::from_secs(*s)).unwrap()
            };
            times.iter().map(|t| alarm.due(&timers, &time(t)).len()).collect()
        };
        assert_eq!(looks(&[(11, 59, 50), (12, 0, 40), (12, 0, 41)]), [0, 1, 0], "50 s at once");
        assert_eq!(looks(&[(11, 59, 30), (12, 0, 31), (12, 0, 40)]), [0, 0, 0], "more than a minute");
        assert_eq!(looks(&[(11, 59, 59), (12, 0, 1), (11, 59, 0), (12, 0, 0), (12, 0, 5)]), [0, 1, 0, 0, 0]);
        assert_eq!(looks(&[(12, 0, 20), (12, 0, 30)]), [0, 0], "it has begun after the time");
        // A clock that was wrong by days, and was set right.
        let mut alarm = Alarm::default();
        let wrong = at(date(2031, 1, 1), 11, 0);
        assert!(alarm.due(&timers, &wrong).is_empty() && alarm.due(&timers, &at(day, 11, 59)).is_empty());
        assert_eq!(alarm.due(&timers, &at(day, 12, 0)).len(), 1);
    }

    #[test]
    fn the_next_one_is_the_earliest_on_one_of_its_days() {
        let timers =
            [timer(7, 0, Days::NONE.with(0)), timer(22, 15, Days::NONE.with(4)), timer(6, 0, Days::NONE)];
        let tuesday = at(date(2025, 6, 3), 12, 0);
        let (at, timer) = next(&timers, &tuesday).unwrap();
        assert_eq!((at.strftime("%a %H:%M").to_string(), timer), ("Fri 22:15".into(), &timers[1]));
        assert_eq!(next(&timers[..1], &tuesday).unwrap().0.date(), date(2025, 6, 9));
        assert!(next(&timers[2..], &tuesday).is_none());
    }
}
