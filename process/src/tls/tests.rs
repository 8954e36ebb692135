//! Whole handshakes over loopback sockets, with certificates made for the purpose.

#![expect(clippy::disallowed_methods, reason = "certificates expire by the calendar")]

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, mkfifoat};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::*;

/// How long certificates of these tests hold.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn who_may_not_read_a_file_is_told_who_may() {
    let refused = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let said = files::unread(Path::new("x.key"), &refused).to_string();
    assert!(
        said.contains("x.key") && said.contains("run this as that user"),
        "{said}"
    );
}

fn authority(name: &str) -> Authority {
    Authority::create(name, SystemTime::now(), DAY).unwrap().0
}

fn wanted(name: &str, roles: &[&str]) -> Wanted {
    Wanted {
        name: name.to_owned(),
        roles: roles.iter().map(|role| Role::parse(role).unwrap()).collect(),
        hosts: vec!["127.0.0.1".to_owned()],
        lifetime: DAY,
    }
}

/// Writes the three files of one end into a directory, under a name.
fn write(directory: &Path, name: &str, trusted: &Authority, issued: &Issued) -> Files {
    let files = Files {
        authority: directory.join(format!("{name}.authority.pem")),
        cert: directory.join(format!("{name}.pem")),
        key: directory.join(format!("{name}.key")),
    };
    fs::write(&files.authority, trusted.certificate()).unwrap();
    fs::write(&files.cert, &issued.cert).unwrap();
    fs::write(&files.key, &issued.key).unwrap();
    files
}

fn issue(authority: &Authority, wanted: &Wanted) -> Issued {
    authority.issue(wanted, SystemTime::now()).unwrap()
}

/// One connection from `client` to a server with `server`: whom the server sees, or why there is none.
async fn meet(server: Option<&Tls>, client: Option<&Tls>) -> Result<Caller, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = async {
        let (stream, remote) = listener.accept().await.unwrap();
        let mut stream = Secured::accept(stream, remote, server);
        let who = stream.who();
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .await
            .map_err(|error| error.to_string())?;
        stream.write_all(&byte).await.map_err(|error| error.to_string())?;
        stream.flush().await.map_err(|error| error.to_string())?;
        Ok::<_, String>(who.caller())
    };
    let asked = async {
        let mut stream = Dial::new(client.cloned()).connect("127.0.0.1", port).await?;
        stream.write_all(b"?").await?;
        stream.flush().await?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await
    };
    let (served, asked) = tokio::join!(served, asked);
    let caller = served?;
    asked.map_err(|error| error.to_string())?;
    Ok(caller)
}

#[tokio::test]
async fn each_end_knows_the_other_or_nothing_is_said() {
    let (ours, others) = (authority("ours"), authority("others"));
    let directory = tempfile::tempdir().unwrap();
    let load = |name: &str, trusted: &Authority, issued: &Issued| {
        Tls::load(write(directory.path(), name, trusted, issued), Door::Certified).unwrap()
    };
    let server = load(
        "server",
        &ours,
        &issue(&ours, &wanted("s1", &["remora://peer/1"])),
    );
    let admin = issue(&ours, &wanted("ada", &["remora://admin", "remora://reader"]));
    let admin = load("admin", &ours, &admin);

    let seen = meet(Some(&server), Some(&admin)).await.unwrap();
    assert_eq!(seen.to_string(), "ada (remora://admin, remora://reader)");
    assert_eq!(meet(None, None).await.unwrap(), Caller::anybody());

    let stranger = load(
        "stranger",
        &ours,
        &issue(&others, &wanted("eve", &["remora://admin"])),
    );
    let refused = meet(Some(&server), Some(&stranger)).await.unwrap_err();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    let elsewhere = Wanted {
        hosts: vec!["store.example.com".to_owned()],
        ..wanted("s2", &["remora://peer/2"])
    };
    let elsewhere = load("elsewhere", &ours, &issue(&ours, &elsewhere));
    assert!(meet(Some(&elsewhere), Some(&admin)).await.is_err());
    let distrusting = load(
        "distrusting",
        &others,
        &issue(&ours, &wanted("ada", &["remora://admin"])),
    );
    assert!(meet(Some(&server), Some(&distrusting)).await.is_err());
    assert!(meet(Some(&server), None).await.is_err());
    assert!(meet(None, Some(&admin)).await.is_err());
}

#[tokio::test]
async fn a_certificate_without_a_role_gives_none() {
    let ours = authority("ours");
    let directory = tempfile::tempdir().unwrap();
    let files = write(
        directory.path(),
        "proxy",
        &ours,
        &issue(&ours, &wanted("p", &["remora://proxy"])),
    );
    let server = Tls::load(files, Door::Open).unwrap();
    let named = write(
        directory.path(),
        "ada",
        &ours,
        &issue(&ours, &wanted("ada", &["remora://admin"])),
    );
    let named = Tls::load(named, Door::Certified).unwrap();
    assert!(
        meet(Some(&server), Some(&named))
            .await
            .unwrap()
            .is(|role| *role == Role::Admin)
    );
    let nobody = issue(&ours, &wanted("nobody", &[]));
    let nobody = write(directory.path(), "nobody", &ours, &nobody);
    let nobody = Tls::load(nobody, Door::Certified).unwrap();
    assert_eq!(
        meet(Some(&server), Some(&nobody)).await.unwrap().roles(),
        Some(&[][..])
    );
    let unseen = without_certificate(&server, &ours).await.unwrap();
    assert_eq!(unseen.roles(), Some(&[][..]));
    let refused = without_certificate(&named, &ours).await.unwrap_err();
    assert!(refused.contains("sent no certificates"), "{refused}");
}

