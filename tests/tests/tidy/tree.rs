//! The checkout as values: every file of text with its path, cut into code and comments, and which of it is test code.
//!
//! Code is test code when it stands where cargo and Maven look for tests, or when a `#[cfg(test)] mod` brings it in: as a
//! block in the file, or as a file of its own with all that lies below. A file that merely is called `tests.rs` is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::lexer::{self, Line};
use crate::words::in_name;

/// What git does not hold: the builds' own directories and what `make demo` leaves.
const UNTRACKED: &[&str] = &["target", ".git", ".demo"];

/// One file.
pub(crate) struct Source {
    /// Below the root of the checkout, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    lines: Vec<Line>,
    /// Per line, whether it belongs to a test module in the file.
    in_test_module: Vec<bool>,
    /// Modules that are declared here for tests alone, each in a file of its own.
    test_modules: Vec<String>,
    /// Every name in its code, so that rules need not read a file that names nothing of theirs.
    names: BTreeSet<String>,
    is_test_file: bool,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let lines = lexer::lines(path, text);
        let (in_test_module, test_modules) = if path.ends_with(".rs") {
            test_modules(&lines)
        } else {
            (vec![false; lines.len()], Vec::new())
        };
        let words = lines
            .iter()
            .flat_map(|line| line.code.split(|character| !in_name(character)));
        let names = words.map(str::to_owned).collect();
        let is_test_file = false;
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            lines,
            in_test_module,
            test_modules,
            names,
            is_test_file,
        }
    }

    /// All lines, tests included.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Lines of code that become part of a program; none for files of tests.
    pub(crate) fn product(&self) -> impl Iterator<Item = &Line> {
        self.own_code().filter(|_| !self.is_test_file)
    }

    /// Lines of code outside the file's test modules, whatever the file is.
    pub(crate) fn own_code(&self) -> impl Iterator<Item = &Line> {
        let lines = self.lines.iter().zip(&self.in_test_module);
        lines
            .filter(|(line, test)| !**test && !line.code.trim().is_empty())
            .map(|(line, _)| line)
    }

    /// Lines of code that are compiled for tests alone.
    pub(crate) fn test_code(&self) -> impl Iterator<Item = &Line> {
        let lines = self.lines.iter().zip(&self.in_test_module);
        let tests = lines.filter(|(line, test)| (**test || self.is_test_file) && !line.code.is_empty());
        tests.map(|(line, _)| line)
    }

    /// Those of some words that may stand in the code: all names in them do, somewhere.
    pub(crate) fn may_name<'a>(&self, words: &[&'a str]) -> Vec<&'a str> {
        let names = |word: &'a str| {
            word.split(|character| !in_name(character))
                .filter(|name| !name.is_empty())
        };
        words
            .iter()
            .copied()
            .filter(|word| names(word).all(|name| self.names.contains(name)))
            .collect()
    }

    /// Where its test modules with files of their own may lie.
    fn test_files(&self) -> impl Iterator<Item = String> {
        self.test_modules.iter().flat_map(|name| homes(self, name))
    }

    pub(crate) fn is_test_file(&self) -> bool {
        self.is_test_file
    }

    /// Whether the file is one of these or lies below one of these directories.
    pub(crate) fn is_in<'a>(&self, places: impl IntoIterator<Item = &'a &'a str>) -> bool {
        places.into_iter().any(|place| is_below(&self.path, place))
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn is_java(&self) -> bool {
        self.path.ends_with(".java")
    }
}

/// Whether `path` is `place` or lies in it.
pub(crate) fn is_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Which lines belong to test modules, and the names of those that have a file.
fn test_modules(lines: &[Line]) -> (Vec<bool>, Vec<String>) {
    let mut inside = vec![false; lines.len()];
    let mut elsewhere = Vec::new();
    let mut index = 0;
    while index < lines.len() {
        let Some((declared, name)) = test_module(lines, index) else {
            index += 1;
            continue;
        };
        let last = if lines[declared].code.contains('{') {
            end_of_block(lines, declared)
        } else {
            elsewhere.push(name);
            declared
        };
        inside[index..=last].fill(true);
        index = last + 1;
    }
    (inside, elsewhere)
}

/// The line on which a module for tests is declared, if its attribute stands on line `index`.
fn test_module(lines: &[Line], index: usize) -> Option<(usize, String)> {
    if lines[index].code.trim() != "#[cfg(test)]" {
        return None;
    }
    let attributed = |line: &Line| line.code.trim().is_empty() || line.code.trim().starts_with("#[");
    let declared = (index + 1..lines.len()).find(|at| !attributed(&lines[*at]))?;
    let words: Vec<&str> = lines[declared].code.split([' ', ';', '{']).collect();
    let name = words
        .iter()
        .position(|word| *word == "mod")
        .and_then(|at| words.get(at + 1))?;
    Some((declared, (*name).to_owned()))
}

/// The line that closes what the first brace from line `first` opens; the last line if nothing does.
fn end_of_block(lines: &[Line], first: usize) -> usize {
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate().skip(first) {
        for character in line.code.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if character == '}' && depth == 0 {
                return index;
            }
        }
    }
    lines.len() - 1
}

