//! The client connections of one thread, and the streams on them: how they come in, and how they learn that it is time to look
//! around. A stream has no place of its own in the room: only connections count towards the limits.
//!
//! Every connection leaves its task's waker here, once. So a connection that waits costs nothing until it is to leave or
//! a moment has come that it named; it polls no channel and has no timer of its own. One task of the thread
//! ([`Clients::keep`]) looks at all of them ten times a second.
//!
//! Contract for whoever serves a connection: it says when it rests and when it works, and when woken looks at
//! [`Ticket::is_to_leave`] and at its own moments. One that is to leave reads once more before it closes: a request
//! that has come by then is answered, and its answer says that the connection ends. One that gives way and was never used
//! closes at once.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::addresses::Addresses;
use super::ending::{self, Stage};
use super::room::{ClientPlace, Room, TURN};
use super::slots::Slots;
use crate::metrics::{GAVE_WAY, WaitingClient};
use crate::tally::Thread;

/// How exactly the moments are kept that connections name, and rests are measured, and how long a line of the log waits for
/// others. 100 ms: the moments bound seconds, and a person who watches the log must not notice.
const TICK: Duration = Duration::from_millis(100);

/// The connections of a thread.
pub(super) struct Clients {
    room: Arc<Room>,
    thread: Thread,
    /// What the process does.
    stage: watch::Receiver<Stage>,
    /// Whether answers say that their connections end.
    announced: Cell<bool>,
    stopping: Cell<bool>,
    cut: Cut,
    slots: RefCell<Slots>,
    /// How many of them are streams of others.
    streams: Cell<usize>,
    /// How many are tunnels.
    tunnels: Cell<usize>,
    /// The time at the last tick: exact enough for rests, and no request reads a clock for it.
    now: Cell<Instant>,
    /// When the task that runs now began its turn: one reading of the clock for all that is decided in it.
    turn: Cell<Instant>,
    /// Told whenever one leaves.
    left: Notify,
}

/// Whose time is over.
#[derive(Default)]
struct Cut {
    requests: Cell<bool>,
    tunnels: Cell<bool>,
}

/// The number of one among them, of a connection or of a stream on it; it leaves when this is dropped.
pub(crate) struct Ticket {
    clients: Rc<Clients>,
    number: usize,
    tunnel: Cell<bool>,
    /// Whether its connection has a stream that is a tunnel, or had one.
    carries: Rc<Cell<bool>>,
    kind: TicketKind,
}

/// What a ticket is for.
enum TicketKind {
    /// A connection, which has a place in the room.
    Connection { _place: ClientPlace },
    /// A stream on one that has.
    Stream,
}

impl Clients {
    /// Nobody yet, in this thread of those that share the room.
    pub(super) fn new(room: Arc<Room>, thread: Thread, stage: watch::Receiver<Stage>) -> Self {
        Self {
            room,
            thread,
            stage,
            announced: Cell::new(false),
            stopping: Cell::new(false),
            cut: Cut::default(),
            slots: RefCell::default(),
            streams: Cell::new(0),
            tunnels: Cell::new(0),
            now: Cell::new(Instant::now()),
            turn: Cell::new(Instant::now()),
            left: Notify::new(),
        }
    }

    /// A place for a new client, once there is one; `most` says how many there may be at a time, over all threads.
    pub(super) async fn place(&self, most: impl Fn() -> usize) -> ClientPlace {
        let (mut turns, mut _waits) = (0_u32, None);
        loop {
            if let Some(place) = self.room.take(most()) {
                return place;
            }
            if turns == 1 {
                _waits = Some(self.waiting());
            }
            turns = turns.saturating_add(1);
            if !self.give_way() {
                self.room.ask_others(self.thread.0);
            }
            let until = Instant::now() + TURN;
            while timeout_at(until, self.room.freed()).await.is_ok() {
                if let Some(place) = self.room.take(most()) {
                    return place;
                }
            }
        }
    }

    /// A place for a client that is let in whether there is one or not.
    pub(super) fn squeeze_in(&self) -> ClientPlace {
        self.room.squeeze_in()
    }

    /// How many clients each address has, over all threads.
    pub(super) fn addresses(&self) -> &Arc<Addresses> {
        &self.room.addresses
    }

