package remora.tomcat;

import org.apache.catalina.session.ManagerBase;

/**
 * The attributes of the {@code <Manager>} element, which Tomcat sets by their setters before the
 * manager starts, and which JMX shows by their getters. What they mean is checked at the start.
 */
public abstract class ManagerAttributes extends ManagerBase {

  /** What was set, as it was written. */
  final ManagerOptions options = new ManagerOptions();

  ManagerAttributes() {}

  /**
   * Client addresses of the store's nodes. Required.
   *
   * @param addresses {@code host:port}, separated by commas
   */
  public void setStore(String addresses) {
    options.store = addresses;
  }

  /**
   * Client addresses of the store's nodes.
   *
   * @return as set
   */
  public String getStore() {
    return options.store;
  }

  /**
   * A namespace before host and context path, for installations that share a store.
   *
   * @param app a name, or null for none
   */
  public void setApp(String app) {
    options.app = app;
  }

  /**
   * The namespace.
   *
   * @return as set
   */
  public String getApp() {
    return options.app;
  }

  /**
   * What people call this Tomcat. The Engine's jvmRoute unless set.
   *
   * @param node a name
   */
  public void setNode(String node) {
    options.node = node;
  }

  /**
   * What people call this Tomcat.
   *
   * @return as set
   */
  public String getNode() {
    return options.node;
  }

  /**
   * Where proxies that ask the store reach this Tomcat. Its first connector of HTTP unless set, at
   * the address that the connector has or, if it listens on all of them, at that from which this
   * Tomcat speaks to the store.
   *
   * @param url {@code http://host:port}
   */
  public void setUrl(String url) {
    options.url = url;
  }

  /**
   * Where proxies reach this Tomcat.
   *
   * @return as set
   */
  public String getUrl() {
    return options.url;
  }

  /**
   * Whether anything depends on the store yet.
   *
   * @param mode {@code protect}, unless set; or {@code observe}, for a first week: sessions live
   *     and expire as under Tomcat's own manager, no request asks the store or is refused, and what
   *     would be stored is sent to it behind their backs, so that JMX says what could not be
   */
  public void setMode(String mode) {
    options.mode = mode;
  }

  /**
   * Whether anything depends on the store yet.
   *
   * @return as set
   */
  public String getMode() {
    return options.mode;
  }

  /**
   * What requests with sessions get while the store does not answer.
   *
   * @param onStoreLoss {@code serve}: the sessions that this Tomcat owns, and new ones, go on, and
   *     what changes is handed over when the store is back; or {@code refuse}: a 503 that leaves
   *     the cookie as it is
   */
  public void setOnStoreLoss(String onStoreLoss) {
    options.onStoreLoss = onStoreLoss;
  }

  /**
   * What requests with sessions get while the store does not answer.
   *
   * @return as set
   */
  public String getOnStoreLoss() {
    return options.onStoreLoss;
  }

  /**
   * What a request gets that changes an attribute which another Tomcat has changed since it was
   * read here. Only happens where users do not stick to one Tomcat.
   *
   * @param onConflict {@code refuse}, a 503; or {@code overwrite}: the later one wins, but never
   *     with a login
   */
  public void setOnConflict(String onConflict) {
    options.onConflict = onConflict;
  }

  /**
   * What a request gets that changes what another Tomcat has changed.
   *
   * @return as set
   */
  public String getOnConflict() {
    return options.onConflict;
  }

  /**
   * What becomes of a value that cannot be stored: not serializable, too large, refused by a
   * filter.
   *
   * @param onUnserializable {@code local}: it stays on this Tomcat and is lost with it; or {@code
   *     fail}: the request fails with the application's own error page
   */
  public void setOnUnserializable(String onUnserializable) {
    options.onUnserializable = onUnserializable;
  }

  /**
   * What becomes of a value that cannot be stored.
   *
   * @return as set
   */
  public String getOnUnserializable() {
    return options.onUnserializable;
  }

  /**
   * How many sessions one user may have at a time, on all Tomcats together: who is logged in by the
   * container, by Spring Security or by Shiro, under the same name. Not asked with {@code
   * mode="observe"}.
   *
   * @param sessionLimit 1 to 1,000; 0, unless set, for any number
   */
  public void setSessionLimit(int sessionLimit) {
    options.sessionLimit = sessionLimit;
  }

  /**
   * How many sessions one user may have at a time.
   *
   * @return as set
   */
  public int getSessionLimit() {
    return options.sessionLimit;
  }

  /**
   * What a login gets whose user has as many sessions as he may.
   *
   * @param onSessionLimit {@code end}: the user's oldest sessions end, before the login is
   *     answered; or {@code refuse}: the login's own request is answered with 403 and the session
   *     goes on as it was before, or is gone if that request began it
   */
  public void setOnSessionLimit(String onSessionLimit) {
    options.onSessionLimit = onSessionLimit;
  }

