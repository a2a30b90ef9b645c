//! Reads a crate's modules from its sources: the names that each defines, imports and uses.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One `use` of one name.
pub struct Import {
    pub path: Vec<String>,
    /// The name that it gets here; `*` imports all names, `_` only a trait's methods.
    pub bound: String,
    /// True if others can import it from here.
    pub passed_on: bool,
}

/// A module: a file, or a part of one.
pub struct Module {
    pub name: String,
    pub parent: Option<usize>,
    pub file: PathBuf,
    pub children: Vec<usize>,
    /// Names of the functions, types, constants and so on that are defined here.
    pub items: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// Every path of two or more names outside of `use`.
    pub paths: BTreeSet<Vec<String>>,
    /// Every name outside of `use`.
    pub names: BTreeSet<String>,
}

/// All modules of a `lib.rs` or `main.rs`, without tests. The root comes first.
pub fn read(root: &Path) -> Vec<Module> {
    let mut reader = Reader { modules: Vec::new() };
    let folder = root.parent().expect("a file in a folder").to_owned();
    reader.file(String::from("crate"), None, root, &folder);
    reader.modules
}

struct Reader {
    modules: Vec<Module>,
}

impl Reader {
    /// Reads a file; `folder` contains the files of its children.
    fn file(&mut self, name: String, parent: Option<usize>, file: &Path, folder: &Path) -> usize {
        let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let tokens: TokenStream = text.parse().unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        self.module(name, parent, file, folder, tokens)
    }

    fn module(
        &mut self,
        name: String,
        parent: Option<usize>,
        file: &Path,
        folder: &Path,
        tokens: TokenStream,
    ) -> usize {
        let at = self.modules.len();
        self.modules.push(Module {
            name,
            parent,
            file: file.to_owned(),
            children: Vec::new(),
            items: BTreeSet::new(),
            imports: Vec::new(),
            paths: BTreeSet::new(),
            names: BTreeSet::new(),
        });
        self.tokens(at, folder, tokens, true);
        at
    }

    /// Goes through the tokens of a module (`top`) or of a group within one.
    fn tokens(&mut self, at: usize, folder: &Path, tokens: TokenStream, top: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut i = 0;
        let mut elsewhere = Vec::new();
        let mut visible = false;
        while i < tokens.len() {
            if let Some((inner, next)) = attribute(&tokens, i) {
                if is_test_only(&inner) {
                    i = after_item(&tokens, next);
                    continue;
                }
                elsewhere.extend(files_named(&inner));
                self.attribute(at, &inner);
                i = next;
                continue;
            }
            match &tokens[i] {
                TokenTree::Ident(word) => {
                    let word = plain(&word.to_string());
                    let next = tokens.get(i + 1);
                    match (word.as_str(), next) {
                        ("use", Some(tree)) if !is(tree, '<') => {
                            let end =
                                (i..tokens.len()).find(|&j| is(&tokens[j], ';')).unwrap_or(tokens.len());
                            let mut trees = tokens[i + 1..end].iter().cloned().collect::<TokenStream>();
                            if is(tree, ':') {
                                trees = TokenStream::new();
                            }
                            self.import(at, &mut Vec::new(), trees, visible);
                            i = end;
                        }
                        ("mod", Some(TokenTree::Ident(child))) => {
                            let child = plain(&child.to_string());
                            match tokens.get(i + 2) {
                                Some(TokenTree::Group(inside)) => {
                                    let file = self.modules[at].file.clone();
                                    let made = self.module(
                                        child.clone(),
                                        Some(at),
                                        &file,
                                        &folder.join(&child),
                                        inside.stream(),
                                    );
                                    self.modules[at].children.push(made);
                                    i += 2;
                                }
                                _ => {
                                    self.child(at, &child, folder, &elsewhere);
                                    i += 1;
                                }
                            }
                        }
                        ("pub", _) => {
                            visible = true;
                            i += 1;
                            // The brackets only limit its visibility.
                            if let Some(TokenTree::Group(group)) = next
                                && group.delimiter() == Delimiter::Parenthesis
                                && group.stream().to_string().split(' ').next().is_some_and(is_visibility)
                            {
                                i += 1;
                            }
                            continue;
                        }
                        (
                            "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const",
                            Some(TokenTree::Ident(name)),
                        ) if top => {
                            let name = plain(&name.to_string());
                            if !matches!(name.as_str(), "fn" | "unsafe" | "extern" | "async") {
                                self.modules[at].items.insert(name);
                                i += 1;
                            }
                        }
                        ("static", Some(TokenTree::Ident(name))) if top => {
                            let mut name = name.to_string();
                            if name == "mut" {
                                name = tokens.get(i + 2).map(ToString::to_string).unwrap_or_default();
                            }
                            self.modules[at].items.insert(plain(&name));
                        }
                        ("macro_rules", _) => {
                            if let Some(TokenTree::Ident(name)) = tokens.get(i + 2) {
                                self.modules[at].items.insert(plain(&name.to_string()));
                                i += 2;
                            }
                        }
                        _ => i = self.path(at, &tokens, i),
                    }
                }
                TokenTree::Group(group) => self.tokens(at, folder, group.stream(), false),
                _ => {}
            }
            elsewhere.clear();
            visible = false;
            i += 1;
        }
    }