    /// A connection comes in. Its task says where it can be woken with [`Ticket::here`].
    pub(super) fn enter(self: &Rc<Self>, place: ClientPlace) -> Ticket {
        Ticket {
            clients: Rc::clone(self),
            number: self.slots.borrow_mut().enter(self.now.get()),
            tunnel: Cell::new(false),
            carries: Rc::default(),
            kind: TicketKind::Connection { _place: place },
        }
    }

    /// How many connections there are.
    pub(super) fn count(&self) -> usize {
        self.slots.borrow().count() - self.streams.get()
    }

    /// Wakes connections in time, and gives places to other threads, for ever; `beside` is done with each tick of the thread.
    pub(super) async fn keep(&self, mut beside: impl FnMut()) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    self.now.set(Instant::now());
                    self.slots.borrow_mut().wake_due(self.now.get());
                    beside();
                }
                () = self.room.asked(self.thread.0) => {
                    let can_give = self.slots.borrow().has_rest(self.now.get());
                    if can_give && self.room.is_first_to_give() {
                        self.give_way();
                    }
                }
            }
        }
    }

    /// Clients are told with their answers, and go on until then.
    pub(super) fn say_close(&self) {
        self.announced.set(true);
    }

    /// Tells all that it is time to end.
    pub(super) fn stop(&self) {
        self.announced.set(true);
        self.stopping.set(true);
        self.slots.borrow().wake_all();
    }

    /// Cuts tunnels, or all others; says how many are left to be cut.
    pub(super) fn cut(&self, tunnels: bool) -> usize {
        let open = self.tunnels.get();
        if tunnels {
            self.cut.tunnels.set(true);
        } else {
            self.cut.requests.set(true);
        }
        self.slots.borrow().wake_all();
        if tunnels {
            open
        } else {
            self.count().saturating_sub(open)
        }
    }

    /// Waits until there is none, nor a stream of one.
    pub(super) async fn all_gone(&self) {
        while self.slots.borrow().count() > 0 {
            self.left.notified().await;
        }
    }

    /// Asks the connection that has rested longest to leave; false when there is none.
    fn give_way(&self) -> bool {
        let gives_way = self.slots.borrow_mut().give_way(self.now.get());
        if gives_way {
            metrics::counter!(GAVE_WAY).increment(1);
            if self.room.is_time_to_tell_of_giving_way() {
                tracing::warn!(
                    "limits.connections is reached: connections that rest give way to new clients"
                );
            }
        }
        gives_way
    }

    /// A client has to wait. Told now and then.
    fn waiting(&self) -> WaitingClient {
        if self.room.is_time_to_tell_of_waiting() {
            tracing::warn!("limits.connections is reached and all clients are at work: new ones wait");
        }
        WaitingClient::begins()
    }
}

impl Ticket {
    /// The calling task serves the connection: it is woken when there is something to look at.
    pub(crate) async fn here(&self) {
        let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
        self.clients.slots.borrow_mut().here(self.number, waker);
    }

    /// A ticket for a stream on this connection. It works from now on until it is dropped.
    pub(crate) fn of_stream(&self) -> Self {
        let clients = Rc::clone(&self.clients);
        clients.streams.update(|streams| streams + 1);
        let mut slots = clients.slots.borrow_mut();
        let number = slots.enter(clients.now.get());
        slots.works(number);
        drop(slots);
        Self {
            clients,
            number,
            tunnel: Cell::new(false),
            carries: Rc::clone(&self.carries),
            kind: TicketKind::Stream,
        }
    }

    /// Whether it is time to tell of a client that floods us, by all threads together.
    pub(crate) fn is_time_to_tell_of_flood(&self) -> bool {
        self.clients.room.is_time_to_tell_of_flood()
    }

    /// The connection waits for its next request. So does a new one, which need not say it.
    pub(crate) fn rests(&self) {
        let clients = &self.clients;
        clients.slots.borrow_mut().rests(self.number, clients.now.get());
    }

    /// A request has begun.
    pub(crate) fn works(&self) {
        self.clients.slots.borrow_mut().works(self.number);
    }

