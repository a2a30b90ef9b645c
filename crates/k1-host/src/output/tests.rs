use super::*;
use std::fs;

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_result_appears_whole_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    fs::write(&path, "before").unwrap();
    let mut output = Output::create(&path, &Spared::default()).unwrap();
    output.write_all(b"after").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"before");
    output.commit().unwrap();
    assert_eq!((fs::read(&path).unwrap(), names(dir.path())), (b"after".to_vec(), vec!["x".to_owned()]));
    // An output that is given up leaves the old file unchanged, and no file of its own.
    let mut output = Output::create(&path, &Spared::default()).unwrap();
    output.write_all(b"half").unwrap();
    drop(output);
    assert_eq!((fs::read(&path).unwrap(), names(dir.path())), (b"after".to_vec(), vec!["x".to_owned()]));
}

#[test]
fn a_recording_grows_where_nothing_was_and_beside_what_was() {
    let dir = tempfile::tempdir().unwrap();
    let (new, empty, old) = (dir.path().join("new"), dir.path().join("empty"), dir.path().join("old"));
    fs::write(&empty, "").unwrap();
    fs::write(&old, "old").unwrap();
    for (path, meanwhile, given_up) in
        [(&new, "frames", None), (&empty, "frames", Some("")), (&old, "old", Some("old"))]
    {
        let begin = || {
            let mut output = Output::record(path, &Spared::default()).unwrap();
            output.write_all(b"frames").unwrap();
            output
        };
        let output = begin();
        assert_eq!(fs::read_to_string(path).unwrap(), meanwhile);
        drop(output);
        assert_eq!(fs::read_to_string(path).ok().as_deref(), given_up, "{}", path.display());
        begin().commit().unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "frames");
    }
    assert_eq!(names(dir.path()), ["empty", "new", "old"]);
}

#[cfg(unix)]
#[test]
fn an_input_is_refused_by_each_of_its_names() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("sound"), "sound").unwrap();
    fs::create_dir(at("folder")).unwrap();
    symlink(at("sound"), at("link")).unwrap();
    symlink("link", at("link-of-link")).unwrap();
    symlink(dir.path(), at("folder/up")).unwrap();
    fs::hard_link(at("sound"), at("hard")).unwrap();
    let spared = Spared::default().and(&at("link"), "the sound");
    for name in ["sound", "link", "link-of-link", "hard", "./sound", "folder/../sound", "folder/up/hard"] {
        for open in [Output::create, Output::record] {
            let refused = open(&at(name), &spared).unwrap_err().to_string();
            assert!(refused.contains("is the sound itself"), "{name}: {refused}");
        }
        assert!(Log::append(&at(name), &spared).is_err(), "{name}");
    }
    assert_eq!(fs::read(at("sound")).unwrap(), b"sound");
    Output::create(&at("other"), &spared).unwrap().commit().unwrap();
}

#[cfg(unix)]
#[test]
fn two_outputs_never_share_a_file() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    // The link points to a file that does not exist yet.
    symlink("x", at("link")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    let first = Output::create(&at("x"), &Spared::default()).unwrap();
    for name in ["x", "link", "folder/../x"] {
        let refused = Output::create(&at(name), &Spared::default()).unwrap_err().to_string();
        assert!(refused.contains("are the same file"), "{name}: {refused}");
    }
    // If the folder takes both for one name, K1 does, too; elsewhere they are two files.
    fs::write(at("case"), "").unwrap();
    let folds = at("CASE").exists();
    assert_eq!(Output::create(&at("X"), &Spared::default()).is_err(), folds);
    drop(first);
    Output::create(&at("x"), &Spared::default()).unwrap();
    // A device holds nothing that another output could destroy.
    let _null = Output::create(Path::new("/dev/null"), &Spared::default()).unwrap();
    Output::create(Path::new("/dev/null"), &Spared::default()).unwrap();
}

#[cfg(unix)]
#[test]
fn links_stay_and_modes_are_kept() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("file"), "old").unwrap();
    fs::set_permissions(at("file"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::create_dir(at("elsewhere")).unwrap();
    symlink("../file", at("elsewhere/link")).unwrap();
    write(&at("elsewhere/link"), b"new", &Spared::default()).unwrap();
    assert_eq!(fs::read_link(at("elsewhere/link")).unwrap(), Path::new("../file"));
    assert_eq!(fs::read(at("file")).unwrap(), b"new");
    assert_eq!(fs::metadata(at("file")).unwrap().mode() & 0o777, 0o640);
    // For a dangling link, the file is made at the link's target.
    symlink("later", at("dangling")).unwrap();
    write(&at("dangling"), b"made", &Spared::default()).unwrap();
    assert_eq!(fs::read(at("later")).unwrap(), b"made");
    symlink("circle", at("circle")).unwrap();
    let refused = write(&at("circle"), b"", &Spared::default()).unwrap_err().to_string();
    assert!(refused.contains("circle"), "{refused}");
    // Another name of the old file keeps the old content.
    fs::hard_link(at("file"), at("hard")).unwrap();
    write(&at("file"), b"newer", &Spared::default()).unwrap();
    assert_eq!(fs::read(at("hard")).unwrap(), b"new");
    write_private(&at("file"), b"secret").unwrap();
    assert_eq!(fs::metadata(at("file")).unwrap().mode() & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_written_as_it_is_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    // Nobody reads the pipe yet, which must not block anything.
    let mut output = Output::create(&fifo, &Spared::default()).unwrap();
    assert!(!output.is_file() && output.seek(SeekFrom::Start(0)).is_err());
    let reader = {
        let fifo = fifo.clone();
        std::thread::spawn(move || fs::read(fifo).unwrap())
    };
    output.write_all(b"through").unwrap();
    output.commit().unwrap();
    assert_eq!(reader.join().unwrap(), b"through");
    assert!(fs::metadata(&fifo).is_ok(), "the pipe is still there");
    let refused = Output::create(dir.path(), &Spared::default()).unwrap_err().to_string();
    assert!(refused.contains("it is a folder"), "{refused}");
    let refused = Output::create(&dir.path().join("no/x"), &Spared::default()).unwrap_err().to_string();
    assert!(refused.contains("create its folder first"), "{refused}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_with_what_to_do() {
    let full = write(Path::new("/dev/full"), b"x", &Spared::default()).unwrap_err().to_string();
    assert!(
        full.contains("/dev/full cannot be written: No space left") && full.contains("free some space"),
        "{full}"
    );
}

#[test]
fn a_log_only_grows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    fs::write(&path, "first\n").unwrap();
    Log::append(&path, &Spared::default()).unwrap().line("second").unwrap();
    assert_eq!(fs::read_to_string(path).unwrap(), "first\nsecond\n");
    assert!(Log::append(dir.path(), &Spared::default()).is_err());
}
