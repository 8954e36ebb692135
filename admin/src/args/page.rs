//! docs/cli.md, made of what the flags and verbs say of themselves: it cannot tell anything else.
//! `UPDATE_GOLDENFILES=1 cargo test -p remora-admin the_page` writes the page anew.

use clap::{Command, CommandFactory};

use super::Arguments;

/// Columns of the page's blocks: what a browser shows without a scroll bar.
const WIDTH: usize = 100;

const OPENING: &str = "# The command line

What each verb of `remora` says of itself with `--help`. Flags that every verb takes stand with `remora` alone. Man pages hold the
same (`man remora-sessions-list`), and `remora completions` makes bash, zsh and fish complete it.

Whom to ask and as whom is best kept in the environment:

```
export REMORA_STORE=192.0.2.1:7400,192.0.2.2:7400,192.0.2.3:7400 REMORA_PROXY=192.0.2.8:7410,192.0.2.9:7410
export REMORA_TLS_AUTHORITY=authority.pem REMORA_TLS_CERT=admin.pem REMORA_TLS_KEY=admin.key
remora status
```

Answers go to standard output, and everything else to standard error. `-o json` and `-o yaml` hold a report whole: a member for
each table and record, columns by their names with underscores, numbers as numbers, and null for what is unknown. `-o csv` is the
main table; text in it that a spreadsheet would run as a formula begins with an apostrophe. What users chose, such as names, moves
no terminal: control characters are shown as \u{fffd}, but in JSON and YAML, which escape them.
";

fn page() -> String {
    let mut page = OPENING.to_owned();
    // A page that says how to ask for help is of no help.
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    tell(&mut page, &command, true);
    page
}

fn tell(page: &mut String, command: &Command, is_whole: bool) {
    let shown = command.clone().term_width(WIDTH);
    // The environment is that of whoever runs this.
    let shown = shown.mut_args(|flag| {
        let is_hidden = flag.is_hide_set() || (!is_whole && flag.is_global_set());
        flag.hide_env_values(true).hide(is_hidden)
    });
    let help = shown.clone().render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    *page += &format!("\n## {name}\n\n```\n{}\n```\n", lines.join("\n").trim_end());
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        tell(page, verb, false);
    }
}

#[test]
fn the_page_is_what_the_verbs_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
    let page = page();
    if std::env::var_os("UPDATE_GOLDENFILES").is_some() {
        std::fs::write(path, &page).expect("docs/ is there");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "docs/cli.md differs: write it anew");
}
