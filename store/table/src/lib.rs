//! The session table: what a session record is, and every rule by which commands change it.
//!
//! This preface is the rule book. Each rule names the golden scripts that show it, stories that run as tests; what is
//! said here and what the scripts say is changed together. The words (version, owner, epoch, deadline, table time) are
//! explained at the top of `store/src/lib.rs`.
//!
//! The table is fed with log entries: the leader's stamp, then proposals. A proposal is a command, the name of the node
//! that asks, and the request id: the asking instance and its rising serial. [`SessionTable::apply`] answers each with
//! one [`Outcome`] and says what owners ([`Event`]) and watchers ([`Happening`]) must be told. Rules are asked in the
//! order of their numbers, and the first one that is broken answers; a command that is answered by Gone, Stale, Renamed,
//! Fenced, Conflict, Taken, TooLarge or OverLimit has changed nothing.
//!
//! # Before every command
//!
//! 1. **Time.** An entry moves table time by what its stamp moved since the entry before: never back, and by ten
//!    seconds at most, so that no outage and no clock that was set forward expires anybody. All its proposals see one
//!    time. (`scripts/time.script`)
//! 2. **Deadlines.** What is past its deadline is absent to every command and read but sweep and bury, though it still
//!    counts among the sessions until one comes. At its deadline it still stands. A create or a rename that takes the
//!    place of such a session ends it as the sweep does. (`scripts/expiry.script`, `scripts/afterlife.script`)
//! 3. **Versions.** Whatever changes a record or makes a tombstone counts one, and so does what changes the registry;
//!    touches, sweeps, burials and what changes nothing count none. (`scripts/create.script`, `scripts/touch.script`,
//!    `scripts/sweep.script`, `scripts/registry.script`)
//! 4. **Telling.** An owner is told what somebody else did to its session: that it lost it, that it is gone, that it
//!    expired; and of a late save, that its record is newer. Who asked for it is not told (but see rule 41), and for a session that nobody
//!    holds nobody is. (`scripts/claim.script`, `scripts/release.script`, `scripts/remove.script`,
//!    `scripts/late.script`)
//!
//! # Before a claim, save, rename, release or remove
//!
//! 5. **Renamed keys.** A session is found through the keys that its renames gave up, for 30 s and over four renames at
//!    most. A claim of such a key stops here: Renamed. (`scripts/rename.script`, `scripts/chains.script`)
//! 6. **Gone.** Where no session stands the answer is Gone, with the version of the tombstone if one stands there;
//!    through a key that was given up nothing is told of a tombstone. Rule 11 creates all the same, and rule 23 knows
//!    its own tombstone. (`scripts/logout.script`, `scripts/aliases.script`)
//! 7. **Repeats.** A record remembers its last claim, its last save, rename or release, and beside them its last late
//!    save. The same request id gets that outcome again, also when others have changed the record since; a claim only
//!    while the ownership that it began stands, else it is Stale. Stale too are a lower serial of the same instance and
//!    another kind of command under a remembered id. What is older than that and of another instance is not recognised.
//!    (`scripts/repeats.script`, `scripts/claim.script`, `scripts/afterlife.script`)
//! 8. **Given up.** Through a key that was given up only the owner comes: a save, release or remove without the current
//!    epoch is Renamed, late or not, but for an operator's remove. A second rename is Renamed even with it. A save with
//!    epoch 0 creates nothing there. (`scripts/rename.script`, `scripts/aliases.script`)
//! 9. **Fenced.** Epochs are compared for equality. A save, rename, release, or remove by expiry that carries another
//!    than the record's is Fenced and learns who owns the session. (`scripts/zombie.script`, `scripts/claim.script`)
//! 10. **Late.** A save of a request that began before its Tomcat lost the session says so, and is not fenced if it
//!     carries the epoch of the last holder before the present one, and if its base is not from before the session was
//!     created: it goes on under the rules of base and merge, and leaves owner and epoch to the successor, who is told
//!     the record's new version. An older epoch is Fenced. With the current epoch the word says nothing.
//!     (`scripts/late.script`, `scripts/superseded.script`, `scripts/zombie.script`, `scripts/release.script`,
//!     `scripts/rename.script`, `scripts/repeats.script`)
//!
//! # Save
//!
//! 11. **Create.** Epoch 0 creates where nothing stands, whatever its base; over a tombstone only if its base is the
//!     tombstone's version. The new session's version is its creation, its epoch, and the version of login, labels and
//!     idle limit. Any other epoch creates nothing. A second create is a save with a wrong epoch.
//!     (`scripts/create.script`, `scripts/logout.script`)
//! 12. **Base ahead.** A base above the record's version, or of another generation, is none that this record ever had:
//!     Conflict, whoever asks and whatever the save says, and the answer tells the whole record. (`scripts/ahead.script`;
//!     generations in `src/tests.rs`)
//! 13. **Base behind.** If something that the save changes or removes is newer than its base: Conflict, and nothing of
//!     it is applied. Otherwise it is applied. Either answer tells what is newer than the base and not the save's own:
//!     attributes, login, idle limit, labels, and removals. (`scripts/merge.script`)
//! 14. **Removals.** An absent attribute is as new as the last removal that took something, for nobody knows what that
//!     was; removing what is not there is no removal. A removal is told as the names that are left.
//!     (`scripts/removals.script`, `scripts/merge.script`)
//! 15. **Login, idle limit, labels** are versioned like one attribute each, set as a whole, and stay until they are set
//!     again. A login without a principal logs out. (`scripts/merge.script`, `scripts/labels.script`)
//! 16. **Local attributes.** One that turns local is removed and listed by name and class, so that nobody sees its
//!     older value; this counts as a removal, had it been stored or not, and whoever is told of removals is told the
//!     list. Stored or removed again, it leaves the list. (`scripts/local.script`)
//! 17. **Size.** A record counts the bytes of its attributes, login, labels and local attributes. If the reply that
//!     tells it would not fit a message any more: TooLarge, unless it grows no further. The limits refuse far below
//!     that, so only saves that were under way together meet it. (`scripts/local.script` counts; at four megabytes see
//!     `src/limits/tests.rs`)
//! 18. **Applied.** The record, and everything that the save sets, has the next version; the deadline is table time
//!     plus the idle limit, and never for a limit of 0 or less. The answer says version, epoch, and the version that
//!     created the session. (`scripts/create.script`, `scripts/expiry.script`)
//!
//! # The other commands about sessions
//!
//! 19. **Claim.** The caller owns the session: a new epoch, a new deadline, and the whole record as the answer, also
//!     when it owned the session before. The former owner is told. (`scripts/claim.script`)
//! 20. **Release.** Nobody owns the session: a new epoch, so that nothing the caller still has under way applies, but what
//!     it saves late. The deadline stays. (`scripts/release.script`)
//! 21. **Rename.** The record moves as it is, with its epoch and a new deadline, to any other key of the application where
//!     nothing stands; otherwise Taken. The old key serves the owner for 30 s more, and stays in use that long.
//!     (`scripts/rename.script`, `scripts/chains.script`)
//! 22. **Remove.** Ends the life of the key that it names by the version which created it; another life is answered
//!     Gone before its epoch is looked at. A logout and an operator ignore the epoch, expiry is fenced.
//!     (`scripts/remove.script`, `scripts/logout.script`)
//! 23. **Tombstones.** What remove and kill leave: for the idle limit, one hour at least and one day at most. It
//!     remembers the request that made it and nothing else: the repeat is answered Removed, all others Gone.
//!     (`scripts/logout.script`, `scripts/afterlife.script`)
//! 24. **Kill.** Ends each named session as a remove by an operator does, at most 256: through renames, by the version
//!     that created it, whatever its epoch. It is not remembered, but counts again what itself has ended.
//!     (`scripts/kill.script`, `scripts/remove.script`, `scripts/afterlife.script`)
//! 25. **Touch.** Moves the deadline of each named session whose epoch is the current one, at most 1,000; says which
//!     are not the caller's and which are gone. It is not remembered: to touch twice does no harm.
//!     (`scripts/touch.script`, `scripts/expiry.script`, `scripts/aliases.script`)
//! 26. **Sweep.** Takes away what is past its deadline, the earliest first and those of one deadline in the order of
//!     their keys, at most 1,000; tells the owners of sessions, unless they leave (rule 38). Leavers whose hour is over go
//!     last. It leaves no tombstone, and the registry as it is. (`scripts/sweep.script`, `scripts/expiry.script`,
//!     `scripts/aliases.script`, `scripts/registry.script`)
//!
//! # The registry of application servers
//!
//! 27. **Announce.** Enters the caller's node until it is retired: silence takes nobody out. The last to announce a name holds
//!     it, whichever instance that is. Whoever says what its entry says already changes nothing, unless the entry is of before
//!     a restore. (`scripts/registry.script`, `scripts/anew.script`)
//! 28. **Retire.** Takes the entry out if the caller's instance holds it, or, where an operator asks, the instance that it
//!     names or whichever is there; of these a mark is left, and of one that an operator names also where it never was. Asked
//!     again while the mark stands, it changes nothing. The last 256 marks stay; who announces itself again loses its own.
//!     (`scripts/registry.script`; the 256 in `src/tests/bounds.rs`)
//!
//! # What the cluster writes
//!
//! 29. **Members** come from the memberships in the log. One that stays on the same disk keeps what it has said; what a
//!     disk says that is no member counts for nothing. The last 64 disks that were removed are remembered.
//!     (`scripts/formats.script`)
//! 30. **Understands.** A member says which formats its program understands, and may say less later. From when on all
//!     understand a higher one is remembered. (`scripts/formats.script`)
//! 31. **Raise.** The cluster writes a higher format if each member has said that it understands it; who has not is
//!     named. It never falls, and without members it does not rise. (`scripts/formats.script`,
//!     `scripts/unformed.script`)
//! 32. **Hold.** A format that is held rises only for an operator who asks, and that ends the hold.
//!     (`scripts/formats.script`)
//!
//! # Reads and images
//!
//! 33. **Check.** Is a near copy the truth? With the current epoch: Current, or Newer with the record. With another:
//!     Moved, or Renamed through a key that was given up. Otherwise Gone, as in rule 6. (`scripts/check.script`,
//!     `scripts/aliases.script`)
//! 34. **Preview.** A claim that would be answered Gone or Renamed is answered by a read, so that a forged cookie costs
//!     no write. (`scripts/claim.script`, `scripts/rename.script`)
//! 35. **Owned.** The record as it stands, under exactly this key and while this ownership does: for the answer to a claim
//!     that has waited, and must not tell what is old by then. (`scripts/claim.script`)
//! 36. **Images** hold all of it: records with what they remember, tombstones, keys given up, leavers, time, the last stamp,
//!     the change counter, the registry with its version, members and formats. (`scripts/restart.script`,
//!     `scripts/repeats.script`, `scripts/labels.script`, `scripts/wishes.script`)
//! 37. **Anew.** A cluster that is restored or recovered goes on from an image in the next generation: its first version,
//!     which is drawn, is given to all sessions at once, as if each had been released, and to the view (rule 45). Nobody held
//!     them before, nothing is a repeat, and there are no leavers, whom somebody may have buried since; attributes, tombstones,
//!     the registry and time stay. But no server counts as announced until it has announced itself to the new cluster: what it
//!     said last may not be in the copy. (`scripts/anew.script`, `scripts/leaving.script`)
//!
//! # Sessions that left
//!
//! 38. **Leaving.** A session that expires leaves, if a server in the registry has announced listeners for its
//!     application, or if one of its values says by its type that it wants to hear. Then its owner is not told: it is
//!     offered the leaver, as others may be. The key is free, and no command about sessions meets the leaver. Who removes an
//!     expired session itself has called its listeners. (`scripts/leavers.script`)
//! 39. **Bury.** Who names a leaver, by its key and the version that created it, is told whether it was the first. The first
//!     gets that answer again under the same request id; all others, and those who ask about what never left, are not. A
//!     session past its deadline is buried as if a sweep had come before, whether anybody listens or not: who found it so
//!     asks. It counts no change. (`scripts/leavers.script`)
//! 40. **An hour.** Leavers, and what is known of those that were buried, go an hour after they left; before that those that
//!     left first, when a sweep finds that all of them count more bytes than it says. (`scripts/leaving.script`,
//!     `scripts/leavers.script`)
//!
//! # Labels
//!
//! 41. **Limits.** A save may name a limit for a label that it sets and its record did not carry before, name and value. It is
//!     asked when nothing else speaks against the save (rules 6 to 17): counted are the other sessions of the application
//!     that carry the label and are not past their deadline. Are they as many as the limit allows, it refuses: OverLimit, and
//!     nothing changes but that the record remembers it (rule 7); a create has no record, and its repeat is asked anew,
//!     as is that of a late save. Or it ends the oldest of them, by the version that created them, until the saved one is
//!     within it: 64 at most, otherwise it refuses. Rule 22 buries them, and all their owners are told. Who carries the label
//!     already, or says no limit, is not asked, but counts. (`scripts/limits.script`, `scripts/evictions.script`)
//! 42. **Found by label.** Whoever lists the sessions that carry a label walks these alone. (`scripts/labels.script`)
//!
//! # Watched
//!
//! 43. **Watchers** are told, with the session's labels, that it was created; that another instance holds it, or nobody; that
//!     it has another key, or other labels; and why it ended: a logout, an operator, a limit (rule 41), or expiry, which is
//!     told when a sweep, a burial or a successor under its key finds it. Whatever changes nothing tells nothing, and plain
//!     saves, touches, and a claim by the owner itself do not either. (`scripts/watching.script`)
//!
//! # Wishes
//!
//! 44. **Wish.** Keeps what an operator wishes of an upstream or a pool, in the place of what was wished of the same thing before;
//!     an empty one takes it back, and is kept in its place: the last 256 of those stay. Whoever names the version of the wish
//!     that it was made over, taken back or not, or 0 where none was known, is Behind if it is another now, and changes nothing. What is
//!     so already is answered before that and counts none; but of what nothing is known is taken back, too, for what was told
//!     of it before and comes later. What a wish says the table does not read. (`scripts/wishes.script`; the 256 in
//!     `src/tests/bounds.rs`)
//! 45. **The view** of servers, wishes and marks is read as of one moment, with the version of the last command that changed any
//!     of them. (`scripts/registry.script`, `scripts/wishes.script`, `scripts/anew.script`)
//!
//! # What always holds
//!
//! - The same entries give the same table on every replica, byte for byte, wherever an image was taken and restored
//!   between them (`src/tests/random.rs`).
//! - A view of the registry that is not equal to one before has a higher version (`src/tests/random.rs`).
//! - A version is given once, to one record, but for the first of a generation. So an epoch, which is a version, is never
//!   met again, and no part of a record is newer than the record.
//! - Every attribute stands once, stored or local. Saves that name one twice are refused before they are proposed.
//! - A session that was ended does not come back, for as long as its tombstone stands, but by a save that names the
//!   tombstone.
//! - A reader sees each key before or after a change, never between.
//! - No save that names a limit leaves more living sessions with its label than that (`src/tests/random.rs`).
//! - The index of deadlines holds what has one, that of labels what carries one, and the counters are what a walk would count (`src/tests/random.rs`).
//! - The work of a proposal is bounded: four renames followed, 256 sessions killed, 1,000 touched or swept, 4,096 looked up for
//!   a limit and 64 ended, otherwise one record, of which no more fits a message (`src/tests/bounds.rs`). Only images, lists and memberships walk
//!   everything.
//!
//! # What there is none of
//!
//! - No error: whatever an entry says, there is an outcome. Only bytes that cannot be read are an error, before they
//!   are one.
//! - No clock, randomness, order of a hash map, or thread: `clippy.toml` and the dependencies keep them out.
//! - No wire type, file or log line. Bytes are made in `src/codec`, and named in `FORMAT.md`.
//! - No limit of a configuration inside `apply`: nodes may be configured differently, and replicas must agree.
//!
//! # Left out
//!
//! What is refused before it is proposed (`src/limits.rs`). When a sweep, a tick or a rise of the format is proposed, to whom
//! a leaver is offered, and that a claim's answer waits for the former owner: that is for the node around the table. What a
//! Tomcat does about a Conflict.

