/**
 * Remora in a Spring Boot application with embedded Tomcat: sessions that outlive their process,
 * configured by {@code remora.*}.
 *
 * <p>One jar for both lines of Boot. Invariants: a type that has another name in one of the lines
 * is named in one configuration class alone, which that line loads and the other does not; nothing
 * here speaks to the store but through the session manager; what Spring calls a session's id is
 * here the hash of it, which opens no session, but for the one of the current request among the
 * sessions of its user.
 *
 * <p>Left out on purpose: Jetty and Undertow, reactive applications, native images, Spring
 * Session's filter, for which Tomcat's own sessions leave no need.
 */
package remora.spring;
