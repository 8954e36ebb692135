//! Places as they travel; what a watch tells is shown on real nodes (`store/tests/service/watching.rs`).

use super::*;

#[test]
fn a_place_is_one_in_the_log_of_its_own_cluster() {
    let somewhere = Moment {
        index: 70_000,
        nth: 3,
    };
    let said = token(somewhere, "00ff");
    assert_eq!(place(&said, "00ff"), Ok(Some(somewhere)));
    assert_eq!(place(&said, "00fe"), Ok(None));
    for length in 1..12 {
        assert!(place(&said[..length], "00ff").is_err(), "{length} bytes");
    }
}
