/**
 * The session store over gRPC: the only package that names {@code io.grpc} and the generated stubs.
 *
 * <p>How a call travels. {@link remora.tomcat.store.grpc.GrpcSessionStore} turns values into a
 * request and hands it to the client that all managers of the JVM with the same store share. There
 * it waits in the outbox; the request thread that finds room on the stream sends all that waits in
 * one message and parks until its own reply. A single thread, the leader finder, keeps one stream
 * to whoever leads: it opens streams to all configured nodes at once, the first to say welcome
 * wins, and everything unanswered is sent again there with the serials it had.
 *
 * <p>Left out on purpose: unary calls (they cost five to eight times the CPU), timers on the hot
 * path, gRPC's own retries, back-off and keepalive (a stream's own probes find silence sooner:
 * {@link remora.tomcat.store.grpc.Pulse}).
 *
 * <p>Over TLS both sides show a certificate: {@link remora.tomcat.store.grpc.Credentials} reads the
 * files, {@link remora.tomcat.store.grpc.LastingFaults} says what is wrong with them, and a node
 * that cannot be believed is to all else a node that cannot be reached.
 */
package remora.tomcat.store.grpc;
