//! A program's man pages and completions, out of the flags that it reads: they cannot tell what is not so.
//!
//! `PROGRAM --write-manual DIR`, which `make install` says and `--help` does not show, writes below `DIR` what belongs into
//! the places of a system: `man/` (a page for the program and one for each verb), `bash/`, `zsh/` and `fish/`. It is looked
//! for before the flags are read, so that nothing else has to be said, and nothing is started.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, ValueEnum};
use clap_complete::generate;
use clap_complete::shells;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::exit::Failure;

/// The flag that asks for it: the first word of its command line, before the directory and nothing else.
const FLAG: &str = "--write-manual";

/// What examples begin with where `--help` shows them; in a page it is a heading.
const EXAMPLES: &str = "Examples:\n";

/// A shell that completes commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// Z shell.
    Zsh,
    /// Friendly interactive shell.
    Fish,
}

/// What became of the wish for a manual, where the command line has one. `section` is that of the pages: 1 for commands, 8 for
/// servers.
pub fn asked(command: Command, section: &str) -> Option<Result<(), Failure>> {
    let mut words = std::env::args_os().skip(1);
    if words.next().as_deref() != Some(OsStr::new(FLAG)) {
        return None;
    }
    let (Some(directory), None) = (words.next(), words.next()) else {
        let sentence = format!("{FLAG} stands alone, before the directory to write to");
        return Some(Err(Failure::Usage(sentence)));
    };
    let directory = PathBuf::from(directory);
    let written = write(command, section, &directory);
    Some(written.map_err(|error| Failure::while_doing(&format!("write to {}", directory.display()), &error)))
}

/// What a shell has to read to complete a program's command lines.
pub fn completions(mut command: Command, shell: Shell) -> Vec<u8> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    match shell {
        Shell::Bash => generate(shells::Bash, &mut command, name, &mut script),
        Shell::Zsh => generate(shells::Zsh, &mut command, name, &mut script),
        Shell::Fish => generate(shells::Fish, &mut command, name, &mut script),
    }
    script
}

fn write(command: Command, section: &str, directory: &Path) -> io::Result<()> {
    let name = command.get_name().to_owned();
    let scripts = [
        (Shell::Bash, "bash", name.clone()),
        (Shell::Zsh, "zsh", format!("_{name}")),
        (Shell::Fish, "fish", format!("{name}.fish")),
    ];
    for (shell, place, file) in scripts {
        let place = directory.join(place);
        fs::create_dir_all(&place)?;
        fs::write(place.join(file), completions(command.clone(), shell))?;
    }
    let pages = directory.join("man");
    fs::create_dir_all(&pages)?;
    let version = command.get_version().unwrap_or_default().to_owned();
    let source = format!("Remora {version}");
    // A page that says how to ask for help is of no help.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    write_pages(&command, (section, &source), &pages)
}

/// Writes the page of a command and those of its verbs.
fn write_pages(command: &Command, page: (&str, &str), directory: &Path) -> io::Result<()> {
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        write_pages(verb, page, directory)?;
    }
    let man = Man::new(command.clone())
        .section(page.0)
        .source(page.1)
        .manual("Remora");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    if let Some(after) = after {
        laid_out(&after.to_string()).to_writer(&mut text)?;
    }
    fs::write(directory.join(man.get_filename()), text)
}

/// What stands behind the flags: words are filled, headings and items are such, and what is indented stands line by line, since
/// it is for typing.
fn laid_out(text: &str) -> Roff {
    let mut page = Roff::new();
    let text = match text.strip_prefix(EXAMPLES) {
        Some(examples) => {
            page.control("SH", ["EXAMPLES"]);
            examples
        }
        None => {
            page.control("SH", ["NOTES"]);
            text
        }
    };
    let mut is_typed = false;
    for line in text.lines() {
        let typed = line.starts_with(' ') || (is_typed && line.is_empty());
        if typed != is_typed {
            page.control(if typed { "nf" } else { "fi" }, []);
            is_typed = typed;
        }
        if typed {
            page.text([roman(line)]);
        } else if let Some(heading) = line.strip_prefix("## ") {
            page.control("SS", [heading]);
        } else if let Some(heading) = line.strip_prefix("# ") {
            page.control("SH", [heading]);
        } else if let Some(item) = line.strip_prefix("- ") {
            page.control("IP", ["\\(bu", "2"]).text([roman(item)]);
        } else if line.is_empty() {
            page.control("PP", []);
        } else {
            page.text([roman(line)]);
        }
    }
    if is_typed {
        page.control("fi", []);
    }
    page
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn program() -> Command {
        let verb = Command::new("list")
            .about("Lists them")
            .after_help("Examples:\n  tool list | head\n\n.dot");
        let hidden = Arg::new("hidden").long("hidden").hide(true);
        Command::new("tool")
            .version("1.2.3")
            .about("A tool")
            .arg(Arg::new("file").long("file").required(true))
            .arg(hidden)
            .subcommand(verb)
    }

    #[test]
    fn every_verb_has_a_page_and_every_shell_its_script() {
        let directory = tempfile::tempdir().unwrap();
        write(program(), "8", directory.path()).unwrap();
        for file in [
            "man/tool.8",
            "man/tool-list.8",
            "bash/tool",
            "zsh/_tool",
            "fish/tool.fish",
        ] {
            let text = fs::read_to_string(directory.path().join(file)).unwrap();
            assert!(text.contains("tool"), "{file}: {text}");
            assert!(!(file.starts_with("man") && text.contains("hidden")), "{text}");
        }
        let page = fs::read_to_string(directory.path().join("man/tool-list.8")).unwrap();
        assert!(page.contains("Lists them"), "{page}");
        // What a line begins with is no request to the formatter.
        let examples = ".SH EXAMPLES\n.nf\n  tool list | head\n\n.fi\n\\&.dot\n";
        assert!(page.ends_with(examples), "{page}");
        let keys = laid_out("# Keys\n\n- `a`: b\n").render();
        assert!(keys.ends_with(".SH Keys\n.PP\n.IP \\(bu 2\n`a`: b\n"), "{keys}");
        assert_eq!(fs::read_dir(directory.path().join("man")).unwrap().count(), 2);
    }
}
