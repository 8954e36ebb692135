/**
 * The session manager: {@link remora.tomcat.RemoraManager} is what context.xml names.
 *
 * <p>This package is the face: all that names Tomcat. Behind it {@code remora.tomcat.keeper} finds,
 * saves and gives up sessions, {@code remora.tomcat.copy} decides what each of them is and what the
 * store is told, {@code remora.tomcat.codec} turns values into bytes, {@code remora.tomcat.seal}
 * encrypts them, and {@code remora.tomcat.store} is the seam to the store. The <em>bare id</em> is
 * the session id up to its first dot, what follows is the <em>route</em>.
 *
 * <p>A program that embeds Tomcat, and asks for more than that does, has a {@link
 * remora.tomcat.Embedding}.
 *
 * <h2>One request</h2>
 *
 * <ol>
 *   <li>{@link remora.tomcat.RemoraValve}, in the Host's pipeline, opens a request scope, puts a
 *       {@link org.apache.coyote.CommitHook} before the response and looks the session up.
 *   <li>The keeper answers from memory while the store's stream vouches for the copy, else asks.
 *   <li>The application works on a {@link remora.tomcat.RemoraSession}, which notes what is read
 *       and marks what changes.
 *   <li>Before head, flush or end of the response leave, the hook asks the scope, and the scope has
 *       the keeper settle what the request has seen of every session that it touched.
 *   <li>If that fails, the answer is an empty 503 without a cookie, or a cut connection where the
 *       head has left; the application's own error page where it is to blame, or where a user would
 *       have more sessions than he may.
 * </ol>
 *
 * <p>No class here names a servlet type, so one jar serves Tomcat 9.0, 10.1 and 11.0.
 */
package remora.tomcat;
