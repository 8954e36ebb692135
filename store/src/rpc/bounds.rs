//! Bounds of messages and of what may be under way on a connection, the same at both of its ends.

/// Largest message either way between clients and the store, as session.proto says: 4 MiB.
pub(super) const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Largest peer message. Entries are batched at 1 MiB, but a single one may hold several 1 MiB sessions.
pub(super) const PEER_MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Flow-control window of a stream: a full disk batch must not wait for a window update (the default is 64 KiB).
pub(super) const STREAM_WINDOW_BYTES: u32 = 8 << 20;
/// Flow-control window of a connection.
pub(super) const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