    /// Whether the next answer is the connection's last.
    pub(crate) fn is_last(&self) -> bool {
        self.clients.announced.get() || self.gives_way()
    }

    /// Whether it is time to end.
    pub(crate) fn is_to_leave(&self) -> bool {
        self.clients.stopping.get() || self.gives_way()
    }

    /// Whether it is so because a new client needs the place.
    pub(crate) fn gives_way(&self) -> bool {
        self.clients.slots.borrow().gives_way(self.number)
    }

    /// The moment at which the connection's task began its turn.
    pub(crate) fn now(&self) -> Instant {
        self.clients.turn.get()
    }

    /// The task is to be woken at this moment, or soon after, whatever it said before.
    pub(crate) fn wake_at(&self, due: Instant) {
        self.clients.slots.borrow_mut().wake_at(self.number, due);
    }

    /// The connection has left HTTP. Answers what completes when its client is to leave because the process ends.
    pub(crate) fn is_tunnel(&self) -> impl Future<Output = ()> + use<> {
        if !self.tunnel.replace(true) {
            self.clients.tunnels.update(|open| open + 1);
            self.carries.set(true);
        }
        ending::farewell(self.clients.stage.clone())
    }

    /// Serves the connection until it ends; none when it is cut. Takes what it serves pinned: a future that is handed over has its
    /// place twice.
    pub(crate) async fn until_cut<T>(&self, mut serving: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        let cut = &self.clients.cut;
        poll_fn(|context| {
            self.clients.turn.set(Instant::now());
            let (requests, tunnels) = (cut.requests.get(), cut.tunnels.get());
            let over = match (self.tunnel.get(), &self.kind) {
                (true, _) => tunnels,
                // It has to go on for what it carries, and for the end of that.
                (false, TicketKind::Connection { .. }) => requests && (tunnels || !self.carries.get()),
                (false, TicketKind::Stream) => requests,
            };
            match over {
                true => Poll::Ready(None),
                false => serving.as_mut().poll(context).map(Some),
            }
        })
        .await
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.clients.slots.borrow_mut().leave(self.number);
        let tunnels = usize::from(self.tunnel.get());
        self.clients.tunnels.update(|open| open - tunnels);
        let streams = usize::from(matches!(self.kind, TicketKind::Stream));
        self.clients.streams.update(|open| open - streams);
        self.clients.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Context;

    use futures::poll;
    use tokio::task::LocalSet;
    use tokio::time::timeout;

    use super::*;
    use crate::deadline::Deadline;

    /// Longer than a turn and a tick.
    const LONG: Duration = Duration::from_millis(300);
    /// Longer than any client waits who is to get a place.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn serving() -> watch::Receiver<Stage> {
        watch::channel(Stage::Serving).1
    }

    /// Threads that share a room, each with a keeper of its own; here they are tasks of one.
    fn threads<const N: usize>() -> [Rc<Clients>; N] {
        let room = Room::new(N);
        std::array::from_fn(|thread| {
            let clients = Rc::new(Clients::new(Arc::clone(&room), Thread(thread), serving()));
            let keeper = Rc::clone(&clients);
            tokio::task::spawn_local(async move { keeper.keep(|| ()).await });
            clients
        })
    }

