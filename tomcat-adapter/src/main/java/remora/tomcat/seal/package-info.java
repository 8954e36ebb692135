/**
 * Values that the store cannot read: encrypted when they leave this Tomcat, opened when they come
 * back, by keys that the store never sees. {@link remora.tomcat.seal.SealedStore} stands between
 * the keeper and the store; to all before it values are what the codec wrote, so that they are
 * compared, merged and kept as ever.
 *
 * <h2>What a value is bound to</h2>
 *
 * <p>A value is sealed with AES-256-GCM under a key of its session: HMAC-SHA-256, under the file's
 * key, of the application and of the session's key in the store. The attribute's name is
 * authenticated beside it, its type lies within. So a value opens in no other application or
 * session and under no other name, even for one who can write the store. A nonce is drawn at random
 * for each encryption; two of 2<sup>32</sup> under one key are alike with a probability below
 * 2<sup>-32</sup>, and as every session has a key of its own, it would have to be saved as often
 * for that: a key of the file need not be changed because of its use.
 *
 * <p>A sealed value is 33 bytes and its key's name longer. The store's limit on a session counts
 * what it is told, and what it then refuses as too large stays on its Tomcat like any other such
 * value.
 *
 * <p>What cannot be prevented without a memory outside the store: that an older value of the same
 * attribute is put back, or one is taken away. And what the store itself works with is in clear,
 * and believed: names of attributes, sizes and times, and of a login its name, roles and labels.
 *
 * <h2>A session whose id changes</h2>
 *
 * <p>A login gives a session another id, so another key in the store, in one command that sends no
 * values. They are bound to the old key then. Whoever asked for the rename reads the record under
 * its new key, seals again what was sealed for the old one, and saves that, before the rename
 * counts as answered: until then nobody has been told the new id, so nobody else asks for it, and
 * nothing needs to be atomic. If that breaks off, the command is repeated as any whose outcome is
 * unknown, and goes on where it was: the store's <em>stale</em> means then that its first half was
 * done. Only with {@code onStoreLoss="serve"} may an id be known before: a Tomcat that dies between
 * the store's return and the end of its hand-over takes with it what it had sealed for the id
 * before.
 *
 * <p>A value binds to the key and not to something that all values of a session share and that
 * survives renames, because a session could then be put whole in another's place: its thief needs
 * his own cookie and the store only.
 *
 * <h2>Keys</h2>
 *
 * <p>The file is looked at on Tomcat's background thread. A value that cannot be opened is hidden
 * and counted like any that cannot be decoded, and goes back as it came; a copy that was read
 * without a key goes without the value until that changes, or until another Tomcat or another start
 * of this one reads it. What is not encrypted is hidden, too, unless the file says otherwise: else
 * one who can write the store could have this Tomcat read a serialized object of his choice. The
 * key for ids stands in the same file and never changes by itself, so that no session is lost when
 * the keys of values do.
 *
 * <p>One save takes about 5 &micro;s more, and 1 &micro;s for each further value.
 *
 * <p>Left out on purpose: padding, which would hide sizes, and logins, which operators look for.
 */
package remora.tomcat.seal;
