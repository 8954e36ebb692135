//! The parts of a view; what a proxy is told, and when, is shown on real nodes (`store/tests/service/following.rs`).

use bytes::Bytes;
use remora_table::Owner;

use super::*;

fn owner(number: u64) -> Owner {
    Owner {
        node: Arc::from(format!("n{number}")),
        instance: number + 1,
    }
}

/// As many servers and wishes, each with so many bytes of its own.
fn view(servers: u64, wishes: u64, bytes: usize) -> RegistryView {
    let long: Arc<str> = Arc::from("x".repeat(250));
    let server = |number| RegisteredServer {
        server: owner(number),
        url: Arc::from("http://10.0.0.1:8080"),
        applications: vec![Arc::clone(&long); bytes / 250],
        version: Version(number),
        mode: Arc::from("normal"),
        software: Arc::from("1"),
        threads: 200,
        unprotected: Vec::new(),
        listened: Vec::new(),
    };
    let wish = |number| Wish {
        of: Arc::from(format!("route n{number}")),
        said: Bytes::from(vec![7; bytes]),
        who: Arc::from("ada"),
        at_ms: number,
        version: Version(number),
    };
    RegistryView {
        version: Version(9_000),
        servers: (0..servers).map(|number| Arc::new(server(number))).collect(),
        wishes: (0..wishes).map(|number| Arc::new(wish(number))).collect(),
        retired: (0..256)
            .map(|number| Retired {
                server: owner(number),
                version: Version(number),
            })
            .collect(),
    }
}

fn parts(view: &RegistryView) -> Vec<v1::FollowReply> {
    let mut parts = UnderWay::of("00ff".to_owned(), view.clone());
    let mut told = vec![parts.next()];
    while told.last().is_some_and(|part| part.more) {
        told.push(parts.next());
    }
    told
}

#[test]
fn the_parts_of_a_view_are_the_view_and_fit_into_messages() {
    for (servers, wishes, bytes) in [(0, 0, 0), (3, 2, 500), (30, 28, 70_000), (1_024, 1_024, 2_000)] {
        let view = view(servers, wishes, bytes);
        let told = parts(&view);
        let least = (view.servers.len() + view.wishes.len()) * bytes / PART_BYTES_MAX;
        assert!(
            (least.max(1)..=least * 5 / 4 + 1).contains(&told.len()),
            "{} parts of {servers} and {wishes}",
            told.len()
        );
        for part in &told {
            assert!(
                part.encoded_len() <= PART_BYTES_MAX + 64,
                "{}",
                part.encoded_len()
            );
            assert_eq!(
                (part.cluster.as_str(), part.version, part.stands),
                ("00ff", 9_000, false)
            );
        }
        let named: Vec<_> = told.iter().flat_map(|part| &part.servers).cloned().collect();
        let kept: Vec<_> = told.iter().flat_map(|part| &part.wishes).cloned().collect();
        let gone: Vec<_> = told.iter().flat_map(|part| &part.retired).cloned().collect();
        assert_eq!(
            named,
            view.servers.iter().map(|entry| server(entry)).collect::<Vec<_>>()
        );
        assert_eq!(
            kept,
            view.wishes.iter().map(|kept| wish(kept)).collect::<Vec<_>>()
        );
        assert_eq!(gone, view.retired.iter().map(retired).collect::<Vec<_>>());
    }
}
