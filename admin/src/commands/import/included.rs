//! Which files an Include means: by its own path, or below the directory of the file that names it and those above that one.
//!
//! A directory means all files in it and below, as httpd has it. The order is that of names.
//!
//! Left out on purpose: a root that only the program that is imported from knows. What is not found is told of, and can be named.

use std::fs;
use std::path::{Component, Path, PathBuf};

use remora_import::{Source, is_like};

/// Most files that one Include means: a server has some hundred sites at most.
const FILES_MAX: usize = 1_000;

/// How many directories above a file are looked at: from sites-enabled up to the server's root there are three.
const ABOVE_MAX: usize = 4;

/// The files that `pattern` means in the file `from`.
pub(super) fn files(from: &str, pattern: &str) -> Result<Vec<Source>, String> {
    let mut places: Vec<PathBuf> = Path::new(from)
        .ancestors()
        .skip(1)
        .take(ABOVE_MAX)
        .map(Path::to_owned)
        .collect();
    if Path::new(pattern).is_absolute() {
        places = vec![PathBuf::new()];
    }
    for place in places {
        let found = like(&place, Path::new(pattern));
        if found.len() > FILES_MAX {
            return Err(format!("{pattern} means more than {FILES_MAX} files"));
        }
        if !found.is_empty() {
            let sources = found
                .iter()
                .map(|file| super::source(file).map_err(|failure| failure.to_string()));
            return sources.collect();
        }
    }
    Err(format!("there is no file {pattern} beside {from} or above it"))
}

/// Files below a directory that are like a pattern.
fn like(place: &Path, pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![place.to_owned()];
    for part in pattern.components() {
        let mut next = Vec::new();
        for directory in found {
            match part {
                Component::Normal(name) if name.to_string_lossy().contains(['*', '?']) => {
                    let pattern = name.to_string_lossy();
                    next.extend(entries(&directory).into_iter().filter(|entry| {
                        entry
                            .file_name()
                            .is_some_and(|name| is_like(&name.to_string_lossy(), &pattern))
                    }));
                }
                part => next.push(directory.join(part)),
            }
        }
        next.truncate(FILES_MAX + 1);
        found = next;
    }
    let mut files = Vec::new();
    while let Some(entry) = found.pop() {
        if entry.is_dir() && files.len() <= FILES_MAX {
            found.extend(entries(&entry));
        } else if entry.is_file() {
            files.push(entry);
        }
    }
    files.sort();
    files
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_include_is_looked_for_beside_the_file_and_above() {
        let home = tempfile::tempdir().unwrap();
        let sites = home.path().join("sites-enabled");
        fs::create_dir_all(home.path().join("conf.d/deep")).unwrap();
        fs::create_dir(&sites).unwrap();
        for name in [
            "conf.d/b.conf",
            "conf.d/a.conf",
            "conf.d/deep/c.conf",
            "conf.d/a.conf~",
        ] {
            fs::write(home.path().join(name), name).unwrap();
        }
        let from = sites.join("shop.conf").display().to_string();
        let named = |pattern: &str| -> Vec<String> {
            let found = files(&from, pattern).unwrap_or_default();
            found.iter().map(|source| source.text.clone()).collect()
        };
        assert_eq!(named("conf.d/*.conf"), ["conf.d/a.conf", "conf.d/b.conf"]);
        assert_eq!(
            named(&home.path().join("conf.d/?.conf").display().to_string()).len(),
            2
        );
        assert_eq!(named("conf.d").len(), 4);
        assert!(
            files(&from, "conf.d/*.cnf")
                .unwrap_err()
                .contains("there is no file conf.d/*.cnf")
        );
    }
}
