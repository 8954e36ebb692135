//! Clippy reads the nearest `clippy.toml` only, so this crate's own must say all that the workspace's says, and more.

const ROOT: &str = include_str!("../../../clippy.toml");
const OWN: &str = include_str!("../clippy.toml");

/// Settings of one line: a key and what is written behind it.
fn settings(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    let plain = |line: &&str| line.contains(" = ") && !line.starts_with(['#', '{']) && !line.ends_with('[');
    lines.filter(plain).collect()
}

/// What is banned, by path.
fn bans(text: &str) -> Vec<&str> {
    let rows = text.lines().filter_map(|line| line.split_once("path = \""));
    rows.filter_map(|(_, rest)| rest.split('"').next()).collect()
}

#[test]
fn what_the_workspace_says_is_repeated() {
    assert!(settings(ROOT).len() > 4 && bans(ROOT).len() > 3, "{ROOT}");
    for setting in settings(ROOT) {
        assert!(settings(OWN).contains(&setting), "missing here: {setting}");
    }
    for ban in bans(ROOT) {
        assert!(bans(OWN).contains(&ban), "not banned here: {ban}");
    }
}
