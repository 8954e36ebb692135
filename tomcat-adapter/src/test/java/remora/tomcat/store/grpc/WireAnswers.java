package remora.tomcat.store.grpc;

import com.google.protobuf.ByteString;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import remora.proto.v1.Attribute;
import remora.proto.v1.BuryReply;
import remora.proto.v1.BuryRequest;
import remora.proto.v1.CheckReply;
import remora.proto.v1.ClaimReply;
import remora.proto.v1.Conflict;
import remora.proto.v1.Fenced;
import remora.proto.v1.Gone;
import remora.proto.v1.Label;
import remora.proto.v1.Labels;
import remora.proto.v1.ReleaseReply;
import remora.proto.v1.RemoveReply;
import remora.proto.v1.RemoveRequest;
import remora.proto.v1.RenameReply;
import remora.proto.v1.Renamed;
import remora.proto.v1.Reply;
import remora.proto.v1.Request;
import remora.proto.v1.SaveReply;
import remora.proto.v1.SaveRequest;
import remora.proto.v1.Saved;
import remora.proto.v1.Session;
import remora.proto.v1.Stale;
import remora.proto.v1.TouchReply;
import remora.tomcat.store.CheckOutcome;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.CommandOutcome;
import remora.tomcat.store.Login;
import remora.tomcat.store.Merged;
import remora.tomcat.store.Owner;
import remora.tomcat.store.RemoveReason;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoredAttribute;
import remora.tomcat.store.StoredSession;
import remora.tomcat.store.Touch;
import remora.tomcat.store.TouchOutcome;

/** A node's side of the wire: requests to calls of the seam, outcomes to replies. */
final class WireAnswers {

  private static final Renamed RENAMED = Renamed.getDefaultInstance();
  private static final Stale STALE = Stale.getDefaultInstance();

  /** Every attribute name that was ever saved here: a merge tells its names only one by one. */
  private static final Set<String> NAMES = ConcurrentHashMap.newKeySet();

  private WireAnswers() {}

  /** Asks a store what a client asks, and answers as a node does. */
  static Reply.Builder ask(SessionStore store, Request request) {
    Reply.Builder reply = Reply.newBuilder();
    long serial = request.getSerial();
    switch (request.getAskCase()) {
      case CLAIM:
        SessionKey claimed = key(request.getClaim().getSession());
        return reply.setClaim(claimed(store.claim(serial, claimed)));
      case SAVE:
        SaveRequest save = request.getSave();
        return reply.setSave(saved(store.save(serial, key(save.getSession()), change(save))));
      case CHECK:
        SessionKey checked = key(request.getCheck().getSession());
        return reply.setCheck(
            checked(
                store.check(
                    checked, request.getCheck().getEpoch(), request.getCheck().getVersion())));
      case TOUCH:
        return reply.setTouch(touched(store, request));
      case RENAME:
        SessionKey old = key(request.getRename().getSession());
        byte[] hash = request.getRename().getNewKey().toByteArray();
        SessionKey target = new SessionKey(old.application(), hash);
        return reply.setRename(
            renamed(store.rename(serial, old, target, request.getRename().getEpoch())));
      case REMOVE:
        return reply.setRemove(removed(remove(store, serial, request.getRemove())));
      case RELEASE:
        SessionKey released = key(request.getRelease().getSession());
        return reply.setRelease(
            released(store.release(serial, released, request.getRelease().getEpoch())));
      case BURY:
        BuryRequest bury = request.getBury();
        boolean first = store.bury(serial, key(bury.getSession()), bury.getCreatedVersion());
        return reply.setBury(BuryReply.newBuilder().setFirst(first));
      default:
        throw new IllegalArgumentException("nothing is asked");
    }
  }

  private static CommandOutcome remove(SessionStore store, long serial, RemoveRequest remove) {
    boolean expired = remove.getReason() == RemoveRequest.Reason.REASON_EXPIRY;
    return store.remove(
        serial,
        key(remove.getSession()),
        remove.getCreatedVersion(),
        remove.getEpoch(),
        expired ? RemoveReason.EXPIRY : RemoveReason.LOGOUT);
  }

