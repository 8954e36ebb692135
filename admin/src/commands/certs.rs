//! `remora certs init|issue`: an authority of one's own, for development and for sites that have none.
//!
//! Keys are readable by their owner alone, and nothing is overwritten unless that is asked for: then a file takes the place of
//! the other whole, so that a server which looks meanwhile sees one of the two.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use remora_process::tls::{Authority, Pattern, Role, TlsError, Wanted};

use crate::args::{Certs, Issue};
use crate::failure::Failure;
use crate::render::{Cell, Report};

/// What the authority's two files are called.
const AUTHORITY: &str = "authority";

/// Where a node or a proxy is reached unless that is said: on this machine.
const THIS_MACHINE: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Keys: for their owner alone.
const KEY_MODE: u32 = 0o600;

/// Certificates: for everybody.
const CERTIFICATE_MODE: u32 = 0o644;

/// Makes what the command line says.
pub(super) fn run(verb: Certs) -> Result<Report, Failure> {
    match verb {
        Certs::Init { dir, lifetime } => init(&dir, *lifetime),
        Certs::Issue(wanted) => issue(wanted),
    }
}

fn init(dir: &Path, lifetime: Duration) -> Result<Report, Failure> {
    fs::create_dir_all(dir).map_err(|error| cannot("make", dir, &error))?;
    let (authority, key) = Authority::create("Remora authority", now(), lifetime).map_err(refused)?;
    let files = Pair::of(dir, AUTHORITY);
    files.write(authority.certificate(), &key, false)?;
    Ok(files.report("authority", Vec::new()))
}

fn issue(wanted: Issue) -> Result<Report, Failure> {
    let (name, roles) = roles(&wanted.role)?;
    let name = wanted.name.unwrap_or(name);
    if name == AUTHORITY || name.is_empty() || name.contains('/') {
        return Err(Failure::Usage(format!(
            "{name:?} cannot be the name of a certificate's files"
        )));
    }
    let serves = roles
        .iter()
        .any(|role| matches!(role, Role::Peer(_) | Role::Proxy));
    let hosts = match wanted.host {
        named if named.is_empty() && serves => THIS_MACHINE.map(str::to_owned).to_vec(),
        named => named,
    };
    let own = Pair::of(&wanted.dir, AUTHORITY);
    let authority = Authority::load(&own.read(&own.cert)?, &own.read(&own.key)?).map_err(refused)?;
    let asked = Wanted {
        name: name.clone(),
        roles,
        hosts,
        lifetime: *wanted.lifetime,
    };
    let issued = authority.issue(&asked, now()).map_err(refused)?;
    let files = Pair::of(&wanted.dir, &name);
    files.write(&issued.cert, &issued.key, wanted.replace)?;
    let names: Vec<String> = asked.roles.iter().map(Role::to_string).collect();
    let said = vec![
        ("may act as", Cell::text(names.join(", "))),
        ("hosts", Cell::text(asked.hosts.join(", "))),
    ];
    Ok(files.report("certificate", said))
}

/// What a certificate's files are called unless that is said, and its roles.
fn roles(words: &[String]) -> Result<(String, Vec<Role>), Failure> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["peer", id] => {
            let id = id.parse().ok().filter(|id| *id > 0);
            let id =
                id.ok_or_else(|| Failure::Usage("a node's id is a number from 1, as in `peer 1`".into()))?;
            Ok((format!("peer-{id}"), vec![Role::Peer(id)]))
        }
        ["adapter"] => Ok((
            "adapter".into(),
            vec![Role::Adapter(Pattern::new(Pattern::EVERY))],
        )),
        ["adapter", patterns @ ..] => {
            let patterns = patterns.iter().map(|text| Role::Adapter(Pattern::new(text)));
            Ok(("adapter".into(), patterns.collect()))
        }
        ["proxy"] => Ok(("proxy".into(), vec![Role::Proxy])),
        ["reader"] => Ok(("reader".into(), vec![Role::Reader])),
        ["admin"] => Ok(("admin".into(), vec![Role::Admin])),
        _ => Err(Failure::Usage(format!(
            "{:?} is no role: write `peer ID`, `adapter [APPLICATION...]`, `proxy`, `reader` or `admin`",
            words.join(" ")
        ))),
    }
}

/// A certificate's file and its key's.
struct Pair {
    cert: PathBuf,
    key: PathBuf,
}

