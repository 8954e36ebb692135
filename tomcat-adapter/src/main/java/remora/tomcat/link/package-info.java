/**
 * Whether this Tomcat has what our classes use of it, asked when a manager starts, so that a
 * release outside the promised range is a sentence in the log and no error in the middle of a page.
 *
 * <p>What is used is read from our own class files, so no list can go stale.
 */
package remora.tomcat.link;