/// All files that git would hold.
pub(crate) struct Tree {
    files: BTreeMap<String, Source>,
    /// Paths of files and directories, and all ends of such paths.
    names: BTreeSet<String>,
    /// What lies at the root.
    roots: BTreeSet<String>,
}

impl Tree {
    /// Reads the checkout that this test was built in.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the tests crate lies in the workspace");
        let mut found = Vec::new();
        collect(root, root, &mut found);
        Self::of(found)
    }

    pub(crate) fn of(sources: Vec<Source>) -> Self {
        let files = sources
            .into_iter()
            .map(|source| (source.path.clone(), source))
            .collect();
        let mut tree = Self {
            files,
            names: BTreeSet::new(),
            roots: BTreeSet::new(),
        };
        tree.settle();
        tree
    }

    /// Adds or changes one file; what was there is given back.
    pub(crate) fn put(&mut self, source: Source) -> Option<Source> {
        let before = self.files.insert(source.path.clone(), source);
        self.settle();
        before
    }

    /// Undoes [`Tree::put`].
    pub(crate) fn put_back(&mut self, path: &str, before: Option<Source>) {
        match before {
            Some(source) => self.files.insert(path.to_owned(), source),
            None => self.files.remove(path),
        };
        self.settle();
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Source> {
        self.files.get(path)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Source> {
        self.files.values()
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.all().filter(|source| source.is_rust())
    }

    pub(crate) fn java(&self) -> impl Iterator<Item = &Source> {
        self.all().filter(|source| source.is_java())
    }

    /// Whether a file or directory is called so, by its whole path or by the end of it.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.names.contains(name.trim_end_matches('/'))
    }

    /// Whether something called so lies at the root.
    pub(crate) fn has_at_root(&self, name: &str) -> bool {
        self.roots.contains(name)
    }

    /// Says of each file whether it is test code, and how files and directories are called.
    fn settle(&mut self) {
        let declared: BTreeSet<String> = self.files.values().flat_map(Source::test_files).collect();
        self.names.clear();
        self.roots.clear();
        for (path, source) in &mut self.files {
            let parents = || {
                path.match_indices('/')
                    .map(|(at, _)| &path[..at])
                    .chain([path.as_str()])
            };
            source.is_test_file =
                stands_among_tests(path) || parents().any(|parent| declared.contains(parent));
            self.roots.extend(parents().next().map(str::to_owned));
            for name in parents() {
                let ends = name.match_indices('/').map(|(at, _)| name[at + 1..].to_owned());
                self.names.extend(ends.chain([name.to_owned()]));
            }
        }
    }
}

/// Where the module `name` of a file may lie: a file, and a directory with all that is below it.
fn homes(source: &Source, name: &str) -> [String; 2] {
    let (directory, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let own = match file {
        "lib.rs" | "main.rs" | "mod.rs" => directory.to_owned(),
        _ => source.path.trim_end_matches(".rs").to_owned(),
    };
    [format!("{own}/{name}.rs"), format!("{own}/{name}")]
}

/// Cargo's and Maven's places for tests, and the crate that is nothing else.
fn stands_among_tests(path: &str) -> bool {
    let below_src = path.contains("/src/");
    path.starts_with("tests/") || path.contains("/src/test/") || (path.contains("/tests/") && !below_src)
}

fn collect(root: &Path, directory: &Path, found: &mut Vec<Source>) {
    let entries = fs::read_dir(directory).expect("the checkout can be listed");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the checkout can be listed").path())
        .collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if UNTRACKED.contains(&name) {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            // What is not text has a name at least, and may be cited.
            let text = fs::read_to_string(&path).unwrap_or_default();
            let below = path
                .strip_prefix(root)
                .expect("found below the root")
                .to_string_lossy()
                .into_owned();
            found.push(Source::new(&below, &text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Source, Tree};

    fn product(source: &Source) -> Vec<usize> {
        source.product().map(|line| line.number).collect()
    }

    #[test]
    fn a_test_module_ends_where_its_block_ends() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}\n#[cfg(test)]\nmod more {\n  fn c() {}\n}\nfn d() {}\n";
        assert_eq!(product(&Source::new("store/src/a.rs", text)), [1, 4, 9]);
        let function = "#[cfg(test)]\nfn a() {}\n";
        assert_eq!(product(&Source::new("store/src/a.rs", function)), [1, 2]);
    }

    #[test]
    fn a_file_is_a_test_by_its_declaration_alone() {
        let tree = Tree::of(vec![
            Source::new("store/src/a.rs", "#[cfg(test)]\nmod checks;\n"),
            Source::new("store/src/a/checks.rs", "fn a() {}\n"),
            Source::new("store/src/a/checks/deep.rs", "fn a() {}\n"),
            Source::new("store/src/a/tests.rs", "fn a() {}\n"),
            Source::new("store/tests/a.rs", "fn a() {}\n"),
        ]);
        let tests: Vec<&str> = tree
            .all()
            .filter(|s| s.is_test_file())
            .map(|s| s.path.as_str())
            .collect();
        assert_eq!(
            tests,
            [
                "store/src/a/checks.rs",
                "store/src/a/checks/deep.rs",
                "store/tests/a.rs"
            ]
        );
    }
}
