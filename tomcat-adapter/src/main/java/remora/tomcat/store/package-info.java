/**
 * The seam between the session manager and the session store: what may be asked, and what the
 * answers mean, as plain values.
 *
 * <p>{@link remora.tomcat.store.SessionStore} is the whole contract. Its only implementation for
 * production lives in {@code remora.tomcat.store.grpc}; nothing here knows of networks, Tomcat or
 * the meaning of an attribute's bytes.
 */
package remora.tomcat.store;
