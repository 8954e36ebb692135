package remora.tomcat.store;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * How many sessions a user of the {@link FakeTable} may have, and what the last save made of it.
 */
final class FakeLimit {

  /** Sessions that one login ends at most. */
  private static final int ENDED_MAX = 64;

  /** How many the last save allowed. */
  int sessions;

  /** The sessions that limits have ended since a test looked. */
  final List<SessionKey> ended = new ArrayList<>();

  /**
   * A user's sessions that must end for a login, the oldest first; null if it is over its limit.
   */
  List<FakeSlots.Found> ending(
      FakeSlots slots, long now, SessionKey key, FakeRecord record, SessionChange change) {
    Login login = change.login();
    boolean asked = change.limit() != null && login != null && !login.isNone();
    if (!asked || record != null && record.login.principal().equals(login.principal())) {
      return Collections.emptyList();
    }
    sessions = change.limit().sessions();
    List<FakeSlots.Found> others = new ArrayList<>();
    for (Map.Entry<SessionKey, FakeRecord> entry : slots.records().entrySet()) {
      FakeRecord other = entry.getValue();
      if (other.login.principal().equals(login.principal())
          && now <= other.deadline
          && !Arrays.equals(entry.getKey().hash(), key.hash())) {
        others.add(slots.find(entry.getKey(), now));
      }
    }
    others.sort(Comparator.comparingLong(other -> other.live.created));
    int ending = Math.max(0, others.size() + 1 - sessions);
    return ending > (change.limit().ends() ? ENDED_MAX : 0) ? null : others.subList(0, ending);
  }
}
