//! The ops address over real sockets.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

async fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn ready_follows_the_server_and_says_why_not() {
    let ready = Arc::new(AtomicBool::new(false));
    let seen = ready.clone();
    let readiness: Readiness = Arc::new(move || {
        if seen.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err("no majority answers".to_owned())
        }
    });
    let listener = bind("127.0.0.1:0".parse().unwrap(), "ops-addr").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(
        listener,
        router_with(
            "the operations port of nobody",
            readiness,
            &[],
            Arc::new(|text| text.push_str("remora_own 7\n")),
        ),
        std::future::pending(),
    ));

    let answer = ask(address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.ends_with("not ready: no majority answers\n"), "{answer}");
    assert!(
        answer.contains("\r\nremora-port: the operations port of nobody\r\n"),
        "{answer}"
    );
    ready.store(true, Ordering::Relaxed);
    assert!(ask(address, "/readyz").await.starts_with("HTTP/1.1 200"));
    assert!(ask(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    metrics::counter!("remora_process_test_total").increment(3);
    metrics::histogram!("remora_process_test_seconds").record(0.3);
    metrics::histogram!("remora_process_test_parts").record(3.0);
    let figures = ask(address, "/metrics").await;
    for line in [
        "remora_process_test_total 3",
        "remora_process_test_seconds_bucket{le=\"0.25\"} 0",
        "remora_process_test_seconds_bucket{le=\"0.5\"} 1",
        "remora_process_test_parts_bucket{le=\"2\"} 0",
        "remora_process_test_parts_bucket{le=\"4\"} 1",
        "remora_build_info{version=",
        "process_resident_memory_bytes ",
        "# TYPE process_cpu_seconds_total counter",
        "# HELP process_open_fds ",
        "remora_reloads_total{result=\"faulty\"} 0",
        "remora_configuration_loaded_seconds ",
        "process_open_fds ",
        "remora_own 7",
    ] {
        assert!(figures.contains(line), "{line} is not in\n{figures}");
    }
    server.abort();
}

#[tokio::test]
async fn a_busy_port_is_named_with_the_key_that_chose_it() {
    let listener = bind("127.0.0.1:0".parse().unwrap(), "ops-addr").await.unwrap();
    let address = listener.local_addr().unwrap();
    let refused = bind(address, "ops-addr").await.unwrap_err().to_string();
    assert!(
        refused.starts_with(&format!("{address} is in use: ")),
        "{refused}"
    );
    assert!(refused.contains("choose another ops-addr"), "{refused}");
}
