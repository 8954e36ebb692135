package remora.tomcat.seal;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.codec.Closed;
import remora.tomcat.codec.Encoded;
import remora.tomcat.store.Announcement;
import remora.tomcat.store.ApplicationStatus;
import remora.tomcat.store.CheckOutcome;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.CommandOutcome;
import remora.tomcat.store.Farewell;
import remora.tomcat.store.Merged;
import remora.tomcat.store.NewsListener;
import remora.tomcat.store.Push;
import remora.tomcat.store.PushListener;
import remora.tomcat.store.RemoveReason;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreRefusedException;
import remora.tomcat.store.StoreState;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.StoredAttribute;
import remora.tomcat.store.StoredSession;
import remora.tomcat.store.Touch;
import remora.tomcat.store.TouchOutcome;

/**
 * A store that is told encrypted values, and tells what they hold. The package's preface has the
 * whole story. Keeps the contract of the seam; a rename takes two more round trips, and after it
 * each value counts as changed by the rename, so that a record that is read whole brings them all.
 *
 * <p>What cannot be opened is given out as {@link Closed}, and goes back as it came.
 */
public final class SealedStore implements SessionStore {

  /** How often a rename looks again when something else of its Tomcat's came between. */
  private static final int TRIES_MAX = 8;

  /**
   * How many keys are remembered that were given up lately. The store serves one for 30 s more; as
   * many logins in that time are more than a Tomcat does.
   */
  private static final int MOVES_MAX = 16_384;

  private static final Log LOG = LogFactory.getLog(SealedStore.class);

  private final SessionStore store;
  private final KeyFile file;

