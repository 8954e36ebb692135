package remora.tomcat;

/** What the sessions of one manager share while it runs. Immutable. */
final class SessionServices {

  private final NearCopies copies;
  private final SessionSaver saver;
  private final PauseTicker ticker;

  SessionServices(NearCopies copies, SessionSaver saver, PauseTicker ticker) {
    this.copies = copies;
    this.saver = saver;
    this.ticker = ticker;
  }

  NearCopies copies() {
    return copies;
  }

  SessionSaver saver() {
    return saver;
  }

  PauseTicker ticker() {
    return ticker;
  }
}
