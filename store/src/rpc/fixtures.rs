//! Fixtures of the messages that carry versions, and of the membership, which lies on disks too. See `crate::fixtures`.

use prost::Message;
use remora_proto::v1;

use crate::fixtures::fixture;

fn membership() -> v1::StoredMembership {
    let member = |node: u64| v1::Member {
        node,
        peer_address: format!("10.0.0.{node}:7500"),
        client_address: format!("10.0.0.{node}:7400"),
        disk: 0xd15c_0000 + node,
        cluster: 0xc105_7e12,
    };
    v1::StoredMembership {
        position: Some(v1::LogPosition { term: 1, index: 0 }),
        membership: Some(v1::Membership {
            configurations: vec![v1::membership::Voters { nodes: vec![1, 2] }],
            members: vec![member(1), member(2)],
        }),
    }
}

/// A message of the wire: its bytes follow from its field numbers, which never change.
fn message<T: Message + Default + PartialEq + std::fmt::Debug>(name: &str, message: &T) {
    let bytes = fixture(name, &message.encode_to_vec());
    assert_eq!(T::decode(bytes).unwrap(), *message, "{name}");
}

#[test]
fn openings_are_read_and_written_as_ever() {
    let understands = Some(v1::Formats { oldest: 1, newest: 2 });
    message("membership", &membership());
    message(
        "hello",
        &v1::Hello {
            understands,
            cluster: "00000000c1057e12".to_owned(),
            node: "n1".to_owned(),
            instance: 7,
            address: "10.0.0.11:40000".to_owned(),
            applications: vec!["localhost/shop".to_owned()],
        },
    );
    message(
        "welcome",
        &v1::Welcome {
            cluster: "00000000c1057e12".to_owned(),
            nodes: vec!["10.0.0.1:7400".to_owned()],
            session_bytes_max: 1 << 20,
            attributes_max: 1_024,
            durations: Some(v1::Durations {
                trust_ms: 500,
                handover_ms: 1_000,
                evicted_within_ms: 1_200,
                confirm_every_ms: 100,
            }),
            format: 1,
            announced: false,
        },
    );
    message(
        "introduction",
        &v1::Introduction {
            node: 2,
            disk: 0xd15c_0002,
            cluster: 0xc105_7e12,
            pristine: false,
            peer_address: "10.0.0.2:7500".to_owned(),
            client_address: "10.0.0.2:7400".to_owned(),
            cluster_list: "1=10.0.0.1:7500,2=10.0.0.2:7500".to_owned(),
            understands,
            format: 1,
            start: 5,
            sync_p99_us: 800,
            round_trip_us: 200,
            free_bytes: 1 << 30,
            image_bytes: 1 << 20,
            waits: false,
            draw: 0x5eed,
            voted_term: 3,
            acknowledged: Some(v1::LogPosition { term: 3, index: 77 }),
            leads: false,
        },
    );
    message(
        "envelope",
        &v1::Envelope {
            cluster: 0xc105_7e12,
            group: 0,
            from_node: 1,
            from_disk: 0xd15c_0001,
            to_node: 2,
            to_disk: 0xd15c_0002,
            format: 1,
        },
    );
}
