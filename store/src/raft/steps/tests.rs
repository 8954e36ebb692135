//! Which step is due, from tables of what a leader may know.
//!
//! Left out: that the steps are carried out, which `raft/tests/changes.rs` shows.

use super::*;

const NEW: DiskId = DiskId(0x99);

/// Three voters with disks of their numbers, of whom these answer; somebody waits at the address that is named.
fn three(alive: &[NodeId]) -> Standing {
    Standing {
        leader: 1,
        cluster: Some(ClusterId(7)),
        format: Format(1),
        voters: vec![BTreeSet::from([1, 2, 3])],
        members: (1..=3).map(|node| (node, DiskId(node))).collect(),
        removed: Vec::new(),
        alive: alive.iter().copied().collect(),
        behind: None,
        candidate: Ok(waiting(4)),
    }
}

fn waiting(node: NodeId) -> Candidate {
    Candidate {
        node,
        disk: NEW,
        waits: true,
        cluster: None,
        understands: Some(Formats::OURS),
    }
}

/// The same once node 4 listens, so far behind.
fn learning(behind: u64) -> Standing {
    let mut view = three(&[1, 2, 3, 4]);
    view.members.insert(4, NEW);
    view.behind = Some(Behind {
        entries: behind,
        bytes: behind * 100,
    });
    view
}

fn refusal(verb: Verb, node: NodeId, view: &Standing) -> String {
    next(verb, node, view).unwrap_err()
}

#[test]
fn a_node_is_added_in_steps_that_the_membership_remembers() {
    assert_eq!(next(Verb::Add, 4, &three(&[1, 2, 3])), Ok(Step::Learn(NEW)));
    let far = learning(BEHIND_MAX + 1);
    assert_eq!(next(Verb::Add, 4, &far), Ok(Step::Wait(far.behind.unwrap())));
    assert_eq!(next(Verb::Add, 4, &learning(BEHIND_MAX)), Ok(Step::Promote));
    let mut done = learning(0);
    done.voters[0].insert(4);
    assert_eq!(next(Verb::Add, 4, &done), Ok(Step::Done(Some(NEW))));
}

#[test]
fn a_replaced_disk_goes_before_the_new_one_comes_and_only_if_that_one_waits() {
    let mut view = three(&[1, 2]);
    view.candidate = Err("nobody answers".to_owned());
    assert_eq!(refusal(Verb::Replace, 3, &view), "nobody answers");
    view.candidate = Ok(waiting(3));
    assert_eq!(next(Verb::Replace, 3, &view), Ok(Step::Remove { votes: true }));
    view.members.remove(&3);
    view.voters = vec![BTreeSet::from([1, 2])];
    view.removed = vec![RemovedDisk { node: 3, disk: 3 }];
    assert_eq!(next(Verb::Replace, 3, &view), Ok(Step::Learn(NEW)));
}

#[test]
fn another_disk_of_a_member_is_not_added_beside_it() {
    let mut view = three(&[1, 2, 3]);
    view.candidate = Ok(waiting(3));
    assert!(refusal(Verb::Add, 3, &view).contains("nodes replace 3"));
}

#[test]
fn what_is_removed_twice_is_removed_and_what_never_was_there_is_not() {
    let mut view = three(&[1, 2, 3]);
    assert_eq!(next(Verb::Remove, 3, &view), Ok(Step::Remove { votes: true }));
    assert!(refusal(Verb::Remove, 9, &view).contains("node 9 is no member"));
    view.removed = vec![RemovedDisk { node: 9, disk: 9 }];
    assert_eq!(next(Verb::Remove, 9, &view), Ok(Step::Done(None)));
}

#[test]
fn a_leader_hands_over_before_it_goes() {
    assert_eq!(next(Verb::Remove, 1, &three(&[1, 2, 3])), Ok(Step::HandOver));
}

#[test]
fn no_step_leaves_voters_of_whom_no_majority_answers() {
    let view = three(&[1, 3]);
    let sentence = refusal(Verb::Remove, 3, &view);
    assert!(
        sentence.contains("of the 2 nodes") && sentence.ends_with("which is 2"),
        "{sentence}"
    );
    assert_eq!(next(Verb::Remove, 2, &view), Ok(Step::Remove { votes: true }));
    let mut replaced = three(&[1, 2]);
    replaced.candidate = Ok(waiting(2));
    assert!(refusal(Verb::Replace, 2, &replaced).contains("no majority answers"));
    let mut two = three(&[1]);
    two.voters = vec![BTreeSet::from([1, 2])];
    two.members.remove(&3);
    assert_eq!(
        next(Verb::Add, 4, &two),
        Ok(Step::Learn(NEW)),
        "two of three would answer"
    );
    let mut alone = three(&[1]);
    alone.voters = vec![BTreeSet::from([1])];
    alone.members.retain(|node, _| *node == 1);
    assert!(refusal(Verb::Remove, 1, &alone).contains("the only voter"));
}

#[test]
fn one_change_is_done_before_another_begins() {
    let mut half = three(&[1, 2, 3]);
    half.voters.push(BTreeSet::from([1, 2]));
    assert_eq!(next(Verb::Add, 4, &half), Ok(Step::Finish));
    let sentence = refusal(Verb::Remove, 3, &learning(0));
    assert!(sentence.starts_with("node 4 is being added"), "{sentence}");
    assert_eq!(
        next(Verb::Remove, 4, &learning(0)),
        Ok(Step::Remove { votes: false })
    );
}

#[test]
fn who_does_not_wait_or_was_removed_or_lags_in_release_is_not_taken() {
    let refused = |change: fn(&mut Candidate)| {
        let mut view = three(&[1, 2, 3]);
        view.removed = vec![RemovedDisk { node: 3, disk: 0x77 }];
        let mut candidate = waiting(4);
        change(&mut candidate);
        view.candidate = Ok(candidate);
        refusal(Verb::Add, 4, &view)
    };
    assert!(refused(|candidate| candidate.node = 5).starts_with("node 5 answers"));
    assert!(refused(|candidate| candidate.disk = DiskId(0x77)).contains("never taken again"));
    assert!(refused(|candidate| candidate.waits = false).contains("does not wait to be added"));
    assert!(refused(|candidate| candidate.understands = None).contains("writes format 1"));
}

#[test]
fn a_majority_is_one_of_each_set_of_voters() {
    let sets = [BTreeSet::from([1, 2, 3]), BTreeSet::from([1, 4])];
    assert!(is_majority(&sets, &BTreeSet::from([1, 2, 4])));
    assert!(!is_majority(&sets, &BTreeSet::from([1, 2, 3])));
    assert!(!is_majority(&sets, &BTreeSet::from([1, 4])));
}