    /// Reads a module in a file of its own, which an attribute may name.
    fn child(&mut self, at: usize, name: &str, folder: &Path, elsewhere: &[String]) {
        let beside = self.modules[at].file.parent().expect("a file in a folder").to_owned();
        let mut files: Vec<PathBuf> = elsewhere.iter().map(|file| beside.join(file)).collect();
        let own = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
        files.extend(own.into_iter().filter(|file| file.exists()));
        assert!(!files.is_empty(), "{}: no file for mod {name}", self.modules[at].file.display());
        for file in files {
            let made = self.file(name.to_owned(), Some(at), &file, &folder.join(name));
            self.modules[at].children.push(made);
        }
    }

    /// Reads the path that starts here, and returns the place of its last name.
    fn path(&mut self, at: usize, tokens: &[TokenTree], start: usize) -> usize {
        let module = &mut self.modules[at];
        let mut path = vec![plain(&tokens[start].to_string())];
        let mut i = start;
        while let (Some(a), Some(b), Some(TokenTree::Ident(next))) =
            (tokens.get(i + 1), tokens.get(i + 2), tokens.get(i + 3))
            && is(a, ':')
            && is(b, ':')
        {
            path.push(plain(&next.to_string()));
            i += 3;
        }
        module.names.extend(path.first().cloned());
        // `::name` belongs to another crate, and `.name` is a field or a method.
        let after = |sign| start > 0 && is(&tokens[start - 1], sign);
        let absolute = start > 1 && is(&tokens[start - 1], ':') && is(&tokens[start - 2], ':');
        if path.len() > 1 && !absolute && !after('.') {
            module.paths.insert(path);
        }
        i
    }

    /// Paths that an attribute names, in its tokens or as text (`default = "crate::settings::port"`).
    fn attribute(&mut self, at: usize, inside: &TokenStream) {
        if first_word(inside) == "doc" {
            return;
        }
        let trees: Vec<TokenTree> = inside.clone().into_iter().collect();
        let mut i = 0;
        while i < trees.len() {
            match &trees[i] {
                TokenTree::Ident(_) => i = self.path(at, &trees, i),
                TokenTree::Group(group) => self.attribute(at, &group.stream()),
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    let path: Vec<String> = text.trim_matches('"').split("::").map(plain).collect();
                    if path.len() > 1 && matches!(path[0].as_str(), "crate" | "self" | "super") {
                        self.modules[at].paths.insert(path);
                    }
                }
                TokenTree::Punct(_) => {}
            }
            i += 1;
        }
    }

    fn import(&mut self, at: usize, prefix: &mut Vec<String>, tokens: TokenStream, passed_on: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for branch in tokens.split(|tree| is(tree, ',')) {
            let kept = prefix.len();
            let mut bound = None;
            let mut i = 0;
            while i < branch.len() {
                match &branch[i] {
                    TokenTree::Ident(word) if word == "as" => {
                        bound = branch.get(i + 1).map(|name| plain(&name.to_string()));
                        break;
                    }
                    TokenTree::Ident(word) => prefix.push(plain(&word.to_string())),
                    TokenTree::Punct(sign) if sign.as_char() == '*' => bound = Some(String::from("*")),
                    TokenTree::Group(group) => self.import(at, prefix, group.stream(), passed_on),
                    _ => {}
                }
                i += 1;
            }
            if !branch.iter().any(|tree| matches!(tree, TokenTree::Group(_))) && !prefix.is_empty() {
                let mut path = prefix.clone();
                if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                    path.pop();
                }
                let bound = bound.unwrap_or_else(|| path[path.len() - 1].clone());
                self.modules[at].imports.push(Import { path, bound, passed_on });
            }
            prefix.truncate(kept);
        }
    }
}

