//! Every method that the protocol has, and what each role gets of it.

use std::collections::BTreeMap;

use remora_process::tls::Pattern;

use super::*;
use crate::rpc::convert::{self, Asker};

/// The protocol as it is written: whoever adds a method has to say here who may call it.
const PROTOCOL: [&str; 4] = [
    include_str!("../../../../proto/session.proto"),
    include_str!("../../../../proto/registry.proto"),
    include_str!("../../../../proto/admin.proto"),
    include_str!("../../../../proto/raft.proto"),
];

/// Every method of the store's services, by its path.
fn methods() -> Vec<String> {
    let mut service = "";
    let mut methods = Vec::new();
    for line in PROTOCOL.iter().flat_map(|file| file.lines()) {
        if let Some(rest) = line.strip_prefix("service ") {
            service = rest.trim_end_matches(" {");
        } else if let Some((_, rest)) = line.split_once("rpc ") {
            let (method, _) = rest.split_once('(').unwrap();
            methods.push(format!("/remora.v1.{service}/{method}"));
        }
    }
    methods.retain(|method| !method.contains("ProxyAdmin"));
    methods
}

fn callers() -> BTreeMap<&'static str, Caller> {
    let with = |name, role| Caller::with_roles(name, vec![role]);
    let mut callers: BTreeMap<_, _> = [
        with("peer", Role::Peer(2)),
        with("adapter", Role::Adapter(Pattern::new("localhost/shop"))),
        with("proxy", Role::Proxy),
        with("reader", Role::Reader),
        with("admin", Role::Admin),
    ]
    .into_iter()
    .zip(["peer", "adapter", "proxy", "reader", "admin"])
    .map(|(caller, name)| (name, caller))
    .collect();
    callers.insert("nobody", Caller::with_roles("nobody", Vec::new()));
    callers
}

#[test]
fn each_method_is_for_the_roles_that_the_table_names() {
    let callers = callers();
    let told: Vec<String> = methods()
        .iter()
        .map(|path| {
            let need = needs(path);
            let may = callers.iter().filter(|(_, caller)| need.is_met_by(caller));
            let may: Vec<&str> = may.map(|(name, _)| *name).collect();
            format!("{} {}", path.trim_start_matches("/remora.v1."), may.join(" "))
        })
        .collect();
    assert_eq!(told.join("\n"), include_str!("table.txt").trim_end());
}

#[test]
fn whatever_an_operator_does_stands_in_the_books() {
    let booked = |path: &&String| needs(path).is_booked();
    let methods = methods();
    let booked: Vec<&str> = methods
        .iter()
        .filter(booked)
        .filter_map(|path| path.rsplit('/').next())
        .collect();
    assert_eq!(
        booked,
        [
            "RetireNode",
            "Wish",
            "ShowValues",
            "KillSessions",
            "KillMatching",
            "Upgrade",
            "HandOver",
            "ChangeMember",
            "Backup",
            "Restore",
            "Recover"
        ]
    );
}

#[test]
fn a_method_that_nobody_named_takes_an_operator() {
    for path in ["/remora.v1.StoreAdmin/Later", "/remora.v2.X/Y", "", "/"] {
        assert_eq!(needs(path), Need::Operate, "{path}");
    }
    assert!(needs("/remora.v1.StoreAdmin/Later").is_met_by(&Caller::anybody()));
}

#[test]
fn a_session_manager_reaches_its_own_applications_alone() {
    let shop = &callers()["adapter"];
    let session = |application: &str| {
        Some(v1::SessionKey {
            application: application.to_owned(),
            key: vec![7; 16].into(),
        })
    };
    let asker = Asker::new(1, "n1").unwrap();
    let asked = |ask| {
        let request = v1::Request {
            serial: 1,
            ask: Some(ask),
        };
        within(shop, convert::asked(&asker, request)).request
    };
    use remora_proto::v1::request::Ask;
    let claim = |application: &str| {
        asked(Ask::Claim(v1::ClaimRequest {
            session: session(application),
            ..v1::ClaimRequest::default()
        }))
    };
    assert!(claim("localhost/shop").is_ok());
    let refused = claim("localhost/bank").unwrap_err();
    assert_eq!(refused.reason(), Reason::Forbidden);
    assert!(
        refused
            .message
            .contains("does not speak for the application localhost/bank")
    );
    let check = asked(Ask::Check(v1::CheckRequest {
        session: session("localhost/bank"),
        ..v1::CheckRequest::default()
    }));
    assert_eq!(check.unwrap_err().reason(), Reason::Forbidden);
    let touched = |application: &str| v1::TouchedSession {
        session: session(application),
        ..v1::TouchedSession::default()
    };
    let touch = asked(Ask::Touch(v1::TouchRequest {
        sessions: vec![touched("localhost/shop"), touched("localhost/bank")],
        ..v1::TouchRequest::default()
    }));
    assert_eq!(touch.unwrap_err().reason(), Reason::Forbidden);
}

#[test]
fn a_session_manager_lists_and_ends_sessions_of_its_own_applications_alone() {
    let callers = callers();
    let of = |application: &str| v1::SessionFilter {
        application: application.to_owned(),
        ..v1::SessionFilter::default()
    };
    let reached = |name: &str, need, filter: Option<&v1::SessionFilter>| {
        reaches(&callers[name], need, filter).map_err(|refused| refused.reason())
    };
    for need in [Need::LookWithin, Need::EndWithin] {
        assert_eq!(reached("adapter", need, Some(&of("localhost/shop"))), Ok(()));
        let others = reached("adapter", need, Some(&of("localhost/bank")));
        assert_eq!(others, Err(Reason::Forbidden));
        for nobodys in [None, Some(&of(""))] {
            assert_eq!(reached("adapter", need, nobodys), Err(Reason::Malformed));
            assert_eq!(reached("admin", need, nobodys), Ok(()));
            assert!(reaches(&Caller::anybody(), need, nobodys).is_ok(), "without TLS");
        }
    }
    assert_eq!(reached("reader", Need::LookWithin, None), Ok(()));
    // Who may look at all of them may end his own alone.
    let roles = vec![Role::Reader, Role::Adapter(Pattern::new("localhost/shop"))];
    let both = Caller::with_roles("tomcat1", roles);
    assert!(reaches(&both, Need::LookWithin, Some(&of("localhost/bank"))).is_ok());
    assert!(reaches(&both, Need::EndWithin, Some(&of("localhost/bank"))).is_err());
    let refused = reaches(&both, Need::EndWithin, None).unwrap_err().message;
    assert!(refused.contains("tomcat1"), "the books say who: {refused}");
    assert!(reaches(&both, Need::EndWithin, Some(&of("localhost/shop"))).is_ok());
}

#[test]
fn a_name_is_taken_from_a_server_of_the_same_applications_alone() {
    let shop = Caller::with_roles("tomcat2", vec![Role::Adapter(Pattern::new("localhost/shop"))]);
    assert!(takes_name(&shop, "n1", ["localhost/shop"]).is_ok());
    assert!(takes_name(&shop, "n1", []).is_ok());
    assert!(
        takes_name(&Caller::anybody(), "n1", ["localhost/bank"]).is_ok(),
        "without TLS"
    );
    let refused = takes_name(&shop, "n1", ["localhost/shop", "localhost/bank"]).unwrap_err();
    assert_eq!(refused.reason(), Reason::Forbidden);
    for said in ["n1", "tomcat2", "localhost/bank", "jvmRoute"] {
        assert!(refused.message.contains(said), "{}", refused.message);
    }
}
