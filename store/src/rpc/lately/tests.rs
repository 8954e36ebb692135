//! What is read of the ring, by whoever is quick and by whoever is not.

use remora_table::{KEY_BYTES, SessionKey, Version};

use super::*;

fn happening(number: u64) -> Happening {
    Happening {
        session: SessionKey {
            application: Arc::from("localhost/shop"),
            key: [0; KEY_BYTES],
        },
        created_version: Version(number),
        owner: Arc::from("n1"),
        labels: Box::default(),
        what: What::Created,
    }
}

fn numbers(read: &Glance) -> Vec<u64> {
    let happenings = read.happenings.iter();
    happenings.map(|happening| happening.created_version.0).collect()
}

#[test]
fn whoever_reads_on_from_where_it_was_is_told_everything_once() {
    let lately = Lately::default();
    let begun = lately.end();
    lately.add(7, vec![happening(1), happening(2)]);
    let first = lately.read(begun);
    assert_eq!(
        (numbers(&first), first.missed, first.all),
        (vec![1, 2], false, true)
    );
    lately.add(9, vec![happening(3)]);
    let second = lately.read(first.next);
    assert_eq!((numbers(&second), second.missed), (vec![3], false));
    assert_eq!(second.next, lately.end());
    assert_eq!(numbers(&lately.read(second.next)), Vec::<u64>::new());
    let amid = Moment { index: 7, nth: 1 };
    assert_eq!(numbers(&lately.read(amid)), [2, 3], "between two of one entry");
    assert_eq!(numbers(&lately.read(Moment::behind(7))), [3]);
    assert_eq!(numbers(&lately.read(Moment::before(7))), [1, 2, 3]);
}

#[test]
fn a_long_ring_is_read_in_turns() {
    let lately = Lately::default();
    let count = READ_MAX as u64 + 1;
    lately.add(3, (1..=count).map(happening).collect());
    let first = lately.read(Moment::default());
    assert_eq!((first.happenings.len(), first.all), (READ_MAX, false));
    let rest = lately.read(first.next);
    assert_eq!((numbers(&rest), rest.all), (vec![count], true));
}

#[test]
fn whoever_is_slower_than_what_happens_is_told_that_it_missed_something() {
    let lately = Lately::default();
    let count = (REMEMBERED_BYTES_MAX / HAPPENING_BYTES) as u64;
    for index in 1..=count {
        lately.add(index, vec![happening(index)]);
    }
    assert!(!lately.read(Moment::before(1)).missed, "all of it fits");
    lately.add(count + 1, vec![happening(count + 1)]);
    let read = lately.read(Moment::before(1));
    assert!(read.missed);
    assert_eq!(numbers(&read)[0], 2, "it goes on with what is left");
    assert!(
        !lately.read(Moment::behind(1)).missed,
        "whoever had read that misses nothing"
    );
    assert!(!lately.read(read.next).missed, "and is told so once");
}

#[test]
fn what_an_image_brought_was_missed() {
    let lately = Lately::default();
    lately.add(4, vec![happening(1)]);
    lately.skip(9);
    let read = lately.read(Moment::behind(4));
    assert_eq!((numbers(&read), read.missed), (vec![], true));
    assert_eq!(read.next, Moment::behind(9));
    lately.add(10, vec![happening(2)]);
    let read = lately.read(read.next);
    assert_eq!((numbers(&read), read.missed), (vec![2], false));
}

#[test]
fn labels_count_by_their_length() {
    let mut labelled = happening(1);
    let before = labelled.clone();
    let label = remora_table::Label {
        name: Arc::from("principal"),
        value: Arc::from("a".repeat(200)),
    };
    labelled.labels = vec![label.clone()].into();
    labelled.what = What::Labelled {
        before: vec![label].into(),
    };
    assert_eq!(bytes(&labelled) - bytes(&before), 2 * 209);
}