  /**
   * What a login gets whose user has as many sessions as he may.
   *
   * @return as set
   */
  public String getOnSessionLimit() {
    return options.onSessionLimit;
  }

  /**
   * Whether sessions without content are stored, too: no attribute, login or idle limit of their
   * own. They cost the store a record for every visitor who never comes back.
   *
   * @param persistEmpty {@code true} to store them; {@code false} unless set
   */
  public void setPersistEmpty(boolean persistEmpty) {
    options.persistEmpty = persistEmpty;
  }

  /**
   * Whether sessions without content are stored, too.
   *
   * @return as set
   */
  public boolean isPersistEmpty() {
    return options.persistEmpty;
  }

  /**
   * How long a request waits for the store: longer than an election takes. 5 s unless set.
   *
   * @param storeTimeout a number with {@code s} or {@code ms}
   */
  public void setStoreTimeout(String storeTimeout) {
    options.storeTimeout = storeTimeout;
  }

  /**
   * How long a request waits for the store.
   *
   * @return as set
   */
  public String getStoreTimeout() {
    return options.storeTimeout;
  }

  /**
   * Certificates of those whom this Tomcat believes about the store's nodes; the connection is then
   * over TLS, and a node's certificate must be for the name that {@code store} has. Read anew when
   * it changes, as {@code tlsCert} and {@code tlsKey}.
   *
   * @param tlsAuthority a file in PEM; relative to {@code catalina.base}
   */
  public void setTlsAuthority(String tlsAuthority) {
    options.tlsAuthority = tlsAuthority;
  }

  /**
   * Certificates of those whom this Tomcat believes about the store's nodes.
   *
   * @return as set
   */
  public String getTlsAuthority() {
    return options.tlsAuthority;
  }

  /**
   * This Tomcat's own certificate, by which the store knows what it may do.
   *
   * @param tlsCert a file in PEM, those between it and the store's authority included
   */
  public void setTlsCert(String tlsCert) {
    options.tlsCert = tlsCert;
  }

  /**
   * This Tomcat's own certificate.
   *
   * @return as set
   */
  public String getTlsCert() {
    return options.tlsCert;
  }

  /**
   * The private key of {@code tlsCert}.
   *
   * @param tlsKey a file in PEM, PKCS#8, not encrypted
   */
  public void setTlsKey(String tlsKey) {
    options.tlsKey = tlsKey;
  }

  /**
   * The private key of {@code tlsCert}.
   *
   * @return the path as set
   */
  public String getTlsKey() {
    return options.tlsKey;
  }

  /**
   * Whether sessions may travel unencrypted over a network. Without TLS and without this, only a
   * store on the loopback is spoken to.
   *
   * @param allowPlaintext {@code true} on a network that nobody else reaches; {@code false} unless
   *     set
   */
  public void setAllowPlaintext(boolean allowPlaintext) {
    options.allowPlaintext = allowPlaintext;
  }

  /**
   * Whether sessions may travel unencrypted over a network.
   *
   * @return as set
   */
  public boolean isAllowPlaintext() {
    return options.allowPlaintext;
  }

  /**
   * A file with keys under which values are encrypted before they leave this Tomcat, the same on
   * all of the application's. A line has a name and 32 random bytes in base64; the first key
   * encrypts, all open. {@code ids} in the place of a name: the bytes under which ids are hashed,
   * as with {@code key}. {@code plaintext accepted}: values that are not encrypted are believed,
   * too. Read anew when it changes, but for {@code ids}.
   *
   * @param encryptionKeys its path, relative to {@code catalina.base}
   */
  public void setEncryptionKeys(String encryptionKeys) {
    options.encryptionKeys = encryptionKeys;
  }

  /**
   * The file with the keys of values.
   *
   * @return as set
   */
  public String getEncryptionKeys() {
    return options.encryptionKeys;
  }

  /**
   * A secret of the application's Tomcats under which ids are hashed (HMAC-SHA-256), so that the
   * store cannot be searched for an id. The same on all of them.
   *
   * @param key at least 16 bytes
   */
  public void setKey(String key) {
    options.key = key;
  }

  /**
   * A file that holds the secret of {@link #setKey}.
   *
   * @param keyFile its path
   */
  public void setKeyFile(String keyFile) {
    options.keyFile = keyFile;
  }

  /**
   * Whether logins are kept with their sessions. For JMX, where Tomcat's own managers show it as
   * {@code persistAuthentication}; the oldest releases have no such method to override.
   *
   * @return true
   */
  public boolean keepsLogins() {
    return true;
  }
}