    /// A client of `most` whose connection ends when it is told to. While `at_work`, it does not rest.
    async fn client(clients: &Rc<Clients>, most: usize, at_work: bool) -> tokio::task::JoinHandle<()> {
        let place = timeout(PATIENCE, clients.place(|| most)).await;
        let ticket = clients.enter(place.expect("a place"));
        ticket.works();
        if !at_work {
            ticket.rests();
        }
        tokio::task::spawn_local(async move {
            ticket.here().await;
            poll_fn(|_: &mut Context<'_>| match ticket.is_to_leave() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
        })
    }

    async fn pass(time: Duration) {
        Deadline::within(time).passed().await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_rested_longest_gives_way_at_once_and_nobody_else_does() {
        LocalSet::new()
            .run_until(async {
                let [clients] = threads();
                let mut resting = Vec::new();
                for _ in 0..3 {
                    resting.push(client(&clients, 3, false).await);
                    pass(LONG).await;
                }
                let began = Instant::now();
                let _newcomer = client(&clients, 3, false).await;
                assert_eq!(Instant::now(), began, "nobody waited for a timer");
                pass(LONG).await;
                let ended: Vec<bool> = resting.iter().map(|task| task.is_finished()).collect();
                assert_eq!((ended, clients.count()), (vec![true, false, false], 3));
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_gives_way_at_once_in_another_thread() {
        LocalSet::new()
            .run_until(async {
                let [own, none, other, third] = threads();
                let at_work = client(&own, 3, true).await;
                let resting = [client(&other, 3, false).await, client(&third, 3, false).await];
                pass(LONG).await;
                let began = Instant::now();
                let _newcomer = client(&own, 3, false).await;
                assert_eq!(Instant::now(), began, "nobody waited for a timer");
                pass(LONG).await;
                assert_eq!(resting.iter().filter(|task| task.is_finished()).count(), 1);
                assert!(!at_work.is_finished());
                let counts = [&own, &none, &other, &third].map(|clients| clients.count());
                assert_eq!(counts.iter().sum::<usize>(), 3);
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_are_at_work_a_client_waits_until_one_rests_or_leaves() {
        LocalSet::new()
            .run_until(async {
                let [clients, other] = threads();
                let ticket = other.enter(other.place(|| 2).await);
                ticket.works();
                let working = client(&clients, 2, true).await;
                let mut waiting = pin!(clients.place(|| 2));
                assert!(poll!(&mut waiting).is_pending());
                pass(10 * LONG).await;
                assert!(poll!(&mut waiting).is_pending() && !ticket.is_to_leave());
                ticket.rests();
                pass(LONG).await;
                assert!(poll!(&mut waiting).is_pending() && ticket.is_to_leave());
                drop(ticket);
                let place = waiting.await;
                let mut waiting = pin!(clients.place(|| 2));
                assert!(poll!(&mut waiting).is_pending());
                assert!(
                    poll!(pin!(clients.place(|| 3))).is_ready(),
                    "the limit was raised"
                );
                drop(place);
                waiting.await;
                assert!(!working.is_finished());
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn another_is_asked_when_the_first_does_not_leave() {
        LocalSet::new()
            .run_until(async {
                let [clients] = threads();
                let tickets = [(); 2].map(|()| clients.enter(clients.squeeze_in()));
                for ticket in &tickets {
                    ticket.works();
                    ticket.rests();
                    pass(LONG).await;
                }
                let mut waiting = pin!(clients.place(|| 2));
                assert!(poll!(&mut waiting).is_pending());
                let asked = || tickets.each_ref().map(Ticket::gives_way);
                assert_eq!(asked(), [true, false]);
                tickets[0].works();
                pass(LONG).await;
                assert!(poll!(&mut waiting).is_pending());
                assert_eq!(asked(), [true, true]);
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_became_free_before_a_client_waited_costs_nobody_his() {
        LocalSet::new()
            .run_until(async {
                let [clients] = threads();
                drop(clients.squeeze_in());
                let resting = [client(&clients, 2, false).await, client(&clients, 2, false).await];
                let _newcomer = client(&clients, 2, true).await;
                pass(LONG).await;
                assert_eq!(resting.iter().filter(|task| task.is_finished()).count(), 1);
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_tells_all_and_a_moment_wakes_one() {
        LocalSet::new()
            .run_until(async {
                let [clients] = threads();
                let working = client(&clients, 9, true).await;
                let ticket = clients.enter(clients.squeeze_in());
                ticket.wake_at(Instant::now() + 3 * LONG);
                let named = tokio::task::spawn_local(async move {
                    ticket.here().await;
                    let began = Instant::now();
                    let mut first = true;
                    poll_fn(|_| match std::mem::take(&mut first) {
                        true => Poll::Pending,
                        false => Poll::Ready(()),
                    })
                    .await;
                    began.elapsed()
                });
                let woken = named.await.unwrap();
                assert!((3 * LONG..=4 * LONG).contains(&woken), "{woken:?}");
                assert!(!working.is_finished());
                clients.stop();
                clients.all_gone().await;
                assert!(working.await.is_ok());
            })
            .await;
    }
}
