//! Any bytes may stand in the identity file: they are an identity, or refused with a sentence.

use remora_fuzz::Target;

use super::*;

#[test]
fn any_text_is_an_identity_or_refused() {
    let path = Path::new("identity");
    Target::new("an identity file")
        .fixtures("1/identity")
        .words(&[
            "node ",
            "disk ",
            "start ",
            "voted yes",
            "cluster ",
            "\n",
            "+",
            "-",
            "00000000d15c0002",
        ])
        .run(|bytes| {
            let Ok(text) = std::str::from_utf8(bytes) else {
                return "not text".to_owned();
            };
            match parse(path, text, Formats::OURS) {
                Ok(identity) => {
                    assert!(Formats::OURS.hold(identity.format));
                    format!("voted {} formed {}", identity.voted, identity.cluster.is_some())
                }
                Err(DataDirError::Refused(sentence)) => sentence,
                Err(other) => panic!("no disk is asked: {other}"),
            }
        });
}
