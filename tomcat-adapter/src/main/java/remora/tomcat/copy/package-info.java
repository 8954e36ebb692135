/**
 * One near copy as a state machine: what a session's record is known to be, what the application
 * has changed since, and what the store is told next. Pure: it names no container, no store, no
 * lock, no thread, no clock and no log; of {@code remora.tomcat.store} it knows the words for
 * records and changes, which are the same on both sides of the seam.
 *
 * <h2>Words</h2>
 *
 * <ul>
 *   <li>A <em>stamp</em> is a number that rises with everything that happens to one copy.
 *   <li>A <em>mark</em> says that the application changed what stands under a name; it carries the
 *       stamp of the change, and its <em>base</em> is the version at which its request first read
 *       the name, or the copy's.
 *   <li>An <em>encoding</em> is what somebody found under a name, as the store would be told; its
 *       stamp was drawn before the look began, so it holds every mark that is not younger.
 *   <li>A <em>draft</em> is what one save tells: for each name the encoding that began last.
 *   <li>A <em>witness</em> is what one request has seen: names with the newest mark that it may
 *       have seen, and the mutable objects in its hands.
 * </ul>
 *
 * <h2>The rules</h2>
 *
 * <ol>
 *   <li>A mark is set before the new value can be seen, and once more when it can, before anybody
 *       else is told. Who reads looks at the value first and at the mark then. So nobody sees a
 *       change whose mark he has not noted.
 *   <li>Before an answer leaves, its request encodes each witnessed name whose newest mark nobody
 *       has encoded, whoever made it, and compares the mutable objects that it holds. It waits for
 *       what it has seen, fails with what it has seen, and with nothing else.
 *   <li>Encodings are made without any lock and outside every flight. One that began before another
 *       that is there already is dropped; its request waits for the other. What has landed is known
 *       by stamps, never by the order of landing.
 *   <li>A flight that fails gives up the names that it carried and no others: requests whose
 *       witness has a mark that was given up fail, and the record's values take the live ones'
 *       place. Who reads the value before that has seen it, too.
 *   <li>What the store says is newer takes the place of what is here, unless it is marked: then the
 *       mark keeps its base, and the store will call it a conflict. A live object that is replaced
 *       while requests run is remembered; who holds it and has changed it fails.
 *   <li>A session that its own user ends takes the changes with it that were not stored, and nobody
 *       fails. With any other end, whoever has seen one fails.
 *   <li>Where the copy stands is one {@link remora.tomcat.copy.Life}, changed through one table;
 *       what an answer of the store means is one {@link remora.tomcat.copy.Verdict}, read from
 *       another.
 * </ol>
 *
 * <p>The stories in {@code src/test/resources/copy} show each of them.
 */
package remora.tomcat.copy;
