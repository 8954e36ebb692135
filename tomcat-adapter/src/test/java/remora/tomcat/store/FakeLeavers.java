package remora.tomcat.store;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What has expired in a {@link FakeTable}, until somebody has buried it. No command finds it; who
 * is offered it, and when again, is for those around the table.
 */
final class FakeLeavers {

  /** A session that has expired. */
  static final class Leaver {
    final SessionKey key;
    final FakeRecord record;

    /** How often it was offered. */
    int offers;

    private FakeTable.Caller buriedBy;

    private Leaver(SessionKey key, FakeRecord record) {
      this.key = key;
      this.record = record;
    }
  }

  private final Map<ByteBuffer, Leaver> leavers = new LinkedHashMap<>();

  void add(SessionKey key, FakeRecord record) {
    leavers.put(hash(key), new Leaver(key, record));
  }

  /** Its owner was told, and calls the listeners. */
  void forget(Leaver leaver) {
    leavers.remove(hash(leaver.key), leaver);
  }

  /** What nobody has buried, the earliest first. */
  List<Leaver> unburied() {
    List<Leaver> unburied = new ArrayList<>(leavers.values());
    unburied.removeIf(leaver -> leaver.buriedBy != null);
    return unburied;
  }

  /** Whether this command is the first to bury it, or was. */
  boolean bury(FakeTable.Caller caller, SessionKey key, long created) {
    Leaver leaver = leavers.get(hash(key));
    if (leaver == null || leaver.record.created != created) {
      return false;
    }
    if (leaver.buriedBy == null) {
      leaver.buriedBy = caller;
    }
    return caller == leaver.buriedBy || caller.repeats(leaver.buriedBy);
  }

  private static ByteBuffer hash(SessionKey key) {
    return ByteBuffer.wrap(key.hash());
  }
}