  private static SessionChange change(SaveRequest save) {
    SessionChange.Builder change =
        SessionChange.of(save.getEpoch(), save.getBase())
            .late(save.getLate())
            .times(save.getCreatedMs(), save.getLastAccessMs());
    for (Attribute attribute : save.getChangedList()) {
      NAMES.add(attribute.getName());
      change.set(attribute.getName(), attribute.getType(), attribute.getValue().toByteArray());
    }
    save.getRemovedList().forEach(change::remove);
    if (save.hasLogin()) {
      remora.proto.v1.Login login = save.getLogin();
      Login named = new Login(login.getPrincipal(), login.getRolesList(), login.getAuthType());
      for (Label label : save.getLabels().getLabelsList()) {
        if (!label.getName().equals("principal")) {
          named = named.with(label.getName(), label.getValue());
        }
      }
      change.login(named);
    }
    if (save.hasMaxIdleSeconds()) {
      change.maxIdleSeconds(save.getMaxIdleSeconds());
    }
    return change.build();
  }

  private static TouchReply touched(SessionStore store, Request request) {
    List<Touch> touches =
        request.getTouch().getSessionsList().stream()
            .map(one -> new Touch(key(one.getSession()), one.getEpoch(), one.getLastAccessMs()))
            .collect(Collectors.toList());
    TouchOutcome outcome = store.touch(touches);
    TouchReply.Builder reply = TouchReply.newBuilder();
    outcome.fenced().forEach(touch -> reply.addFenced(touches.indexOf(touch)));
    outcome.gone().forEach(touch -> reply.addGone(touches.indexOf(touch)));
    return reply.build();
  }

  private static ClaimReply claimed(ClaimOutcome outcome) {
    ClaimReply.Builder reply = ClaimReply.newBuilder();
    switch (outcome.kind()) {
      case CLAIMED:
        return reply.setClaimed(session(outcome.session())).build();
      case GONE:
        return reply.setGone(gone(outcome.tombstone())).build();
      case RENAMED:
        return reply.setRenamed(RENAMED).build();
      default:
        return reply.setStale(STALE).build();
    }
  }

  private static SaveReply saved(SaveOutcome outcome) {
    SaveReply.Builder reply = SaveReply.newBuilder();
    switch (outcome.kind()) {
      case SAVED:
        Saved.Builder saved =
            Saved.newBuilder()
                .setVersion(outcome.version())
                .setEpoch(outcome.epoch())
                .setCreatedVersion(outcome.createdVersion());
        if (!outcome.merged().isEmpty()) {
          saved.setMerged(merged(outcome.merged()));
        }
        return reply.setSaved(saved).build();
      case CONFLICT:
        return reply
            .setConflict(
                Conflict.newBuilder()
                    .setVersion(outcome.version())
                    .setMerged(merged(outcome.merged())))
            .build();
      case FENCED:
        return reply.setFenced(fenced(outcome.owner())).build();
      case GONE:
        return reply.setGone(gone(outcome.tombstone())).build();
      case RENAMED:
        return reply.setRenamed(RENAMED).build();
      default:
        return reply.setStale(STALE).build();
    }
  }

  private static CheckReply checked(CheckOutcome outcome) {
    CheckReply.Builder reply = CheckReply.newBuilder();
    switch (outcome.kind()) {
      case CURRENT:
        return reply.setCurrent(CheckReply.Current.getDefaultInstance()).build();
      case NEWER:
        return reply.setNewer(session(outcome.session())).build();
      case MOVED:
        return reply.setMoved(fenced(outcome.owner())).build();
      case RENAMED:
        return reply.setRenamed(RENAMED).build();
      default:
        return reply.setGone(gone(0)).build();
    }
  }

  private static RenameReply renamed(CommandOutcome outcome) {
    RenameReply.Builder reply = RenameReply.newBuilder();
    switch (outcome.kind()) {
      case DONE:
        return reply.setDone(RenameReply.Done.newBuilder().setVersion(outcome.version())).build();
      case FENCED:
        return reply.setFenced(fenced(outcome.owner())).build();
      case GONE:
        return reply.setGone(gone(outcome.version())).build();
      case RENAMED:
        return reply.setRenamed(RENAMED).build();
      case STALE:
        return reply.setStale(STALE).build();
      default:
        return reply.setTaken(RenameReply.Taken.getDefaultInstance()).build();
    }
  }

