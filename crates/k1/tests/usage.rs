//! Wrong usage and empty work: exit status and sentence; help and manual.

mod support;

use support::{fixture, folder, run};

#[test]
fn usage_that_only_the_command_can_judge_is_status_2_and_one_sentence() {
    let cases: [(&[&str], &[&str]); 8] = [
        (&["render", "demo", "-o", "no-such-folder/x.jpg"], &["x.jpg", ".png, .npy or .gif"]),
        (&["render", "mic", "-o", "no-such-folder/x.png"], &["a sound with an end"]),
        (&["render", "demo", "-o", "no-such-folder/x.png", "--rate", "44100"], &["--rate", "leave it out"]),
        (&["analyze", "demo", "-o", "no-such-folder/x.gif"], &["x.gif", ".png or .html"]),
        (&["analyze", "monitor"], &["a sound with an end"]),
        (&["analyze", "demo", "--rate", "44100"], &["--rate", "leave it out"]),
        (&["run", "demo", "--rate", "44100"], &["--rate", "leave it out"]),
        (&["run", "demo", "--token", "short"], &["--token", "too easy to guess"]),
    ];
    for (args, words) in cases {
        let said = run(args);
        assert_eq!(said.code(), Some(2), "{args:?}: {said:?}");
        said.is_one_sentence();
        for word in words {
            assert!(said.err.contains(word), "“{word}” is not in the answer to {args:?}:\n{}", said.err);
        }
    }
    for rate in ["0", "3", "3999", "4000000000"] {
        let said = run(["analyze", "-", "--rate", rate]);
        assert_eq!(said.code(), Some(2), "{said:?}");
        assert!(said.err.contains("write a number from 4000 to 768000"), "{said:?}");
    }
}

#[test]
#[cfg(unix)]
fn an_argument_that_must_be_text_is_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let (good, bad) = (OsStr::from_bytes(b"good\xfe"), OsStr::from_bytes(b"bad\xff"));
    let cases: [&[&OsStr]; 4] = [
        &["monitor".as_ref(), bad],
        &["devices".as_ref(), bad],
        &["soak".as_ref(), "--record".as_ref(), good, bad],
        &["mqtt".as_ref(), "--broker".as_ref(), bad],
    ];
    for args in cases {
        let said = run(args);
        assert_eq!((said.code(), said.err.lines().count()), (Some(2), 1), "{said:?}");
        assert!(said.err.contains("bad") && said.err.contains("is not UTF-8"), "{said:?}");
        assert!(!said.err.contains("good") && !said.err.contains("u{a}"), "{said:?}");
    }
    // Only the unescaped name is wrong, and its newline must not become a line of the answer.
    let said = run(["run", "--name", "a\nerror: all is well"]);
    assert_eq!(said.code(), Some(2), "{said:?}");
    assert!(said.err.contains("a\\u{a}error") && said.err.contains("\n\nFor more"), "{said:?}");
}

#[test]
fn a_picture_of_nothing_is_an_error() {
    let dir = folder();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    for ending in ["png", "npy", "gif"] {
        let out = path(&format!("x.{ending}"));
        run(["render", "-", "-o", &out]).failed_saying(&["standard input is empty"]);
        let song = fixture("demo.flac").to_string_lossy().into_owned();
        run(["render", &song, "--start", "1000", "-o", &out])
            .failed_saying(&["ends after", "before --start 1000"]);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_formats_are_the_same_in_the_readme_and_in_the_list() {
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(k1::source::FORMATS));
    assert!(run(["sources"]).out.contains(k1::source::FORMATS));
}

#[test]
fn the_manual_refers_only_to_pages_that_it_writes() {
    let dir = folder();
    let said = run(["man".as_ref(), "--to".as_ref(), dir.path().as_os_str()]);
    assert_eq!((said.code(), said.out.as_str(), said.err.as_str()), (Some(0), "", ""));
    let has = |page: &str| dir.path().join(page).is_file();
    for page in ["k1.1", "k1-run.1", "k1-keys-trust.1"] {
        assert!(has(page), "{page}");
    }
    let page = run(["man"]).out.replace('\\', "");
    assert!(page.contains("\nk1 - Music into light\n"), "{page}");
    let references: Vec<_> = page
        .match_indices("(1)")
        .map(|(end, _)| page[..end].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap())
        .collect();
    assert!(references.contains(&"k1-run"), "{references:?}");
    for name in references {
        assert!(has(&format!("{name}.1")), "{name}");
    }
    run(["man", "--to", "no-such-folder"]).failed_saying(&["cannot be written to no-such-folder"]);
}