  /** Which keys this Tomcat gave up, until more have been than are remembered. */
  private final Map<SessionKey, Move> moves =
      new LinkedHashMap<SessionKey, Move>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<SessionKey, Move> eldest) {
          return size() > MOVES_MAX;
        }
      };

  /** Where a session has gone, and under which ownership. */
  private static final class Move {
    private final SessionKey to;
    private final long epoch;

    private Move(SessionKey to, long epoch) {
      this.to = to;
      this.epoch = epoch;
    }
  }

  /**
   * Stands before a store.
   *
   * @param store what values are hidden from; closed with this
   * @param file the keys
   */
  public SealedStore(SessionStore store, KeyFile file) {
    this.store = store;
    this.file = file;
  }

  // ---- Values

  private static StoredAttribute with(StoredAttribute attribute, Encoded value) {
    return new StoredAttribute(attribute.name(), attribute.version(), value.type(), value.bytes());
  }

  private List<StoredAttribute> sealed(SessionKey key, List<StoredAttribute> values) {
    Sealer sealer = null;
    List<StoredAttribute> sealed = new ArrayList<>(values.size());
    for (StoredAttribute value : values) {
      if (Closed.is(value.type())) {
        sealed.add(with(value, Closed.original(value.bytes())));
        continue;
      } else if (sealer == null) {
        sealer = new Sealer(file.keys(), key);
      }
      byte[] bytes = sealer.seal(value.name(), value.type(), value.bytes());
      int type = Closed.SEALED | value.type() & Encoded.HEARS;
      sealed.add(with(value, new Encoded(type, bytes)));
    }
    return sealed;
  }

  private List<StoredAttribute> opened(SessionKey key, List<StoredAttribute> values) {
    if (values.isEmpty()) {
      return values;
    }
    Keys keys = file.keys();
    Sealer sealer = new Sealer(keys, key);
    List<StoredAttribute> opened = new ArrayList<>(values.size());
    for (StoredAttribute value : values) {
      opened.add(with(value, open(keys, sealer, value)));
    }
    return opened;
  }

  private static Encoded open(Keys keys, Sealer sealer, StoredAttribute value) {
    if ((value.type() & ~Encoded.HEARS) == Closed.SEALED) {
      return sealer.open(value.name(), value.type(), value.bytes());
    } else if (keys.acceptsPlaintext() && !Closed.is(value.type())) {
      return new Encoded(value.type(), value.bytes());
    }
    return Closed.of(Closed.Why.PLAINTEXT, value.type(), value.bytes());
  }

  private StoredSession opened(SessionKey key, StoredSession record) {
    return record == null ? null : record.withAttributes(opened(key, record.attributes()));
  }

  /**
   * The key that a record has which a command under an ownership finds: a request that began before
   * its session's rename may still name the one before, and the store takes that.
   */
  private SessionKey place(SessionKey key, long epoch) {
    synchronized (moves) {
      SessionKey place = key;
      Move move = moves.get(place);
      while (move != null && move.epoch == epoch) {
        place = move.to;
        move = moves.get(place);
      }
      return place;
    }
  }

  private void moved(SessionKey key, SessionKey newKey, long epoch) {
    synchronized (moves) {
      moves.remove(newKey); // it is a session's again
      moves.put(key, new Move(newKey, epoch));
    }
  }

  @Override
  public ClaimOutcome claim(long serial, SessionKey key) {
    ClaimOutcome outcome = store.claim(serial, key);
    return new ClaimOutcome(outcome.kind(), opened(key, outcome.session()), outcome.tombstone());
  }

  @Override
  public SaveOutcome save(long serial, SessionKey key, SessionChange change) {
    SessionKey place = place(key, change.epoch());
    SaveOutcome outcome =
        store.save(serial, key, change.withChanged(sealed(place, change.changed())));
    Merged merged = outcome.merged();
    return merged.attributes().isEmpty()
        ? outcome
        : outcome.withMerged(merged.withAttributes(opened(place, merged.attributes())));
  }

  @Override
  public CheckOutcome check(SessionKey key, long epoch, long version) {
    CheckOutcome outcome = store.check(key, epoch, version);
    StoredSession record = opened(place(key, epoch), outcome.session());
    return new CheckOutcome(outcome.kind(), record, outcome.owner());
  }

  @Override
  public void onPush(String application, PushListener listener) {
    store.onPush(application, push -> listener.pushed(opened(push)));
  }

  private Push opened(Push push) {
    return push.record() == null
        ? push
        : Push.leaver(push.key(), opened(push.key(), push.record()), push::acknowledge);
  }

  // ---- Another key

  @Override
  public CommandOutcome rename(long serial, SessionKey key, SessionKey newKey, long epoch) {
    CommandOutcome outcome = store.rename(serial, key, newKey, epoch);
    boolean mayBeDone =
        outcome.kind() == CommandOutcome.Kind.DONE || outcome.kind() == CommandOutcome.Kind.STALE;
    try {
      for (int i = 0; mayBeDone && i < TRIES_MAX; i++) {
        CheckOutcome found = store.check(newKey, epoch, 0);
        if (found.kind() != CheckOutcome.Kind.NEWER) {
          return outcome; // it was not done, or the session has ended or gone since
        }
        moved(key, newKey, epoch);
        CommandOutcome done = resealed(key, newKey, found.session());
        if (done != null) {
          return done;
        }
      }
    } catch (StoreUnavailableException halfDone) {
      throw new StoreUnavailableException(halfDone.getMessage());
    }
    return outcome;
  }

  /**
   * Seals for the new key what was sealed for the old one.
   *
   * @return the rename's outcome, or null if the record is to be looked at again
   */
  private CommandOutcome resealed(SessionKey key, SessionKey newKey, StoredSession record) {
    Keys keys = file.keys();
    Sealer before = new Sealer(keys, key);
    Sealer now = new Sealer(keys, newKey);
    List<StoredAttribute> values = new ArrayList<>();
    for (StoredAttribute value : record.attributes()) {
      boolean isForNow = Closed.is(value.type()) || !Closed.is(open(keys, now, value).type());
      Encoded opened = isForNow ? null : open(keys, before, value);
      if (opened != null && !Closed.is(opened.type())) {
        values.add(with(value, opened));
      }
    }
    if (values.isEmpty()) {
      return new CommandOutcome(CommandOutcome.Kind.DONE, record.version(), null);
    }
    SessionChange change =
        SessionChange.of(record.epoch(), record.version())
            .times(record.createdMillis(), record.lastAccessMillis())
            .build()
            .withChanged(sealed(newKey, values));
    try {
      SaveOutcome saved = store.save(store.nextSerial(), newKey, change);
      return saved.kind() == SaveOutcome.Kind.SAVED
          ? new CommandOutcome(CommandOutcome.Kind.DONE, saved.version(), null)
          : null;
    } catch (StoreRefusedException tooLarge) {
      LOG.warn(
          "A session whose id has changed keeps values that only this Tomcat can use until they"
              + " change, since the store takes them no longer: "
              + tooLarge.getMessage());
      return new CommandOutcome(CommandOutcome.Kind.DONE, record.version(), null);
    }
  }

  // ---- What has no values

  @Override
  public long instance() {
    return store.instance();
  }

  @Override
  public long nextSerial() {
    return store.nextSerial();
  }

  @Override
  public CommandOutcome remove(
      long serial, SessionKey key, long createdVersion, long epoch, RemoveReason reason) {
    return store.remove(serial, key, createdVersion, epoch, reason);
  }

  @Override
  public CommandOutcome release(long serial, SessionKey key, long epoch) {
    return store.release(serial, key, epoch);
  }

  @Override
  public boolean bury(long serial, SessionKey key, long createdVersion) {
    return store.bury(serial, key, createdVersion);
  }

  @Override
  public TouchOutcome touch(List<Touch> touches) {
    return store.touch(touches);
  }

  @Override
  public boolean nearCopyTrusted(long readAtNanos) {
    return store.nearCopyTrusted(readAtNanos);
  }

  @Override
  public int sessionBytesMax() {
    return store.sessionBytesMax();
  }

  @Override
  public void onNews(String application, NewsListener listener) {
    store.onNews(application, listener);
  }

  @Override
  public void watch(SessionKey key, long createdVersion) {
    store.watch(key, createdVersion);
  }

  @Override
  public void unwatch(SessionKey key) {
    store.unwatch(key);
  }

  @Override
  public StoreState state() {
    return store.state();
  }

  @Override
  public void onState(Consumer<StoreState> listener) {
    store.onState(listener);
  }

  @Override
  public void announce(Announcement announcement) {
    store.announce(announcement);
  }

  @Override
  public void announceUnprotected(String host, Set<String> applications) {
    store.announceUnprotected(host, applications);
  }

  @Override
  public void beginsToWait() {
    store.beginsToWait();
  }

  @Override
  public void hasWaited() {
    store.hasWaited();
  }

  @Override
  public Farewell leave() {
    return store.leave();
  }

  @Override
  public void onStatus(String application, Supplier<ApplicationStatus> figures) {
    store.onStatus(application, figures);
  }

  @Override
  public void close() {
    store.close();
  }
}