  private static RemoveReply removed(CommandOutcome outcome) {
    RemoveReply.Builder reply = RemoveReply.newBuilder();
    switch (outcome.kind()) {
      case DONE:
        return reply.setDone(RemoveReply.Done.newBuilder().setTombstone(outcome.version())).build();
      case FENCED:
        return reply.setFenced(fenced(outcome.owner())).build();
      case GONE:
        return reply.setGone(gone(outcome.version())).build();
      case RENAMED:
        return reply.setRenamed(RENAMED).build();
      default:
        return reply.setStale(STALE).build();
    }
  }

  private static ReleaseReply released(CommandOutcome outcome) {
    ReleaseReply.Builder reply = ReleaseReply.newBuilder();
    switch (outcome.kind()) {
      case DONE:
        return reply.setDone(ReleaseReply.Done.getDefaultInstance()).build();
      case FENCED:
        return reply.setFenced(fenced(outcome.owner())).build();
      case GONE:
        return reply.setGone(gone(outcome.version())).build();
      case RENAMED:
        return reply.setRenamed(RENAMED).build();
      default:
        return reply.setStale(STALE).build();
    }
  }

  private static remora.proto.v1.Merged merged(Merged merged) {
    remora.proto.v1.Merged.Builder wire = remora.proto.v1.Merged.newBuilder();
    wire.setRemovals(merged.removesAnything());
    if (wire.getRemovals()) {
      NAMES.stream().filter(name -> !merged.removes(name)).forEach(wire::addNames);
    }
    merged.attributes().forEach(attribute -> wire.addAttributes(attribute(attribute)));
    if (merged.login() != null) {
      wire.setLogin(login(merged.login()));
      wire.setLabels(Labels.newBuilder().addAllLabels(labels(merged.login())));
    }
    if (merged.maxIdleSeconds() != null) {
      wire.setMaxIdleSeconds(merged.maxIdleSeconds());
    }
    return wire.build();
  }

  static Session session(StoredSession session) {
    Session.Builder wire =
        Session.newBuilder()
            .setVersion(session.version())
            .setEpoch(session.epoch())
            .setCreatedVersion(session.createdVersion())
            .setOwner(owner(session.owner()))
            .setCreatedMs(session.createdMillis())
            .setLastAccessMs(session.lastAccessMillis())
            .setMaxIdleSeconds(session.maxIdleSeconds());
    if (!session.login().isNone()) {
      wire.setLogin(login(session.login()));
      wire.addAllLabels(labels(session.login()));
    }
    session.attributes().forEach(attribute -> wire.addAttributes(attribute(attribute)));
    return wire.build();
  }

  private static Attribute attribute(StoredAttribute attribute) {
    return Attribute.newBuilder()
        .setName(attribute.name())
        .setVersion(attribute.version())
        .setType(attribute.type())
        .setValue(ByteString.copyFrom(attribute.bytes()))
        .build();
  }

  private static List<Label> labels(Login login) {
    List<Label> labels = new ArrayList<>();
    login
        .labels()
        .forEach(
            (name, value) -> labels.add(Label.newBuilder().setName(name).setValue(value).build()));
    return labels;
  }

  private static remora.proto.v1.Login login(Login login) {
    return remora.proto.v1.Login.newBuilder()
        .setPrincipal(login.principal())
        .addAllRoles(login.roles())
        .setAuthType(login.authType())
        .build();
  }

  private static Gone gone(long tombstone) {
    return Gone.newBuilder().setTombstone(tombstone).build();
  }

  private static Fenced fenced(Owner owner) {
    return Fenced.newBuilder().setOwner(owner(owner)).build();
  }

  private static remora.proto.v1.Owner owner(Owner owner) {
    return remora.proto.v1.Owner.newBuilder()
        .setNode(owner.node())
        .setInstance(owner.instance())
        .build();
  }

  private static SessionKey key(remora.proto.v1.SessionKey key) {
    return new SessionKey(key.getApplication(), key.getKey().toByteArray());
  }

  static remora.proto.v1.SessionKey key(SessionKey key) {
    return remora.proto.v1.SessionKey.newBuilder()
        .setApplication(key.application())
        .setKey(ByteString.copyFrom(key.hash()))
        .build();
  }
}
