/**
 * The session manager: {@link remora.tomcat.RemoraManager} is what context.xml names.
 *
 * <h2>Words</h2>
 *
 * <p>A <em>near copy</em> is a session object of Tomcat's that mirrors a record in the store. Its
 * <em>epoch</em> names the ownership under which this Tomcat holds it, its <em>version</em> the
 * state of the record that it knows. A <em>mark</em> says that the application changed something
 * that the store was not told yet; the mark's <em>base</em> is the version at which it was changed.
 * A <em>flight</em> is the one command about a session that is on its way to the store. The
 * <em>bare id</em> is the session id up to its first dot, what follows is the <em>route</em>.
 *
 * <h2>One request</h2>
 *
 * <ol>
 *   <li>{@link remora.tomcat.RemoraValve}, in the Host's pipeline, opens a request scope, puts a
 *       {@link org.apache.coyote.CommitHook} before the response and looks the session up.
 *   <li>The near copies answer from memory while the store's stream vouches for them, else ask.
 *   <li>The application works on a {@link remora.tomcat.RemoraSession}, which marks what changes.
 *   <li>Before head, flush or end of the response leave, the hook asks the scope, and the scope
 *       lets the saver settle every session that the request touched.
 *   <li>If that fails, the answer is an empty 503 without a cookie, or a cut connection where the
 *       head has left.
 * </ol>
 *
 * <p>No class here names a servlet type, so one jar serves Tomcat 9.0, 10.1 and 11.0.
 */
package remora.tomcat;
