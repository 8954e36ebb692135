package remora.tomcat.store;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What stands under the keys of a {@link FakeTable}; every rule about commands is the table's. Keys
 * are compared by their hash alone, because two managers of one JVM must not have the same
 * application.
 */
final class FakeSlots {

  /** Renames that a lookup follows. */
  private static final int HOPS_MAX = 4;

  /** What may stand under a key. */
  interface Slot {
    /** Table time after which it is absent. */
    long deadline();
  }

  /** What is left of a removed session. */
  static final class Tombstone implements Slot {
    final long version;
    final FakeTable.Caller removedBy;
    private final long deadline;

    Tombstone(long version, long deadline, FakeTable.Caller removedBy) {
      this.version = version;
      this.deadline = deadline;
      this.removedBy = removedBy;
    }

    @Override
    public long deadline() {
      return deadline;
    }
  }

  /** Where a renamed session went. */
  static final class Alias implements Slot {
    private final SessionKey target;
    private final long deadline;

    Alias(SessionKey target, long deadline) {
      this.target = target;
      this.deadline = deadline;
    }

    @Override
    public long deadline() {
      return deadline;
    }
  }

  /** What a lookup ended at, aliases followed. */
  static final class Found {
    SessionKey key;

    /** Whether the key asked for was given up at a rename. */
    boolean moved;

    FakeRecord live;
    Tombstone tombstone;

    /** What a Gone says: behind an alias nothing is told of a tombstone. */
    long tombstoneTold() {
      return moved || tombstone == null ? 0 : tombstone.version;
    }
  }

  private final Map<ByteBuffer, Slot> slots = new HashMap<>();

  void put(SessionKey key, Slot slot) {
    slots.put(hash(key), slot);
  }

  /** Takes away what stands under a key; null if there is nothing. */
  Slot take(SessionKey key) {
    return slots.remove(hash(key));
  }

  /** The session under a key, past its deadline or not; null if there is none. */
  FakeRecord record(SessionKey key) {
    Slot slot = slots.get(hash(key));
    return slot instanceof FakeRecord ? (FakeRecord) slot : null;
  }

  /** What stands under a key; null if that is nothing or past its deadline. */
  Slot standing(SessionKey key, long now) {
    Slot slot = slots.get(hash(key));
    return slot != null && now <= slot.deadline() ? slot : null;
  }

  /** What a command that names this key is about. */
  Found find(SessionKey key, long now) {
    Found found = new Found();
    found.key = key;
    for (int hop = 0; hop <= HOPS_MAX; hop++) {
      Slot slot = standing(found.key, now);
      if (!(slot instanceof Alias)) {
        found.live = slot instanceof FakeRecord ? (FakeRecord) slot : null;
        found.tombstone = slot instanceof Tombstone ? (Tombstone) slot : null;
        break;
      }
      found.moved = true;
      found.key = ((Alias) slot).target;
    }
    return found;
  }

  /** The keys of what is past its deadline, earliest first. */
  List<SessionKey> due(long now) {
    List<Map.Entry<ByteBuffer, Slot>> due = new ArrayList<>(slots.entrySet());
    due.removeIf(slot -> slot.getValue().deadline() >= now);
    due.sort(
        Comparator.comparing((Map.Entry<ByteBuffer, Slot> slot) -> slot.getValue().deadline())
            .thenComparing(Map.Entry::getKey));
    List<SessionKey> keys = new ArrayList<>();
    due.forEach(slot -> keys.add(key(slot.getKey())));
    return keys;
  }

  /** Sessions by their keys, those past their deadline that are not swept yet included. */
  Map<SessionKey, FakeRecord> records() {
    Map<SessionKey, FakeRecord> records = new HashMap<>();
    slots.forEach(
        (hash, slot) -> {
          if (slot instanceof FakeRecord) {
            records.put(key(hash), (FakeRecord) slot);
          }
        });
    return records;
  }

  private static ByteBuffer hash(SessionKey key) {
    return ByteBuffer.wrap(key.hash());
  }

  private static SessionKey key(ByteBuffer hash) {
    return new SessionKey("any", hash.array());
  }
}
