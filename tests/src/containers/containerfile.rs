//! An image file, as far as ours use the language: one line an instruction, and what is run in exec form.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// What stands in it.
#[derive(Clone, Debug, Default)]
pub struct Containerfile {
    /// Its base.
    pub from: String,
    /// COPY and RUN, in their order.
    pub steps: Vec<Step>,
    /// Who runs it: user and group by number.
    pub user: Option<(u32, u32)>,
    /// Where it keeps what is to stay.
    pub volumes: Vec<String>,
    /// At which ports it listens.
    pub ports: Vec<u16>,
    /// Labels as they stand.
    pub labels: String,
    /// What asks it for a sign of life, without options.
    pub health: Vec<String>,
    /// What is always run.
    pub entry_point: Vec<String>,
    /// What is run behind that, unless somebody says otherwise.
    pub command: Vec<String>,
    /// How it is asked to end.
    pub stop_signal: String,
}

/// What makes an image out of its base.
#[derive(Clone, Debug)]
pub enum Step {
    /// From the context, to a place in the image.
    Copy(Vec<String>, String),
    /// By a shell in the image.
    Run(String),
}

impl Containerfile {
    /// Reads one.
    ///
    /// # Errors
    /// When it is not there, or says what ours do not.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n");
        let mut file = Self::default();
        for line in lines
            .replace("\\\n", " ")
            .lines()
            .filter(|line| !line.trim().is_empty())
        {
            let (word, rest) = line.split_once(' ').with_context(|| line.to_owned())?;
            file.take(word, rest.trim()).with_context(|| line.to_owned())?;
        }
        Ok(file)
    }

    fn take(&mut self, word: &str, rest: &str) -> Result<()> {
        match word {
            "FROM" => {
                ensure!(self.from.is_empty(), "one stage is enough");
                rest.clone_into(&mut self.from);
            }
            "LABEL" => self.labels.push_str(rest),
            "RUN" => self.steps.push(Step::Run(rest.to_owned())),
            "COPY" => {
                let mut words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
                let to = words
                    .pop()
                    .filter(|to| to.starts_with('/'))
                    .context("to a place in the image")?;
                self.steps.push(Step::Copy(words, to));
            }
            "USER" => {
                let (user, group) = rest.split_once(':').context("user and group")?;
                self.user = Some((user.parse()?, group.parse()?));
            }
            "VOLUME" => self.volumes.push(rest.to_owned()),
            "EXPOSE" => {
                for port in rest.split_whitespace() {
                    self.ports.push(port.parse()?);
                }
            }
            "STOPSIGNAL" => rest.clone_into(&mut self.stop_signal),
            "HEALTHCHECK" => {
                let (options, command) = rest.split_once("CMD").context("a command")?;
                ensure!(options.contains("--timeout="), "a check without a bound");
                self.health = exec_form(command)?;
            }
            "ENTRYPOINT" => self.entry_point = exec_form(rest)?,
            "CMD" => self.command = exec_form(rest)?,
            _ => bail!("no instruction of ours"),
        }
        Ok(())
    }
}

/// A list of words: a shell in between would take the signals.
fn exec_form(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text.trim()).context("write it as a list of words")
}
