//! Replays the fuzzers' corpora: every file of `fuzz/corpus` through the body of its target.

use std::path::Path;

use k1_sim::hostile::TARGETS;

#[test]
fn every_kept_input_is_survived() {
    let corpus = Path::new("../../fuzz/corpus");
    for (name, body) in TARGETS {
        let folder = corpus.join(name);
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap_or_else(|e| panic!("{} is missing: {e}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(files.len() >= 20, "the corpus of {name} has {} files", files.len());
        for file in &files {
            let bytes = std::fs::read(file).unwrap();
            let survived = std::panic::catch_unwind(|| body(&bytes));
            assert!(survived.is_ok(), "{}", file.display());
        }
        println!("{name}: {} inputs", files.len());
    }
}

/// A target in only one of the two places would never be fuzzed or never be replayed.
#[test]
fn every_target_has_its_fuzzer() {
    let fuzzers = Path::new("../../fuzz/fuzz_targets");
    let mut there: Vec<String> = std::fs::read_dir(fuzzers)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    there.sort();
    let mut here = TARGETS.map(|(name, _)| name.to_owned());
    here.sort();
    assert_eq!(there, here);
}
