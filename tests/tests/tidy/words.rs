//! Words in code: a name stands where it begins and ends, so `hyper` is not found in `hyperlink` nor `fs` in `offset`.

/// Whether code names `word`: letters, digits and underscores at its ends must end there.
pub(crate) fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let begins = !word.starts_with(in_name) || !before.is_some_and(in_name);
        let ends = !word.ends_with(in_name) || !after.is_some_and(in_name);
        begins && ends
    })
}

/// Whether a character may stand inside a name.
pub(crate) fn in_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_word_ends_where_its_name_ends() {
        assert!(names("use tonic as wire;", "tonic"));
        assert!(names("use std::{fs, io};", "fs"));
        assert!(names("log::info!()", "log::"));
        assert!(!names("let offset = 1;", "fs"));
        assert!(!names("catalog::find()", "log::"));
        assert!(!names("tonic_prost::x", "tonic"));
    }
}
