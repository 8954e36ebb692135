package remora.tomcat;

import java.util.Collections;
import remora.tomcat.store.CommandOutcome;
import remora.tomcat.store.RemoveReason;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreUnavailableException;

/**
 * Gives sessions another id in the store, and ends them there. Saves are {@link SessionSaver}'s.
 */
final class SessionCommands {

  /** A serial that was overtaken by another of this JVM is drawn again, once. */
  static final int STALE_TRIES = 2;

  private final SessionStore store;

  SessionCommands(SessionStore store) {
    this.store = store;
  }

  /**
   * Gives the session another key in the store. Nothing else changes it meanwhile.
   *
   * @param session a session
   * @param newKey a key with the same slot
   * @param newId the id that the key belongs to
   * @return false if the key is in use: draw another
   * @throws SaveFailedException if the session is not this Tomcat's any more
   */
  boolean rename(RemoraSession session, SessionKey newKey, String newId) {
    return session.flights.alone(() -> renameAlone(session, newKey, newId));
  }

  private boolean renameAlone(RemoraSession session, SessionKey newKey, String newId) {
    if (session.epoch() == 0) {
      return true;
    }
    boolean succeeded = false;
    try {
      for (int i = 0; i < STALE_TRIES; i++) {
        PendingRename rename =
            new PendingRename(store.nextSerial(), newKey, newId, session.epoch());
        CommandOutcome outcome = ask(session, rename);
        if (outcome.kind() == CommandOutcome.Kind.STALE) {
          continue;
        }
        succeeded =
            outcome.kind() == CommandOutcome.Kind.DONE
                || outcome.kind() == CommandOutcome.Kind.TAKEN;
        if (outcome.kind() == CommandOutcome.Kind.DONE) {
          renamed(session, outcome.version());
          return true;
        } else if (succeeded) {
          return false;
        }
        throw new SaveFailedException("the session moved while its id changed: " + outcome.kind());
      }
      throw new SaveFailedException("later commands of this Tomcat overtook the change of the id");
    } finally {
      if (!succeeded) {
        SessionSaver.giveUp(session, Collections.<String>emptySet());
      }
    }
  }

  private CommandOutcome ask(RemoraSession session, PendingRename rename) {
    try {
      return store.rename(rename.serial, session.key(), rename.newKey, rename.epoch);
    } catch (StoreUnavailableException unknown) {
      session.pendingRename = rename;
      throw unknown;
    }
  }

  /**
   * Repeats a rename whose outcome was not learned, and gives the session its new id if it is done:
   * under the old one the store would know it no more.
   *
   * @param session a session
   * @return whether this call gave it the new id; nobody was told of it yet
   */
  boolean finishRename(RemoraSession session) {
    return session.flights.alone(() -> finishAlone(session));
  }

  private boolean finishAlone(RemoraSession session) {
    PendingRename rename = session.pendingRename;
    if (rename == null) {
      return false; // the one in front has finished it
    }
    CommandOutcome outcome = ask(session, rename);
    boolean done = outcome.kind() == CommandOutcome.Kind.DONE;
    if (done) {
      renamed(session, outcome.version());
      session.setId(rename.newId, false);
    }
    session.pendingRename = null;
    return done;
  }

  private static void renamed(RemoraSession session, long version) {
    session.lock.lock();
    try {
      session.ledger.rename(version);
      session.ledger.rebaseMarks(Collections.<String>emptySet());
    } finally {
      session.lock.unlock();
    }
  }

  /**
   * Ends the session in the store, whoever owns it. Nothing else changes it meanwhile.
   *
   * @param session a session
   * @throws StoreUnavailableException if the store does not answer; the session may live on, so
   *     that its copy is read anew before it is used again
   * @throws SaveFailedException if the session is not where this Tomcat looked for it
   */
  void remove(RemoraSession session) {
    try {
      session.flights.alone(() -> removeAlone(session));
    } catch (RuntimeException notEnded) {
      session.unusable = true;
      throw notEnded;
    }
  }

  private CommandOutcome removeAlone(RemoraSession session) {
    if (session.epoch() == 0) {
      return null;
    }
    for (int i = 0; i < STALE_TRIES; i++) {
      CommandOutcome outcome =
          store.remove(
              store.nextSerial(),
              session.key(),
              session.ledger.createdVersion(),
              session.epoch(),
              RemoveReason.LOGOUT);
      if (outcome.kind() == CommandOutcome.Kind.RENAMED) {
        throw new SaveFailedException("the session lives on: its id has changed elsewhere");
      }
      if (outcome.kind() != CommandOutcome.Kind.STALE) {
        return outcome;
      }
    }
    throw new SaveFailedException("later commands of this Tomcat overtook the logout");
  }
}
