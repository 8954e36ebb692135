/**
 * Keeps near copies: locks, threads, round trips and waits around the pure {@code
 * remora.tomcat.copy}. It names no container; the face, {@code remora.tomcat}, calls it and is
 * called through three narrow interfaces: {@link remora.tomcat.keeper.Live} (a session's live
 * side), {@link remora.tomcat.keeper.Encoder} (values to bytes) and {@link
 * remora.tomcat.keeper.Keeper.Host} (what Tomcat has to be told).
 *
 * <p>{@link remora.tomcat.keeper.Held} is one session with its lock and its one flight; {@link
 * remora.tomcat.keeper.Flights} is the only caller of the store for what is about one session that
 * lives; of one that has expired {@link remora.tomcat.keeper.Burials} asks who ends it.
 *
 * <p>What always holds: no code of an application's (serialization, listeners) runs while a lock of
 * ours is held, within a flight, or on a thread that anything else waits for; every wait has an
 * end; a flight that would wait for itself is an error. Threads: touches and look-arounds on one,
 * the news of the store on one, the application's code without a request on one.
 */
package remora.tomcat.keeper;
