//! Successors that fail, each in its own way, as programs of the test.

use std::net::TcpListener;

use super::*;

fn program(script: &str) -> Program {
    Program {
        path: "sh".into(),
        arguments: ["-c", script].map(OsString::from).to_vec(),
    }
}

fn sockets() -> Sockets {
    let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
    Sockets {
        listen: vec![bind(), bind()],
        control: bind(),
    }
}

/// What becomes of a program that is to be ready soon. The wire is the sixth descriptor.
async fn outcome(script: &str, limit: Duration) -> Result<Vec<SocketAddr>, String> {
    let mut successor = Successor::start(&program(script), &sockets(), None, limit).unwrap();
    let outcome = successor.ready().await;
    successor.end().await;
    outcome
}

#[tokio::test]
async fn one_that_is_not_ready_in_time_or_ends_or_says_something_else_has_failed() {
    let (soon, late) = (Duration::from_millis(50), Duration::from_secs(60));
    let hangs = outcome("read greeting <&6; read word <&6", soon).await;
    assert_eq!(hangs.unwrap_err(), "it was not ready in time");
    let ends = outcome("exit 2", late).await.unwrap_err();
    assert!(ends.contains("exit status: 2"), "{ends}");
    let foreign = outcome("echo hello >&6; cat <&6", late).await.unwrap_err();
    assert!(foreign.contains("`hello`"), "{foreign}");
    let endless = outcome("exec cat /dev/zero >&6", late).await.unwrap_err();
    assert!(endless.contains("more than is read"), "{endless}");
}

#[tokio::test]
async fn one_that_is_ready_is_handed_what_the_convention_says_and_given_the_word() {
    let script = r#"
        read greeting <&6
        [ "$greeting" = "remora-handover 1" ] || exit 3
        [ "$LISTEN_FDS $LISTEN_FDNAMES" = "4 listen:listen:control:handover" ] || exit 4
        [ -z "$LISTEN_PID" ] && [ -S /proc/self/fd/5 ] || exit 5
        echo "ready 127.0.0.1:80 [::1]:443" >&6
        read word <&6
        [ "$word" = "go reload" ] && exit 42
    "#;
    let late = Duration::from_secs(60);
    let mut successor = Successor::start(&program(script), &sockets(), None, late).unwrap();
    let untaken = successor.ready().await.unwrap();
    assert_eq!(
        untaken,
        ["127.0.0.1:80".parse().unwrap(), "[::1]:443".parse().unwrap()]
    );
    assert_eq!(
        successor.ready().await.unwrap(),
        untaken,
        "asked again it is ready still"
    );
    successor.go(true).await.unwrap();
    assert_eq!(successor.child.wait().await.unwrap().code(), Some(42));
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error() {
    let absent = Program {
        path: "/absent/remora-proxy".into(),
        arguments: Vec::new(),
    };
    let started = Successor::start(&absent, &sockets(), None, Duration::from_secs(60));
    assert_eq!(started.err().unwrap().kind(), io::ErrorKind::NotFound);
}