/// What a server says of a client that trusts it and shows no certificate.
async fn without_certificate(server: &Tls, trusted: &Authority) -> Result<Caller, String> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(trusted.certificate().as_bytes()).unwrap();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = async {
        let (stream, remote) = listener.accept().await.unwrap();
        let mut stream = Secured::accept(stream, remote, Some(server));
        let read = stream.read_exact(&mut [0]).await;
        let read = read.map_err(|error| error.to_string());
        read.map(|_| stream.who().caller())
    };
    let asked = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::from(address.ip());
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector.connect(name, stream).await?;
        stream.write_all(b"?").await?;
        stream.flush().await?;
        // Stays open until the other end has had its say.
        stream.read(&mut [0]).await
    };
    tokio::select! {
        said = served => said,
        said = async { asked.await.ok(); std::future::pending::<()>().await } => unreachable!("{said:?}"),
    }
}

#[tokio::test]
async fn files_are_taken_over_when_they_fit_and_not_before() {
    let (first, second) = (authority("first"), authority("second"));
    let directory = tempfile::tempdir().unwrap();
    let files = write(
        directory.path(),
        "server",
        &first,
        &issue(&first, &wanted("old", &["remora://peer/1"])),
    );
    let server = Tls::load(files.clone(), Door::Certified).unwrap();
    let client = issue(&second, &wanted("ada", &["remora://admin"]));
    let client = Tls::load(write(directory.path(), "ada", &first, &client), Door::Certified).unwrap();
    assert!(meet(Some(&server), Some(&client)).await.is_err());

    let both = format!("{}{}", first.certificate(), second.certificate());
    fs::write(&files.authority, both).unwrap();
    server.look_again();
    assert!(meet(Some(&server), Some(&client)).await.is_ok());

    let next = issue(&first, &wanted("new one", &["remora://peer/1"]));
    fs::write(&files.cert, &next.cert).unwrap();
    server.look_again();
    assert_eq!(server.own().name(), "old", "the key is not this certificate's");
    assert!(meet(Some(&server), Some(&client)).await.is_ok());
    fs::write(&files.key, &next.key).unwrap();
    server.look_again();
    assert_eq!(server.own().name(), "new one");
    assert!(meet(Some(&server), Some(&client)).await.is_ok());
}

#[test]
fn what_is_wrong_with_the_files_is_said_by_name() {
    let ours = authority("ours");
    let directory = tempfile::tempdir().unwrap();
    let fresh = || {
        let issued = issue(&ours, &wanted("x", &["remora://admin"]));
        write(directory.path(), "x", &ours, &issued)
    };
    let said = |files: Files| Tls::load(files, Door::Certified).unwrap_err().to_string();

    let files = fresh();
    fs::remove_file(&files.cert).unwrap();
    assert!(said(files).contains("cannot read"));
    let files = fresh();
    fs::remove_file(&files.cert).unwrap();
    mkfifoat(CWD, &files.cert, Mode::RWXU).unwrap();
    assert!(said(files).contains("it is no regular file"));
    fs::remove_file(directory.path().join("x.pem")).unwrap();
    let files = fresh();
    fs::write(&files.authority, "nothing").unwrap();
    assert!(said(files).contains("x.authority.pem holds no certificate"));
    let files = fresh();
    fs::write(&files.key, "nothing").unwrap();
    assert!(said(files).contains("x.key is not a private key"));
    let files = fresh();
    fs::write(&files.key, issue(&ours, &wanted("y", &[])).key).unwrap();
    assert!(said(files).contains("do not fit together"));
    let long_ago = SystemTime::now() - 3 * DAY;
    let expired = ours.issue(&wanted("x", &[]), long_ago).unwrap();
    assert!(said(write(directory.path(), "x", &ours, &expired)).contains("has expired"));
}

#[test]
fn an_authority_goes_on_from_its_files() {
    let (created, key) = Authority::create("ours", SystemTime::now(), DAY).unwrap();
    let loaded = Authority::load(created.certificate(), &key).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let issued = issue(
        &loaded,
        &wanted("tomcat", &["remora://adapter/localhost/shop%23%23*"]),
    );
    let files = write(directory.path(), "tomcat", &created, &issued);
    let own = Tls::load(files, Door::Certified).unwrap().own();
    assert!(own.speaks_for("localhost/shop##7"));
    assert!(Authority::load("x", &key).is_err());
}
