package remora.tomcat;

/** What the sessions of one manager share while it runs. Immutable. */
final class SessionServices {

  private final NearCopies copies;
  private final SessionSaver saver;
  private final SessionCommands commands;
  private final PauseTicker ticker;

  SessionServices(
      NearCopies copies, SessionSaver saver, SessionCommands commands, PauseTicker ticker) {
    this.copies = copies;
    this.saver = saver;
    this.commands = commands;
    this.ticker = ticker;
  }

  NearCopies copies() {
    return copies;
  }

  SessionSaver saver() {
    return saver;
  }

  SessionCommands commands() {
    return commands;
  }

  PauseTicker ticker() {
    return ticker;
  }
}
