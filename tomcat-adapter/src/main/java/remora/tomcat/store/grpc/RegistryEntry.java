package remora.tomcat.store.grpc;

import java.util.concurrent.TimeUnit;

/**
 * This Tomcat's entry in the store's registry: what is to be said of it, and when. Pure: time is
 * handed in.
 *
 * <p>An entry stands until it is retired, so each version of it is said until the store has
 * answered, and no more. One call is under way at a time, so that none overtakes another; after one
 * that broke, nobody knows what the registry holds, and it is said again. Whoever leaves takes out
 * what the registry holds or may hold, and enters nothing, whatever happens meanwhile, until it
 * {@link #returns}.
 */
final class RegistryEntry {

  /** What to say now. */
  enum Telling {
    NOTHING,
    ANNOUNCE,
    RETIRE
  }

  /** How it stands. */
  enum State {
    /** There is nothing to say, and the registry holds nothing. */
    ABSENT,
    /** Something is to be said, at its time. */
    DUE,
    /** Something is said and not answered. */
    SAID,
    /** The store has answered: it holds what is to be said. */
    STANDS,
    /** The store refuses what is to be said, and will until somebody does something. */
    REFUSED
  }

  /** Applications are deployed one after the other and announced together. */
  static final long SETTLES_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  /** Between two announcements of what goes on changing. */
  static final long ANNOUNCE_NANOS_MIN = TimeUnit.SECONDS.toNanos(1);

  /** First pause after a call that broke: an election takes a few hundred milliseconds. */
  static final long BROKEN_NANOS_MIN = TimeUnit.MILLISECONDS.toNanos(50);

  /** Longest pause after a call that broke: a proxy finds this Tomcat no sooner. */
  static final long BROKEN_NANOS_MAX = TimeUnit.SECONDS.toNanos(10);

  /** Pause after a refusal that lasts: the store writes each into its books. */
  static final long REFUSED_NANOS = TimeUnit.SECONDS.toNanos(60);

  /** In the place of a version: nobody knows which, if any, the registry holds. */
  private static final long UNKNOWN = -1;

  /** Rises with all that is to be said. */
  private long versions;

  /** The version that is to stand; 0 for none. */
  private long wanted;

  /** The version that the registry holds; 0 for none. */
  private long held;

  /** Whether what is held stands under another name than what is wanted. */
  private boolean renamed;

  private boolean leaves;
  private boolean refused;

  /** The call under way, the version that it says, and whether its answer is of another store. */
  private Telling call = Telling.NOTHING;

  private long said;
  private boolean outdated;

  private long dueNanos;
  private long announcedNanos;
  private long pauseNanos = BROKEN_NANOS_MIN;

  RegistryEntry(long nowNanos) {
    dueNanos = nowNanos;
    announcedNanos = nowNanos - ANNOUNCE_NANOS_MIN;
  }

  /** Something else is to stand, under the name of before or another. */
  void wants(boolean underAnotherName, long nowNanos) {
    wanted = ++versions;
    renamed = underAnotherName;
    soon(later(nowNanos + SETTLES_NANOS, announcedNanos + ANNOUNCE_NANOS_MIN));
  }

  /** Nothing is to stand any more. */
  void wantsNothing(long nowNanos) {
    wanted = 0;
    soon(nowNanos + SETTLES_NANOS);
  }

  /** This Tomcat is about to stop. */
  void leaves(long nowNanos) {
    if (!leaves) {
      leaves = true;
      soon(nowNanos);
    }
  }

  /** It does not stop after all. */
  void returns(long nowNanos) {
    if (leaves) {
      leaves = false;
      soon(nowNanos + SETTLES_NANOS);
    }
  }

  /** A stream to the cluster of before begins, whose leader knows this instance or does not. */
  void meets(boolean known, long nowNanos) {
    outdated |= !known;
    held = !known ? 0 : held == 0 ? UNKNOWN : held;
    if (!refused) {
      soon(nowNanos);
    }
  }

  /** A stream to another cluster begins; what that holds is as old as its backup. */
  void meetsAnother(boolean known, long nowNanos) {
    outdated = true;
    held = known ? UNKNOWN : 0;
    soon(nowNanos);
  }

  private void soon(long dueNanos) {
    this.dueNanos = dueNanos;
    refused = false;
    pauseNanos = BROKEN_NANOS_MIN;
  }

  /** What is to be said, whenever it is due. */
  private Telling owed() {
    boolean standsNot = leaves || wanted == 0;
    if (held != 0 && (standsNot || renamed)) {
      return Telling.RETIRE;
    }
    return standsNot || held == wanted ? Telling.NOTHING : Telling.ANNOUNCE;
  }

  /** What is to be said now; its call is then under way until it is told what came of it. */
  Telling next(long nowNanos) {
    if (call != Telling.NOTHING || nowNanos - dueNanos < 0) {
      return Telling.NOTHING;
    }
    call = owed();
    if (call == Telling.ANNOUNCE) {
      announcedNanos = nowNanos;
      renamed = false;
    }
    said = wanted;
    outdated = false;
    refused = false;
    return call;
  }

  /** When {@link #next} may have something to say; else the given time. */
  long dueNanos(long elseNanos) {
    return call != Telling.NOTHING || owed() == Telling.NOTHING ? elseNanos : dueNanos;
  }

  /** The store has done what was said. */
  void answered() {
    boolean retired = call == Telling.RETIRE;
    call = Telling.NOTHING;
    pauseNanos = BROKEN_NANOS_MIN;
    if (!outdated) {
      held = retired ? 0 : said;
    } else if (!retired) {
      held = UNKNOWN;
    }
  }

  /**
   * Nobody knows whether the store has done what was said.
   *
   * @return whether calls have broken for so long that a person should hear of it
   */
  boolean broke(long nowNanos) {
    call = Telling.NOTHING;
    held = UNKNOWN;
    boolean lasts = pauseNanos == BROKEN_NANOS_MAX;
    dueNanos = later(dueNanos, nowNanos + pauseNanos);
    pauseNanos = Math.min(2 * pauseNanos, BROKEN_NANOS_MAX);
    return lasts;
  }

  /** The store has not done what was said, and will not until somebody does something. */
  void refused(long nowNanos) {
    boolean retired = call == Telling.RETIRE;
    call = Telling.NOTHING;
    if (retired) {
      held = 0; // or stays there, until an operator takes it out
    } else if (said == wanted && !leaves && !outdated) {
      refused = true;
      dueNanos = nowNanos + REFUSED_NANOS;
    }
  }

  private static long later(long one, long other) {
    return one - other > 0 ? one : other;
  }

  /** Whether this Tomcat leaves, and has nothing left to take out. */
  boolean isOut() {
    return leaves && call == Telling.NOTHING && held == 0;
  }

  /** How it stands. */
  State state() {
    if (call != Telling.NOTHING) {
      return State.SAID;
    } else if (refused) {
      return State.REFUSED;
    } else if (owed() != Telling.NOTHING) {
      return State.DUE;
    }
    return held == 0 ? State.ABSENT : State.STANDS;
  }
}
