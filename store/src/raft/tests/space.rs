//! Little room on one disk is every node's business: the leader acts on the worst of those who answer.
//!
//! Broken once to see it fail: the leader's own disk alone (the room at the leader stays).

use remora_table::Room;

use super::cluster::{Cluster, eventually};

#[tokio::test]
async fn the_fullest_disk_that_answers_decides() {
    let mut cluster = Cluster::faulty(3);
    cluster.start_all().await;
    cluster.save(1).await;
    let leader = cluster.lead().await;
    let follower = leader.status().node % 3 + 1;
    let faults = cluster.faults[&follower].clone();
    let is = |room| leader.room() == room;
    faults.say_free(Some(10 << 20));
    eventually("the reserve is kept", || is(Room::Reserve)).await;
    faults.say_free(Some(90 << 20));
    eventually("nothing grows", || is(Room::Short)).await;
    cluster.crash(follower).await;
    eventually("who does not answer has no say", || is(Room::Ample)).await;
}