mod codec;
mod command;
mod formats;
mod happening;
mod image;
mod labels;
mod leavers;
mod limits;
mod listing;
mod merge;
mod names;
mod outcome;
mod reader;
mod registry;
mod repeat;
mod rules;
mod slot;
mod stats;
mod table;
mod types;

pub use codec::{CodecError, Entry, EntryBuilder, ImageDecoder, decode_proposal, encode_proposal};
pub use command::{
    Announcement, Command, ENDED_MAX, KILLED_MAX, Killed, LIMITED_MAX, Limit, OverLimit, Proposal,
    RemoveReason, SWEPT_MAX, Save, TOUCHED_MAX, Touched,
};
pub use formats::{ClusterFormat, Format, Formats, MemberFormats, Ready, RemovedDisk};
pub use happening::{Ending, Happening, Ousted, Tidings, What};
pub use image::TableImage;
pub use leavers::LeaverKey;
pub use limits::{LimitError, Limits, Room};
pub use listing::{ListFilter, ListOrder, ListPlace, ListStart, Listing};
pub use outcome::{Checked, Event, EventKind, Merged, Outcome, Saved};
pub use reader::TableReader;
pub use registry::{RegisteredServer, RegistryView, Retired, Wish};
pub use stats::{Figures, Stats, StatsBy};
pub use table::{ENTRY_ADDS_MAX_MS, SessionTable};
pub use types::{
    Attribute, Epoch, HEARS_ITS_END, KEY_BYTES, Label, LocalAttribute, Login, Owner, RequestId, Session,
    SessionKey, Stamp, TableTime, Version,
};

#[cfg(test)]
mod tests;
