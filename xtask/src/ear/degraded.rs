//! The cost of microphone faults, over a corpus.

use std::path::Path;

use k1_sim::music::FAULTS;

use super::excerpt::{Class, Excerpt, Judged, Outcome, ids};
use super::likeness::{Likeness, likeness};
use super::listen::listen;
use super::parallel::parallel_map;
use super::running::median;
use super::table::{SHORT_COLUMNS, Summary, mean, number};

/// Name of the row without a fault.
const AS_IT_IS: &str = "as it is";

/// Result of one file with one fault, or without.
struct Hearing {
    cls: Class,
    judged: Judged,
    /// Compared with the clean file; `None` if that is silent.
    likeness: Option<Likeness>,
}

/// Scores every file of a corpus with each fault of `k1-sim`, and prints one row per fault.
pub fn run(corpus: &Path) -> Result<(), String> {
    let ids = ids(corpus)?;
    let files =
        parallel_map(&ids, |id| through_all(corpus, id)).into_iter().collect::<Result<Vec<_>, _>>()?;
    println!("{:<22}{SHORT_COLUMNS}  false/min  onset F  late ms   lost  level off  spectrum  chroma", "");
    let names = [AS_IT_IS].into_iter().chain(FAULTS.map(|(name, _)| name));
    for (k, name) in names.enumerate() {
        let hearings: Vec<&Hearing> = files.iter().map(|file| &file[k]).collect();
        println!("{name:<22}{}", row(&hearings));
    }
    Ok(())
}

/// A file without a fault, then with each fault.
fn through_all(corpus: &Path, id: &str) -> Result<Vec<Hearing>, String> {
    let excerpt = Excerpt::read(corpus, id)?;
    let clean = listen(&excerpt.samples);
    let hearing = |heard: &super::listen::Heard| Hearing {
        cls: excerpt.entry.cls,
        judged: excerpt.judge(heard),
        likeness: likeness(&clean.moments, &heard.moments),
    };
    let mut hearings = vec![hearing(&clean)];
    hearings.extend(FAULTS.iter().map(|(_, spoil)| hearing(&listen(&spoil(&excerpt.samples)))));
    Ok(hearings)
}

fn row(hearings: &[&Hearing]) -> String {
    let scores: Vec<_> =
        hearings.iter().filter(|h| h.cls == Class::Gold).filter_map(|h| h.judged.beats.score()).collect();
    let beatless: Vec<f64> = hearings
        .iter()
        .filter_map(|h| if let Outcome::Beatless(n) = h.judged.beats { Some(n) } else { None })
        .collect();
    let onsets: Vec<_> = hearings.iter().filter_map(|h| h.judged.onsets.as_ref()).collect();
    let alike = |figure: fn(&Likeness) -> f64| {
        mean(&hearings.iter().filter_map(|h| h.likeness.as_ref().map(figure)).collect::<Vec<_>>())
    };
    format!(
        "{} {} {} {} {} {} {} {}",
        Summary::of(&scores).short_row(),
        number(mean(&beatless), 10, 1),
        number(mean(&onsets.iter().map(|o| o.f).collect::<Vec<_>>()), 8, 3),
        number(median(onsets.iter().filter_map(|o| o.announced_ms.0).collect()), 8, 1),
        number(alike(|l| l.lost), 6, 3),
        number(alike(|l| l.level_off), 10, 3),
        number(alike(|l| l.spectrum), 9, 3),
        number(alike(|l| l.chroma), 7, 3),
    )
}

#[cfg(test)]
mod tests {
    use super::super::onsets::OnsetScore;
    use super::super::score::Score;
    use super::*;

    #[test]
    fn a_row_takes_each_figure_from_the_files_that_have_it() {
        let scored = |cls, f| Hearing {
            cls,
            judged: Judged { beats: Outcome::Scored(Score { f, ..Score::default() }), onsets: None },
            likeness: Some(Likeness { lost: 0.2, level_off: 0.1, spectrum: 0.8, chroma: 0.9 }),
        };
        let onsets = Some(OnsetScore { f: 0.7, announced_ms: (Some(25.0), None), ..OnsetScore::default() });
        let beatless = Hearing {
            cls: Class::None,
            judged: Judged { beats: Outcome::Beatless(6.0), onsets },
            likeness: None,
        };
        let (gold, silver) = (scored(Class::Gold, 0.9), scored(Class::Silver, 0.1));
        let row = row(&[&gold, &silver, &beatless]);
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words[..2], ["1", "0.900"], "{row}");
        assert_eq!(
            words[words.len() - 7..],
            ["6.0", "0.700", "25.0", "0.200", "0.100", "0.800", "0.900"],
            "{row}"
        );
    }
}