impl Pair {
    fn of(dir: &Path, name: &str) -> Pair {
        Pair {
            cert: dir.join(format!("{name}.pem")),
            key: dir.join(format!("{name}.key")),
        }
    }

    fn read(&self, path: &Path) -> Result<String, Failure> {
        fs::read_to_string(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::Refused(format!(
                "there is no authority: {} is missing; `remora certs init` makes one, and --dir says where it is",
                path.display()
            )),
            _ => cannot("read", path, &error),
        })
    }

    /// Writes both, unless one is there and stays.
    fn write(&self, cert: &str, key: &str, replace: bool) -> Result<(), Failure> {
        let there = [&self.cert, &self.key].into_iter().find(|path| path.exists());
        if let Some(path) = there.filter(|_| !replace) {
            return Err(Failure::Refused(format!(
                "{} is there already: issue with --replace, or under another --name",
                path.display()
            )));
        }
        write(&self.key, key, KEY_MODE)?;
        write(&self.cert, cert, CERTIFICATE_MODE)
    }

    fn report(&self, what: &'static str, said: Vec<(&'static str, Cell)>) -> Report {
        let mut fields = vec![
            ("certificate", Cell::text(self.cert.display().to_string())),
            ("key", Cell::text(self.key.display().to_string())),
        ];
        fields.extend(said);
        Report::default().record(what, fields)
    }
}

#[expect(clippy::disallowed_methods, reason = "certificates expire by the calendar")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Puts a file in its place whole.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let aside = path.with_extension("new");
    let failed = |error: io::Error| cannot("write", path, &error);
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&aside)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&aside, path).map_err(failed)
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::Refused(format!("cannot {verb} {}: {error}", path.display()))
}

/// Takes the error by value because `map_err` hands it over.
#[expect(clippy::needless_pass_by_value, reason = "map_err hands the error over")]
fn refused(error: TlsError) -> Failure {
    Failure::Refused(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use remora_process::tls::{Door, Files, Tls};

    use super::*;

    fn wanted(dir: &Path, role: &[&str]) -> Issue {
        Issue {
            role: role.iter().map(|word| (*word).to_owned()).collect(),
            dir: dir.to_owned(),
            name: None,
            host: Vec::new(),
            lifetime: Duration::from_secs(3_600).into(),
            replace: false,
        }
    }

    #[test]
    fn what_is_issued_is_what_was_asked_for() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("certs");
        init(&dir, Duration::from_secs(3_600)).unwrap();
        for (role, name, names) in [
            (vec!["peer", "7"], "peer-7", "remora://peer/7"),
            (vec!["adapter"], "adapter", "remora://adapter/*:*/*%23%23*"),
            (vec!["proxy"], "proxy", "remora://proxy"),
            (vec!["reader"], "reader", "remora://reader"),
            (vec!["admin"], "admin", "remora://admin"),
        ] {
            issue(wanted(&dir, &role)).unwrap();
            let files = Files {
                authority: dir.join("authority.pem"),
                cert: dir.join(format!("{name}.pem")),
                key: dir.join(format!("{name}.key")),
            };
            let mode = fs::metadata(&files.key).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, KEY_MODE);
            let own = Tls::load(files, Door::Certified).unwrap().own();
            assert_eq!(own.to_string(), format!("{name} ({names})"));
        }
    }

    #[test]
    fn nothing_is_overwritten_unless_asked_for() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        let failure = issue(wanted(dir, &["admin"])).unwrap_err();
        assert!(failure.to_string().contains("there is no authority"), "{failure}");
        init(dir, Duration::from_secs(3_600)).unwrap();
        assert!(init(dir, Duration::from_secs(3_600)).is_err());
        issue(wanted(dir, &["admin"])).unwrap();
        let failure = issue(wanted(dir, &["admin"])).unwrap_err();
        assert!(failure.to_string().contains("--replace"), "{failure}");
        let before = fs::read_to_string(dir.join("admin.pem")).unwrap();
        let again = Issue {
            replace: true,
            ..wanted(dir, &["admin"])
        };
        issue(again).unwrap();
        assert_ne!(fs::read_to_string(dir.join("admin.pem")).unwrap(), before);
    }

    #[test]
    fn a_wrong_role_is_a_usage_failure() {
        let home = tempfile::tempdir().unwrap();
        for role in [&["peer"][..], &["peer", "x"], &["root"], &["admin", "1"]] {
            let failure = issue(wanted(home.path(), role)).unwrap_err();
            assert_eq!(crate::failure::exit_code(&failure), 2, "{role:?}");
        }
    }
}
