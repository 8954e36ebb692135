package remora.spring;

import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import remora.tomcat.RemoraManager;

/**
 * What the session manager is told: its attributes, by their own names and with their own defaults,
 * and what Boot has no other property for. What is written wrongly keeps the application from
 * starting.
 *
 * @param enabled Whether sessions are kept in the store; with "false" they are Tomcat's own, as
 *     without the starter.
 * @param store The client addresses of the store's nodes, "host:port" with commas between; one that
 *     answers is enough. Required.
 * @param tlsAuthority A PEM file: whom to believe about the store's nodes.
 * @param tlsCert A PEM file: this application's own certificate.
 * @param tlsKey A PEM file, PKCS#8: the key of that certificate.
 * @param allowPlaintext "true" in the place of the three files sends sessions over the network
 *     unencrypted; a store on the loopback needs neither.
 * @param app A name before host and path, for installations that share a store.
 * @param route The jvmRoute of the embedded Engine, which ends session ids and by which proxies
 *     stick.
 * @param node What "remora sessions list" calls this process; its route unless set, else the
 *     machine's name.
 * @param url Where a proxy with discovery reaches this process, "http://10.0.0.5:8080"; its first
 *     HTTP connector unless set.
 * @param mode "observe" for a first week: sessions live and end as under Tomcat's own manager;
 *     "protect" lets them outlive their process.
 * @param onStoreLoss While a majority of the store is away: "serve" goes on with what this process
 *     owns, "refuse" gives a 503.
 * @param onUnserializable A value that cannot be stored: "local" keeps it in this process, "fail"
 *     shows the application's error page.
 * @param onConflict Another process changed the same attribute: "refuse" gives a 503, "overwrite"
 *     lets the later one win.
 * @param sessionLimit How many sessions a user may have at a time in all processes together, at
 *     most 1000; 0 for any number.
 * @param onSessionLimit A login above the limit: "end" ends the user's oldest sessions, "refuse"
 *     answers it with 403.
 * @param persistEmpty "true" stores sessions without content, too.
 * @param storeTimeout How long a request waits for the store before it gets a 503, a number with
 *     "s" or "ms".
 * @param encryptionKeys A file with keys, the same for every process, under which values are
 *     encrypted before they leave.
 * @param key A secret of 16 bytes or more, the same for every process: the store then cannot be
 *     searched for an id.
 * @param keyFile A file that holds such a secret.
 * @param sessionAttributeValueClassNameFilter A regular expression for the classes that attributes
 *     may have.
 */
@ConfigurationProperties("remora")
public record RemoraProperties(
    @DefaultValue("true") boolean enabled,
    String store,
    String tlsAuthority,
    String tlsCert,
    String tlsKey,
    @DefaultValue("false") boolean allowPlaintext,
    String app,
    String route,
    String node,
    String url,
    @DefaultValue("protect") String mode,
    @DefaultValue("serve") String onStoreLoss,
    @DefaultValue("local") String onUnserializable,
    @DefaultValue("refuse") String onConflict,
    @DefaultValue("0") int sessionLimit,
    @DefaultValue("end") String onSessionLimit,
    @DefaultValue("false") boolean persistEmpty,
    @DefaultValue("5s") String storeTimeout,
    String encryptionKeys,
    String key,
    String keyFile,
    String sessionAttributeValueClassNameFilter) {

  /**
   * For logs: where the store is, and none of what is secret.
   *
   * @return no more than that
   */
  @Override
  public String toString() {
    return "remora.store=" + store;
  }

  /** A manager that was told all of it. */
  RemoraManager manager() {
    RemoraManager manager = new RemoraManager();
    manager.setStore(store);
    manager.setTlsAuthority(tlsAuthority);
    manager.setTlsCert(tlsCert);
    manager.setTlsKey(tlsKey);
    manager.setAllowPlaintext(allowPlaintext);
    manager.setApp(app);
    manager.setNode(node);
    manager.setUrl(url);
    manager.setMode(mode);
    manager.setOnStoreLoss(onStoreLoss);
    manager.setOnUnserializable(onUnserializable);
    manager.setOnConflict(onConflict);
    manager.setSessionLimit(sessionLimit);
    manager.setOnSessionLimit(onSessionLimit);
    manager.setPersistEmpty(persistEmpty);
    manager.setStoreTimeout(storeTimeout);
    manager.setEncryptionKeys(encryptionKeys);
    manager.setKey(key);
    manager.setKeyFile(keyFile);
    manager.setSessionAttributeValueClassNameFilter(sessionAttributeValueClassNameFilter);
    return manager;
  }
}
