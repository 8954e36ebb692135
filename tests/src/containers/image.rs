//! What an image file makes: files over those of its base, in directories that are overlaid when it runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::containerfile::{Containerfile, Step};
use crate::place;
use crate::tomcat::{self, Application, Version};

/// The parts of a root that an image may change; each is an overlay.
const PARTS: [&str; 3] = ["usr", "etc", "var"];

/// Where Tomcat lies in its official image.
const TOMCAT_HOME: &str = "usr/local/tomcat";

/// What stands in the place of a base image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// This system.
    Debian,
    /// The same with its JDK, and Apache's Tomcat as the official image has it.
    Tomcat,
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    /// What made it.
    pub file: Containerfile,
    layer: PathBuf,
}

/// Lays out what the unpacked release archive has, out of what cargo and Maven built.
///
/// # Errors
/// When something is not built.
pub fn context(directory: &Path) -> Result<PathBuf> {
    let context = directory.join("context");
    for part in ["bin", "lib", "examples", "packaging"] {
        fs::create_dir_all(context.join(part))?;
    }
    for name in ["remora", "remora-store", "remora-proxy"] {
        std::os::unix::fs::symlink(place::program(name)?, context.join("bin").join(name))?;
    }
    let jar = context.join("lib/remora-tomcat-adapter.jar");
    std::os::unix::fs::symlink(place::adapter_jar()?, jar)?;
    std::os::unix::fs::symlink(
        tomcat::war(Application::Shop, Version::V10)?,
        context.join("examples/shop.war"),
    )?;
    let files = place::repository().join("packaging/containers");
    std::os::unix::fs::symlink(files, context.join("packaging/containers"))?;
    Ok(context)
}

impl Image {
    /// Makes an image in `directory`: copies from the context, and runs in a root of its own.
    ///
    /// # Errors
    /// When the file says what ours do not, or a step fails, with what it said.
    pub fn make(directory: &Path, file: &Path, context: &Path, base: Base) -> Result<Self> {
        let file = Containerfile::read(file)?;
        let image = Self {
            file,
            layer: directory.join("layer"),
        };
        let root = directory.join("root");
        fs::create_dir_all(&root)?;
        overlays(&image.layer)?;
        if base == Base::Tomcat {
            image.lay_tomcat()?;
        }
        for step in &image.file.steps {
            match step {
                Step::Copy(from, to) => image.copy(context, from, to)?,
                Step::Run(words) => {
                    let script = format!(
                        "{}exec chroot \"$ROOT\" sh -c \"$STEP\"\n",
                        image.root_over(&root, &image.layer, false)
                    );
                    let mut run = Command::new("unshare");
                    run.args(["--mount", "--", "sh", "-ec", &script]);
                    run.env("ROOT", &root).env("STEP", words);
                    said_well(&mut run).with_context(|| format!("RUN {words}"))?;
                }
            }
        }
        Ok(image)
    }

    /// Words of a shell that make a root over this image, whose changes go to `upper`; `$ROOT` names it.
    pub(super) fn root_over(&self, root: &Path, upper: &Path, layered: bool) -> String {
        let mut script = format!(
            "ROOT={}\nmount --bind \"$ROOT\" \"$ROOT\"\nmkdir -p",
            root.display()
        );
        for part in ["usr", "etc", "var", "proc", "dev", "tmp", "run"] {
            script.push_str(&format!(" \"$ROOT/{part}\""));
        }
        script.push_str("\nfor d in bin sbin lib lib64; do ln -sfn usr/$d \"$ROOT/$d\"; done\n");
        for part in PARTS {
            let below = if part == "var" {
                upper.join("nothing").display().to_string()
            } else {
                format!("/{part}")
            };
            let lower = if layered {
                format!("{}:{below}", self.layer.join(part).display())
            } else {
                below
            };
            script.push_str(&format!(
                "mount -t overlay none -o lowerdir={lower},upperdir={},workdir={} \"$ROOT/{part}\"\n",
                upper.join(part).display(),
                upper.join(format!("work-{part}")).display(),
            ));
        }
        script.push_str("mount -t proc proc \"$ROOT/proc\"\nmount --rbind /dev \"$ROOT/dev\"\n");
        script
    }

    /// What the image has at a path, as far as its own files go.
    pub fn own(&self, path: &str) -> PathBuf {
        self.layer.join(path.trim_start_matches('/'))
    }

    fn copy(&self, context: &Path, from: &[String], to: &str) -> Result<()> {
        let target = self.own(to);
        for source in from {
            let source_path = context.join(source.trim_end_matches('/'));
            ensure!(
                source_path.exists(),
                "COPY {source}: the archive does not have it"
            );
            fs::create_dir_all(if to.ends_with('/') {
                &target
            } else {
                target.parent().unwrap_or(&target)
            })?;
            let mut copy = Command::new("cp");
            copy.args(["--dereference", "--recursive", "--preserve=mode"]);
            // A directory is copied without its own name.
            let what = if source_path.is_dir() {
                source_path.join(".")
            } else {
                source_path
            };
            said_well(copy.arg(what).arg(&target)).with_context(|| format!("COPY {source}"))?;
        }
        Ok(())
    }

    /// As the official image does it: no application, and three directories that everybody may write.
    fn lay_tomcat(&self) -> Result<()> {
        let home = self.layer.join(TOMCAT_HOME);
        fs::create_dir_all(home.parent().unwrap_or(&home))?;
        let distributed = tomcat::prepare(Version::V10)?;
        said_well(Command::new("cp").arg("--recursive").arg(distributed).arg(&home))?;
        for part in ["logs", "temp", "work", "webapps"] {
            // Tests share what was unpacked, and another may have left something.
            let _ = fs::remove_dir_all(home.join(part));
            fs::create_dir(home.join(part))?;
        }
        for entry in fs::read_dir(home.join("bin"))? {
            fs::set_permissions(entry?.path(), fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }
}

/// Makes the directories into which overlays write.
pub(super) fn overlays(upper: &Path) -> Result<()> {
    for part in PARTS {
        fs::create_dir_all(upper.join(part))?;
        fs::create_dir_all(upper.join(format!("work-{part}")))?;
    }
    fs::create_dir_all(upper.join("nothing"))?;
    Ok(())
}

/// Runs a command to its end.
///
/// # Errors
/// When it fails, with what it said.
pub(super) fn said_well(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{}: {said}", output.status);
    Ok(said)
}
