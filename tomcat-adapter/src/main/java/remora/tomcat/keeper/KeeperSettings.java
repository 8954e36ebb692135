package remora.tomcat.keeper;

import remora.tomcat.store.SessionLimit;

/** What a keeper is told when it is made. */
public final class KeeperSettings {

  /** Waiting for others of one session ends a moment after their own wait for the store does. */
  private static final long TURN_MILLIS = 1_000;

  final String application;
  final SessionIds ids;
  final PauseTicker ticker;
  final ClassLoader loader;
  final boolean overwrites;
  final boolean serves;
  final boolean keepsLocal;
  final SessionLimit limit;
  final long storeTimeoutMillis;

  /**
   * Tells a keeper.
   *
   * @param application the application's name in the store
   * @param ids how its ids become keys
   * @param ticker notices that this process stood still
   * @param loader the application's class loader
   * @param overwrites whether attributes that others changed too are written over
   * @param serves whether this Tomcat goes on by itself while the store is away
   * @param keepsLocal whether what does not fit into a session stays here; else its request fails
   * @param limit how many sessions one user may have, or null for any number
   * @param storeTimeoutMillis how long the store may take for an answer
   */
  public KeeperSettings(
      String application,
      SessionIds ids,
      PauseTicker ticker,
      ClassLoader loader,
      boolean overwrites,
      boolean serves,
      boolean keepsLocal,
      SessionLimit limit,
      long storeTimeoutMillis) {
    this.application = application;
    this.ids = ids;
    this.ticker = ticker;
    this.loader = loader;
    this.overwrites = overwrites;
    this.serves = serves;
    this.keepsLocal = keepsLocal;
    this.limit = limit;
    this.storeTimeoutMillis = storeTimeoutMillis;
  }

  long turnNanosMax() {
    return (storeTimeoutMillis + TURN_MILLIS) * 1_000_000L;
  }
}
