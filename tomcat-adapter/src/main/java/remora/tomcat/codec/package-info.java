/**
 * Attribute values to bytes and back.
 *
 * <p>Values of common types are written in the adapter's own format, which loads no class when
 * read; everything else goes through Java serialization, behind a class filter and limits. A type
 * tag says which. FORMAT.md, section "Attribute values", has the layout of every tag and what they
 * promise to other versions of the adapter; bytes that this one cannot read are kept as {@link
 * remora.tomcat.codec.Undecodable}.
 *
 * <p>While a page runs it may hold any monitor of the application's, and another page may hold what
 * is to be written. So Java serialization then runs on a thread that holds nothing, and the page
 * waits for it, never for ever; at the end of a page its own thread does it.
 *
 * <p>Encryption is done behind the codec, in {@code remora.tomcat.seal}; what that could not open
 * is a {@link remora.tomcat.codec.Closed} here.
 *
 * <p>Left out on purpose: compression, and a format for classes of applications.
 */
package remora.tomcat.codec;
