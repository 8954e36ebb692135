package remora.tomcat.copy;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import remora.tomcat.store.LocalAttribute;
import remora.tomcat.store.Login;
import remora.tomcat.store.Merged;
import remora.tomcat.store.StoredAttribute;
import remora.tomcat.store.StoredSession;

/**
 * Puts what the store says into the live side: what is newer than the copy takes the place of what
 * is there, unless the application has changed it, which the store will then call a conflict.
 *
 * <p>A live object that is replaced while requests run may be in their hands: it is remembered, so
 * that a change in place made on it is noticed. Guarded by the copy's lock.
 */
final class Reconciler {

  private final Values values;
  private final Ledger ledger;
  private final Map<String, Change> open;
  private Map<Object, Asked.Orphan> orphans;
  private List<Asked.Orphan> replaced = Collections.emptyList();

  Reconciler(Values values, Ledger ledger, Map<String, Change> open) {
    this.values = values;
    this.ledger = ledger;
    this.open = open;
  }

  /** What became of one text from the store. */
  private final class Round {
    private final long version;
    private final long stamp;
    private final boolean used;
    private Set<String> others = Collections.emptySet();

    private Round(long version, long stamp, boolean used) {
      this.version = version;
      this.stamp = stamp;
      this.used = used;
    }

    private void attribute(StoredAttribute attribute) {
      String name = attribute.name();
      if (!ledger.isNewer(name, attribute.version())) {
        return;
      }
      changed(name, attribute.version());
      if (isOpen(name)) {
        return;
      }
      EncodedValue encoded = new EncodedValue(attribute.type(), attribute.bytes());
      replaces(name);
      ledger.know(name, attribute.version(), encoded.fingerprint());
      values.fill(name, encoded);
    }

    /** Others' local value is nothing here; a value of this Tomcat's own stays. */
    private void local(LocalAttribute local) {
      String name = local.name();
      Object print = Encoding.localPrint(local.className());
      if (isOpen(name) || Objects.equals(print, ledger.print(name))) {
        return;
      }
      if (!ledger.staysHere(name)) {
        replaces(name);
        values.drop(name);
      }
      ledger.know(name, version, print);
      changed(name, version);
    }

    private void removedAllBut(Set<String> left) {
      for (String name : values.names()) {
        if (left.contains(name) || ledger.staysHere(name)) {
          continue;
        }
        if (isOpen(name)) {
          if (ledger.isTold(name)) {
            changed(name, version);
          }
          continue;
        }
        replaces(name);
        ledger.forget(name);
        values.drop(name);
        changed(name, version);
      }
    }

    private void login(Login login) {
      Object print = Encoding.loginPrint(login);
      if (!print.equals(ledger.print(Names.LOGIN))) {
        ledger.know(Names.LOGIN, version, print);
        changed(Names.LOGIN, version);
        if (!isOpen(Names.LOGIN)) {
          values.login(login);
        }
      }
    }

    private void idle(int seconds) {
      if (!Objects.equals(seconds, ledger.print(Names.IDLE))) {
        ledger.know(Names.IDLE, version, seconds);
        changed(Names.IDLE, version);
        if (!isOpen(Names.IDLE)) {
          values.idle(seconds);
        }
      }
    }

    private void changed(String name, long changedVersion) {
      if (others.isEmpty()) {
        others = new HashSet<>();
      }
      others.add(name);
      if (used) {
        ledger.changedByOthers(name, stamp, changedVersion);
      }
    }

    /** What nobody has decoded nobody can have. */
    private void replaces(String name) {
      Object live = values.peek(name);
      Object print = ledger.print(name);
      if (live == null || live instanceof EncodedValue || print == null) {
        return;
      }
      Asked.Orphan orphan = new Asked.Orphan(name, live, print);
      if (Encoding.staysHere(print)) {
        if (replaced.isEmpty()) {
          replaced = new ArrayList<>(1);
        }
        replaced.add(orphan);
      } else if (used) {
        if (orphans == null) {
          orphans = new IdentityHashMap<>(4);
        }
        orphans.put(live, orphan);
      }
    }

    /** A change that nobody else touched moves to the newer copy. */
    private void rebase() {
      for (Map.Entry<String, Change> change : open.entrySet()) {
        if (others.contains(change.getKey())) {
          change.getValue().pin();
        }
        change.getValue().rebase(version);
      }
    }
  }

  /** Whether the application has changed it, so that the store's value must wait. */
  private boolean isOpen(String name) {
    Change change = open.get(name);
    return change != null && !change.isDead();
  }

  /** A whole record: what it does not have is gone, and what was given up is replaced. */
  void take(StoredSession record, long stamp, boolean used) {
    Round round = new Round(record.version(), stamp, used);
    Set<String> there = new HashSet<>();
    for (StoredAttribute attribute : record.attributes()) {
      there.add(attribute.name());
      round.attribute(attribute);
    }
    for (LocalAttribute local : record.local()) {
      there.add(local.name());
      round.local(local);
    }
    round.removedAllBut(there);
    round.login(record.login());
    round.idle(record.maxIdleSeconds());
    open.values().removeIf(Change::isDead);
    round.rebase();
  }

  /** What others changed since a base. */
  void merge(Merged merged, long version, long stamp, boolean used) {
    Round round = new Round(version, stamp, used);
    for (StoredAttribute attribute : merged.attributes()) {
      round.attribute(attribute);
    }
    for (LocalAttribute local : merged.local()) {
      round.local(local);
    }
    if (merged.removesAnything()) {
      round.removedAllBut(left(merged));
    }
    if (merged.login() != null) {
      round.login(merged.login());
    }
    if (merged.maxIdleSeconds() != null) {
      round.idle(merged.maxIdleSeconds());
    }
    round.rebase();
  }

  private Set<String> left(Merged merged) {
    Set<String> left = new HashSet<>();
    for (String name : values.names()) {
      if (!merged.removes(name)) {
        left.add(name);
      }
    }
    return left;
  }

  /** The object's memory if others' value has replaced it; else null. */
  Asked.Orphan orphan(Object live) {
    return orphans == null ? null : orphans.get(live);
  }

  /** Values that lived here alone and were replaced since this was asked last. */
  List<Asked.Orphan> takeReplaced() {
    List<Asked.Orphan> taken = replaced;
    replaced = Collections.emptyList();
    return taken;
  }

  /** No request is left that may hold what was replaced. */
  void forgetReaders() {
    orphans = null;
    ledger.forgetOthers();
  }
}