fn is(tree: &TokenTree, sign: char) -> bool {
    matches!(tree, TokenTree::Punct(found) if found.as_char() == sign)
}

fn plain(word: &str) -> String {
    word.strip_prefix("r#").unwrap_or(word).to_owned()
}

fn is_visibility(word: &str) -> bool {
    matches!(word, "crate" | "super" | "self" | "in")
}

fn first_word(tokens: &TokenStream) -> String {
    tokens.clone().into_iter().next().map(|tree| tree.to_string()).unwrap_or_default()
}

/// The content of the attribute that begins here, and the place of its end.
fn attribute(tokens: &[TokenTree], at: usize) -> Option<(TokenStream, usize)> {
    if !is(&tokens[at], '#') {
        return None;
    }
    let group = if is(tokens.get(at + 1)?, '!') { at + 2 } else { at + 1 };
    match tokens.get(group)? {
        TokenTree::Group(inside) if inside.delimiter() == Delimiter::Bracket => {
            Some((inside.stream(), group + 1))
        }
        _ => None,
    }
}

/// True for `cfg(test)`, `cfg(all(test, …))` and `test`.
fn is_test_only(attribute: &TokenStream) -> bool {
    fn asks(tokens: TokenStream) -> bool {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        trees.iter().enumerate().any(|(i, tree)| match tree {
            TokenTree::Ident(word) => word == "test",
            TokenTree::Group(group) => {
                // With `any(…)` and `not(…)`, the code may also be built without tests.
                let all = i == 0 || trees[i - 1].to_string() == "all";
                all && asks(group.stream())
            }
            _ => false,
        })
    }
    let trees: Vec<TokenTree> = attribute.clone().into_iter().collect();
    match trees.as_slice() {
        [TokenTree::Ident(word)] => word == "test",
        [TokenTree::Ident(word), TokenTree::Group(group)] => word == "cfg" && asks(group.stream()),
        _ => false,
    }
}

/// The files that `path = "…"` names.
fn files_named(attribute: &TokenStream) -> Vec<String> {
    let trees: Vec<TokenTree> = attribute.clone().into_iter().collect();
    let mut files = Vec::new();
    for (i, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Ident(word) if word == "path" => {
                if let Some(TokenTree::Literal(file)) = trees.get(i + 2) {
                    files.push(file.to_string().trim_matches('"').to_owned());
                }
            }
            TokenTree::Group(group) => files.extend(files_named(&group.stream())),
            _ => {}
        }
    }
    files
}

/// The place after the item, field or statement that begins here.
fn after_item(tokens: &[TokenTree], mut at: usize) -> usize {
    while let Some((_, next)) = tokens.get(at).and_then(|_| attribute(tokens, at)) {
        at = next;
    }
    let (mut is_item, mut until_semicolon) = (false, false);
    for (i, tree) in tokens.iter().enumerate().skip(at) {
        match tree {
            TokenTree::Ident(word) => match word.to_string().as_str() {
                "use" | "const" | "static" | "type" | "let" => (is_item, until_semicolon) = (true, true),
                "fn" | "mod" | "struct" | "enum" | "impl" | "trait" | "macro_rules" => {
                    (is_item, until_semicolon) = (true, false)
                }
                _ => {}
            },
            TokenTree::Punct(sign) if sign.as_char() == ';' || (sign.as_char() == ',' && !is_item) => {
                return i + 1;
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !until_semicolon => {
                return i + 1;
            }
            _ => {}
        }
    }
    tokens.len()
}
