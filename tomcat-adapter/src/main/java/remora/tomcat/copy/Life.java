package remora.tomcat.copy;

/**
 * Where a near copy stands. Every change goes through {@link #after}, the one table of transitions;
 * what is not in it changes nothing.
 */
public enum Life {
  /** A claim is under way; there is no record here yet. */
  VACANT,
  /** Made here; the store has no record yet, because there is nothing to keep. */
  NEW,
  /** This Tomcat owns the session, as far as it was told. */
  OWNED,
  /** Another Tomcat takes it; requests that were given it before may finish, and save late. */
  HANDING_OVER,
  /** Another Tomcat has it. The object stays the only one here; a later claim fills it. */
  LOST,
  /** What the store has is not known: the copy is asked about before it is used again. */
  DOUBTFUL,
  /** Its key changes, and it is not known whether it has. */
  RENAMING,
  /** It is being ended by this Tomcat: who saves waits for that to land. */
  ENDING,
  /** The store is away: this Tomcat goes on by itself and owes what it changes. */
  SERVING,
  /** This Tomcat stops and gives it up. */
  DEPARTING,
  /** It has ended while this Tomcat owned it: its listeners are called here. */
  ENDED_HERE,
  /** It has ended, or goes on under another id, elsewhere: no listener is called here. */
  ENDED_ELSEWHERE;

  /** What happens to a near copy. */
  public enum Event {
    /** The store gave its record and the ownership. */
    CLAIMED,
    /** The application made it. */
    CREATED,
    /** The store has what a save said. */
    SAVED,
    /** The store said that the copy is the truth, or gave what made it so. */
    CONFIRMED,
    /** Another Tomcat's claim was announced. */
    EVICTED,
    /** The store was told that no request goes on with the lost copy. */
    ACKNOWLEDGED,
    /** The store said that another Tomcat owns it. */
    FENCED,
    /** A command was not answered, or its change was refused and has to be read back. */
    FAILED,
    /** A rename is about to be sent. */
    RENAME_BEGINS,
    /** The outcome of a rename is known. */
    RENAME_ENDS,
    /** A removal is about to be sent. */
    REMOVE_BEGINS,
    /** The store has removed it. */
    REMOVED,
    /** The store has not removed it, or nobody knows. */
    REMOVE_FAILS,
    /** The store is away, and this Tomcat may go on. */
    AWAY,
    /** The store has everything that was owed. */
    HANDED_OVER,
    /** This Tomcat stops. */
    DEPARTS,
    /** The store has ended it under this Tomcat's ownership. */
    GONE,
    /** It ended under another Tomcat's, or has another id. */
    GONE_ELSEWHERE
  }

  /**
   * Whether it has ended, so that nothing changes any more.
   *
   * @return true for the two ends
   */
  public boolean isOver() {
    return this == ENDED_HERE || this == ENDED_ELSEWHERE;
  }

  /**
   * Where it stands next.
   *
   * @param event what happened
   * @return the same if the event means nothing here
   */
  public Life after(Event event) {
    if (isOver()) {
      return this;
    }
    switch (event) {
      case GONE:
      case REMOVED:
        return ENDED_HERE;
      case GONE_ELSEWHERE:
        return ENDED_ELSEWHERE;
      case REMOVE_BEGINS:
        return this == VACANT ? this : ENDING;
      case DEPARTS:
        return this == VACANT || this == ENDING ? this : DEPARTING;
      default:
        break;
    }
    switch (this) {
      case VACANT:
        return event == Event.CLAIMED ? OWNED : event == Event.CREATED ? NEW : this;
      case NEW:
        return fromNew(event);
      case RENAMING:
        return event == Event.RENAME_ENDS ? OWNED : event == Event.AWAY ? SERVING : this;
      case ENDING:
        return event == Event.REMOVE_FAILS ? DOUBTFUL : this;
      case SERVING:
        return event == Event.HANDED_OVER ? OWNED : event == Event.FENCED ? LOST : this;
      case DEPARTING:
        return this;
      default:
        return fromHeld(event);
    }
  }

  private Life fromNew(Event event) {
    switch (event) {
      case SAVED:
        return OWNED;
      case FAILED: // no answer ever named it, so nobody has its cookie
        return ENDED_ELSEWHERE;
      case AWAY:
        return SERVING;
      default:
        return this;
    }
  }

  /** Owned, handed over, lost or doubtful: a record is known. */
  private Life fromHeld(Event event) {
    switch (event) {
      case CLAIMED:
        return OWNED;
      case CONFIRMED:
        return this == DOUBTFUL ? OWNED : this;
      case EVICTED:
        return this == LOST ? LOST : HANDING_OVER;
      case ACKNOWLEDGED:
        return this == HANDING_OVER ? LOST : this;
      case FENCED:
        return LOST;
      case FAILED:
        return this == OWNED ? DOUBTFUL : this;
      case RENAME_BEGINS:
        return RENAMING;
      case AWAY:
        return this == OWNED || this == DOUBTFUL ? SERVING : this;
      default:
        return this;
    }
  }
}
