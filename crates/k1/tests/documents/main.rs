//! Every command in the documents is one that K1 understands, and those of the pages for users do what the pages tell, in
//! their order, in a network with two WLED strips and an Art-Net node.

#[cfg(target_os = "linux")]
mod pages;
mod read;
#[cfg(target_os = "linux")]
#[path = "../support/mod.rs"]
mod support;

use clap::Parser;
use clap::error::ErrorKind::{
    DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion, MissingRequiredArgument,
    MissingSubcommand,
};
use clap::error::{ContextKind, ContextValue};
use k1::cli::Cli;
use read::{Document, commands, documents};

/// Commands of other programs, by their first word, and what makes sure of them.
const OTHERS: [(&str, &str); 19] = [
    (".", "the maker's own toolchain, which needs their download"),
    (".ci/run", "the gate itself"),
    ("cargo", "the gate runs it; its tests and tasks are checked below"),
    ("cat", "a file into a pipe"),
    ("cd", "a folder"),
    ("curl", "tests/api and tests/virt ask the same paths"),
    ("espflash", "the boards' own tool, which needs a board"),
    ("ffmpeg", "tests/formats runs it"),
    ("git", "the network"),
    ("head", "tests/virt/operate.rs cuts a signature out"),
    ("mkdir", "run with the pages"),
    ("mosquitto_pub", "tests/mqtt.rs publishes the same"),
    ("mosquitto_sub", "tests/mqtt.rs subscribes to the same"),
    ("openssl", "tests/virt/operate.rs verifies a signature"),
    ("rustup", "the network"),
    ("sha256sum", "a hash of a file"),
    ("sudo", "`cargo xtask service` installs the package"),
    ("systemctl", "tests/service.rs checks the unit"),
    ("tail", "tests/virt/operate.rs cuts a signature out"),
];

/// True if a sentence may have this value: none, or a word that stands for one, such as `HOST[:PORT]`.
fn stands_for_another(error: &clap::Error) -> bool {
    let wrong = [ContextKind::InvalidValue, ContextKind::InvalidSubcommand].map(|kind| error.get(kind));
    wrong.into_iter().flatten().any(|value| match value {
        ContextValue::String(text) => {
            text.is_empty() || text.split(|c: char| !c.is_uppercase()).any(|word| word.len() > 3)
        }
        _ => false,
    })
}

/// Why K1 does not understand a command; `None` if it does. In a sentence, arguments may be left out.
fn refusal(words: &[String], is_mention: bool) -> Option<String> {
    let error = Cli::try_parse_from(words).err()?;
    let is_incomplete = matches!(
        error.kind(),
        MissingRequiredArgument | MissingSubcommand | DisplayHelpOnMissingArgumentOrSubcommand
    );
    let is_fine = matches!(error.kind(), DisplayHelp | DisplayVersion)
        || is_mention && (is_incomplete || stands_for_another(&error));
    (!is_fine)
        .then(|| format!("{}: {}", words.join(" "), error.to_string().lines().next().unwrap_or_default()))
}

/// What is wrong with the commands of a document.
fn faults(document: &Document) -> Vec<String> {
    let mut faults = Vec::new();
    // A block with arrows is a drawing.
    let blocks = document.blocks.iter().filter(|(block, _)| !block.contains("─▶"));
    for words in blocks.flat_map(|(block, _)| block.lines()).flat_map(commands) {
        // Behind variables that are set for the command.
        let first = words.iter().find(|word| !word.contains('=')).map_or("", |word| word);
        if first == "k1" {
            faults.extend(refusal(&words, false));
        } else if first.starts_with('[') {
            // What a console prints.
        } else if !OTHERS.iter().any(|(program, _)| *program == first) {
            faults.push(format!("{}: say in OTHERS what makes sure of it", words.join(" ")));
        }
    }
    for mention in &document.mentions {
        // An ellipsis stands for arguments.
        let told = mention.split(['…', '|']).next().unwrap_or_default();
        faults.extend(commands(told).iter().filter_map(|words| refusal(words, true)));
    }
    faults
}

#[test]
fn every_command_in_the_documents_is_understood() {
    let all = documents();
    let count: usize = all.iter().map(|d| d.blocks.len() + d.mentions.len()).sum();
    assert!(all.len() > 20 && count > 150, "{count} in {} documents", all.len());
    let told: String = all
        .iter()
        .flat_map(|d| faults(d).into_iter().map(|fault| format!("\n{}: {fault}", d.name)))
        .collect();
    assert!(told.is_empty(), "{told}");
}

#[test]
fn a_command_that_k1_does_not_know_is_told() {
    let told = |text: &str| faults(&read::document("x.md".into(), text));
    assert_eq!(
        told("```sh\nk1 run demo --to ddp://x   # fine\n```\nAnd `k1 lights add`.\n"),
        Vec::<String>::new()
    );
    for wrong in [
        "```sh\nk1 run demo --louder\n```",
        "```sh\nk1 dance\n```",
        "```\nk1 run --set shine=1\n```",
        "```sh\nk1 lights add\n```",
        "```sh\nmake it so\n```",
        "Use `k1 run --louder`.",
        "Use `k1 lights dance`.",
        "Use `k1 run --duration soon`.",
    ] {
        assert_eq!(told(wrong).len(), 1, "{wrong}");
    }
}

/// Tests that are named exist, and so do tasks of `cargo xtask`.
#[test]
fn tests_and_tasks_in_the_documents_exist() {
    let root = std::path::absolute("../..").unwrap();
    let tasks = std::fs::read_to_string(root.join("xtask/src/main.rs")).unwrap();
    let mut count = 0;
    for document in documents() {
        for words in document.blocks.iter().flat_map(|(block, _)| block.lines()).flat_map(commands) {
            let behind = |word: &str| words.iter().position(|w| w == word).and_then(|at| words.get(at + 1));
            let told = format!("{}: {}", document.name, words.join(" "));
            if let (Some(package), Some(test)) = (behind("-p"), behind("--test")) {
                let folder = ["crates", ""].map(|room| root.join(room).join(package).join("tests"));
                let is_there =
                    folder.iter().any(|f| f.join(format!("{test}.rs")).exists() || f.join(test).exists());
                assert!(is_there, "{told}");
                count += 1;
            }
            // That task is espflash's.
            if let Some(task) = behind("xtask").filter(|task| *task != "build-bootloaders") {
                assert!(tasks.contains(&format!("cargo xtask {task}")), "{told}");
                count += 1;
            }
        }
    }
    assert!(count > 5, "only {count} were found");
}
