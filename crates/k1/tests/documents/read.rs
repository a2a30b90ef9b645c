//! Commands in the documents.

use std::path::{Path, PathBuf};

/// A document of the checkout.
pub struct Document {
    /// Its name, such as `docs/lights.md`.
    pub name: String,
    /// Its blocks of code without a language or for a shell, and for each the text that the next block shows as its output.
    pub blocks: Vec<(String, Option<String>)>,
    /// Commands of `k1` within sentences.
    pub mentions: Vec<String>,
}

/// Every document with commands for users.
pub fn documents() -> Vec<Document> {
    let root = std::path::absolute("../..").unwrap();
    let listed = std::fs::read_dir(root.join("docs")).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = listed.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    files.extend(["README.md", "CONTRIBUTING.md", "ops/README.md"].map(|name| root.join(name)));
    files.sort();
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
    files.iter().map(|path| document(name(path), &std::fs::read_to_string(path).unwrap())).collect()
}

/// A document with this text.
pub fn document(name: String, text: &str) -> Document {
    let (mut blocks, mut mentions) = (Vec::<(String, Option<String>)>::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            let quoted = line.split('`').skip(1).step_by(2).filter(|words| words.starts_with("k1 "));
            mentions.extend(quoted.map(str::to_owned));
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim_start() != "```").collect();
        let block = block.join("\n").replace("\\\n", " ");
        match (language, blocks.last_mut()) {
            ("" | "sh", _) => blocks.push((block, None)),
            ("text", Some((commands, output @ None))) if commands.lines().count() == 1 => {
                *output = Some(block)
            }
            _ => {}
        }
    }
    Document { name, blocks, mentions }
}

/// The commands of a line as words, as a shell reads them: without comments and redirections, split at `|`, `;` and `&&`.
pub fn commands(line: &str) -> Vec<Vec<String>> {
    let (mut all, mut words, mut word, mut quote) = (Vec::new(), Vec::new(), None::<String>, None);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(end), _) if letter == end => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            (None, '>') => {
                // A file, which is not an argument.
                let file: String = std::iter::from_fn(|| letters.next_if(|l| *l == ' ')).collect();
                drop(file + &std::iter::from_fn(|| letters.next_if(|l| *l != ' ')).collect::<String>());
            }
            (None, '|' | ';' | '&') => {
                words.extend(word.take());
                all.push(std::mem::take(&mut words));
            }
            (None, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    all.push(words);
    all.retain(|words| !words.is_empty());
    all
}

#[test]
fn lines_are_read_as_a_shell_reads_them() {
    let read = |line| commands(line).iter().map(|words| words.join("·")).collect::<Vec<_>>();
    assert_eq!(read("k1 run 'a b' --name \"c d\"   # and more"), ["k1·run·a b·--name·c d"]);
    assert_eq!(read("k1 keys show > k1.pem"), ["k1·keys·show"]);
    assert_eq!(read("cat x | k1 run - && k1 token; ls"), ["cat·x", "k1·run·-", "k1·token", "ls"]);
    assert_eq!(read("k1 mqtt http://x/#y"), ["k1·mqtt·http://x/#y"]);
    assert_eq!(read("# nothing"), Vec::<String>::new());
}

#[test]
fn blocks_and_mentions_are_found() {
    let text =
        "Use `k1 run`, not `this`.\n```sh\nk1 a \\\n  b\n```\n\n```text\nshown\n```\n```toml\nk1 = 1\n```\n";
    let document = document("x.md".into(), text);
    assert_eq!(document.mentions, ["k1 run"]);
    assert_eq!(document.blocks, [("k1 a    b".into(), Some("shown".into()))]);
}
