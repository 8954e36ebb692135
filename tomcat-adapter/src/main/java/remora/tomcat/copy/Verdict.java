package remora.tomcat.copy;

/**
 * What an answer of the store means for the copy that asked: the one table of it, for every command
 * and every answer. Whoever asks the store looks here and does nothing else.
 */
public enum Verdict {
  /** It happened: the copy takes in what the answer says. */
  TAKE_IN,
  /** A later command of this JVM overtook it: ask once more under a new serial. */
  AGAIN,
  /** The key was used before: create over its tombstone, by naming it. */
  OVER_TOMBSTONE,
  /** The new key is in use: draw another. */
  ANOTHER_KEY,
  /** Another Tomcat owns the session by now: what flew flies once more, late. */
  FLY_LATE,
  /** Another Tomcat owns the session by now: claim it, and go on from there. */
  RECLAIM,
  /** It did not happen and will not: what flew is given up. */
  GIVE_UP,
  /** The session has ended; whether under this Tomcat's ownership the copy knows. */
  GONE,
  /** The session lives on under an id that this Tomcat does not know, or ended elsewhere. */
  ELSEWHERE,
  /** Nobody knows: the copy is asked about before it is used again. */
  IN_DOUBT;

  /** What is asked of the store about one session. */
  public enum Command {
    /** Take the ownership and read the record. */
    CLAIM,
    /** Is the copy the truth? */
    CHECK,
    /** A save that makes the record. */
    CREATE,
    /** Store what changed. */
    SAVE,
    /** Store what changed before the session was lost. */
    LATE_SAVE,
    /** Give it another key. */
    RENAME,
    /** End it. */
    REMOVE,
    /** Give the ownership up. */
    RELEASE
  }

  /** What comes of it. */
  public enum Answer {
    /** As asked; for a check: this Tomcat owns the session. */
    DONE,
    /** Others changed the same since. */
    CONFLICT,
    /** Somebody else owns the session. */
    FENCED,
    /** There is no such session. */
    GONE,
    /** The key was given up for another. */
    RENAMED,
    /** A repeat of something older than the last. */
    STALE,
    /** The new key is in use. */
    TAKEN,
    /** The user has as many sessions as he may. */
    OVER_LIMIT,
    /** The store does not take it, now or ever. */
    REFUSED,
    /** No answer in time. */
    SILENT
  }

  /**
   * What an answer means.
   *
   * @param command what was asked
   * @param answer what came of it
   * @return what to do
   */
  public static Verdict of(Command command, Answer answer) {
    switch (answer) {
      case DONE:
        return TAKE_IN;
      case CONFLICT:
      case OVER_LIMIT:
      case REFUSED:
        return GIVE_UP;
      case STALE:
        return AGAIN;
      case TAKEN:
        return ANOTHER_KEY;
      case SILENT:
        return IN_DOUBT;
      case FENCED:
        return fenced(command);
      case GONE:
        return gone(command);
      default:
        return renamed(command);
    }
  }

  private static Verdict fenced(Command command) {
    switch (command) {
      case SAVE:
        return FLY_LATE;
      case CHECK:
      case RENAME:
        return RECLAIM;
      case RELEASE:
        return TAKE_IN; // there is nothing left to give up
      default:
        return GIVE_UP;
    }
  }

  private static Verdict gone(Command command) {
    switch (command) {
      case CREATE:
        return OVER_TOMBSTONE;
      case REMOVE: // somebody else was faster
      case RELEASE:
        return TAKE_IN;
      case LATE_SAVE: // it ended under its next owner
        return ELSEWHERE;
      default:
        return GONE;
    }
  }

  private static Verdict renamed(Command command) {
    switch (command) {
      case CREATE:
        return GIVE_UP;
      case CHECK:
        return RECLAIM;
      case RELEASE:
        return TAKE_IN;
      default:
        return ELSEWHERE;
    }
  }
}
