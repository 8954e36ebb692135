//! Which proxies are told a wish, and how carefully: where it takes the last that is up from a pool, somebody says yes to that first.
//!
//! Invariants: a yes is about the proxies named in its question and no others, which are told to refuse what takes the last,
//! because things may change until they hear it. A proxy that does not say what the wish would take is told nothing: one of an
//! earlier release would follow whatever it is asked next, however carefully.
//!
//! Left out on purpose: proxies that hear of the wish by the store that they follow, named or not. `kept` says that there is one.

use futures::future::join_all;
use remora_proto::v1::{DrainRequest, SetRequest};

use crate::args::Upstreams;
use crate::confirm::confirm;
use crate::failure::Failure;
use remora_overview::client::{Reach, UpstreamWish, foresee};

/// What proxies are told.
pub(super) struct Considered {
    /// By their addresses; nothing for those who are only asked how they are.
    pub(super) wishes: Vec<(String, Option<UpstreamWish>)>,
    /// Why somebody is told nothing.
    pub(super) troubles: Vec<String>,
}

impl Considered {
    /// For who only looks.
    pub(super) fn nothing(proxies: &Reach) -> Considered {
        Considered::everywhere(proxies, None)
    }

    fn everywhere(proxies: &Reach, wish: Option<&UpstreamWish>) -> Considered {
        let wishes = proxies.addresses.iter();
        Considered {
            wishes: wishes.map(|address| (address.clone(), wish.cloned())).collect(),
            troubles: Vec::new(),
        }
    }
}

/// What a wish would take at each proxy, as it says.
type Foreseen = Vec<(String, Result<Vec<String>, Failure>)>;

/// The wish as each proxy may be told it, after a yes where one is needed.
pub(super) async fn considered(
    proxies: &Reach,
    wish: &UpstreamWish,
    verb: &Upstreams,
) -> Result<Considered, Failure> {
    // Nobody loses anything by another verb, and `--yes` is about whatever it takes, from whomever.
    let (Upstreams::Drain { yes: false, .. } | Upstreams::Set { yes: false, .. }) = verb else {
        return Ok(Considered::everywhere(proxies, Some(wish)));
    };
    let asked = proxies
        .addresses
        .iter()
        .map(|address| async move { (address.clone(), foresee(&proxies.dial, address, wish).await) });
    let foreseen = join_all(asked).await;
    let question = question(&foreseen);
    if !question.is_empty() {
        confirm(&question.join("; "), false)?;
    }
    Ok(told(wish, foreseen))
}

/// What somebody has to say yes to; with it, of whom that is not known, because a repeat with `--yes` is about these too.
fn question(foreseen: &Foreseen) -> Vec<String> {
    let costs = |(_, answer): &(String, Result<Vec<String>, Failure>)| matches!(answer, Ok(sentences) if !sentences.is_empty());
    if !foreseen.iter().any(costs) {
        return Vec::new();
    }
    let sentences = foreseen.iter().flat_map(|(address, answer)| match answer {
        Ok(sentences) => sentences
            .iter()
            .map(|sentence| format!("{address}: {sentence}"))
            .collect(),
        Err(failure) => vec![unknown(address, failure)],
    });
    sentences.collect()
}

fn unknown(address: &str, failure: &Failure) -> String {
    match failure {
        // Whom it does not know it takes from nobody.
        Failure::Missing(sentence) => sentence.clone(),
        other => {
            format!("{address} is told nothing, because it does not say what this takes from whom ({other})")
        }
    }
}

/// Whom to tell what, once there is a yes to what was foreseen.
fn told(wish: &UpstreamWish, foreseen: Foreseen) -> Considered {
    let mut considered = Considered {
        wishes: Vec::new(),
        troubles: Vec::new(),
    };
    for (address, answer) in foreseen {
        match answer {
            Ok(sentences) if sentences.is_empty() => considered.wishes.push((address, Some(carefully(wish)))),
            Ok(_) => considered.wishes.push((address, Some(wish.clone()))),
            Err(failure) => considered.troubles.push(unknown(&address, &failure)),
        }
    }
    considered
}

/// The wish to be refused where it takes the last after all.
fn carefully(wish: &UpstreamWish) -> UpstreamWish {
    match wish.clone() {
        UpstreamWish::Drain(request) => UpstreamWish::Drain(DrainRequest {
            careful: true,
            ..request
        }),
        UpstreamWish::Set(request) => UpstreamWish::Set(SetRequest {
            careful: true,
            ..request
        }),
        UpstreamWish::Undrain(request) => UpstreamWish::Undrain(request),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreseen() -> Foreseen {
        vec![
            ("p1:1".into(), Ok(Vec::new())),
            ("p2:1".into(), Ok(vec!["this takes the last".into()])),
            ("p3:1".into(), Err(Failure::Refused("p3:1: no answer".into()))),
        ]
    }

    #[test]
    fn a_yes_is_about_those_that_were_named() {
        for wish in [
            UpstreamWish::Drain(DrainRequest::default()),
            UpstreamWish::Set(SetRequest::default()),
        ] {
            let told = told(&wish, foreseen());
            let careful = told.wishes.iter().map(|(address, wish)| {
                let careful = match wish {
                    Some(UpstreamWish::Drain(request)) => request.careful,
                    Some(UpstreamWish::Set(request)) => request.careful,
                    _ => unreachable!("neither is wished"),
                };
                (address.as_str(), careful)
            });
            let careful: Vec<_> = careful.collect();
            assert_eq!(careful, [("p1:1", true), ("p2:1", false)]);
            assert!(
                told.troubles.len() == 1 && told.troubles[0].contains("p3:1 is told nothing"),
                "{:?}",
                told.troubles
            );
        }
    }

    #[test]
    fn a_question_names_what_is_taken_and_what_is_not_known() {
        let asked = question(&foreseen());
        assert_eq!(asked.len(), 2, "{asked:?}");
        assert_eq!(asked[0], "p2:1: this takes the last");
        assert!(asked[1].starts_with("p3:1 is told nothing"), "{asked:?}");
        let mut nobody = foreseen();
        nobody.retain(|(address, _)| address != "p2:1");
        assert!(question(&nobody).is_empty(), "there is nothing to say yes to");
    }
}
