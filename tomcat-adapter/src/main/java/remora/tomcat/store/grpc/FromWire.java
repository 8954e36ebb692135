package remora.tomcat.store.grpc;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import remora.proto.v1.Attribute;
import remora.proto.v1.CheckReply;
import remora.proto.v1.ClaimReply;
import remora.proto.v1.Conflict;
import remora.proto.v1.Gone;
import remora.proto.v1.Label;
import remora.proto.v1.ReleaseReply;
import remora.proto.v1.RemoveReply;
import remora.proto.v1.RenameReply;
import remora.proto.v1.Reply;
import remora.proto.v1.SaveReply;
import remora.proto.v1.Saved;
import remora.tomcat.store.CheckOutcome;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.CommandOutcome;
import remora.tomcat.store.LocalAttribute;
import remora.tomcat.store.Login;
import remora.tomcat.store.Merged;
import remora.tomcat.store.Owner;
import remora.tomcat.store.Push;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionDirectory;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.StoredAttribute;
import remora.tomcat.store.StoredSession;

/**
 * Answers to values. Pure. An outcome that this version does not know is no answer: the caller must
 * not guess what happened.
 */
final class FromWire {

  private FromWire() {}

  static ClaimOutcome claimed(ClaimReply reply) {
    switch (reply.getOutcomeCase()) {
      case CLAIMED:
        return new ClaimOutcome(ClaimOutcome.Kind.CLAIMED, session(reply.getClaimed()), 0);
      case GONE:
        return new ClaimOutcome(ClaimOutcome.Kind.GONE, null, reply.getGone().getTombstone());
      case RENAMED:
        return new ClaimOutcome(ClaimOutcome.Kind.RENAMED, null, 0);
      case STALE:
        return new ClaimOutcome(ClaimOutcome.Kind.STALE, null, 0);
      default:
        throw unknownOutcome("claim");
    }
  }

  static SaveOutcome saved(SaveReply reply) {
    switch (reply.getOutcomeCase()) {
      case SAVED:
        Saved saved = reply.getSaved();
        return SaveOutcome.saved(
            saved.getVersion(),
            saved.getEpoch(),
            saved.getCreatedVersion(),
            saved.hasMerged() ? merged(saved.getMerged()) : Merged.NOTHING);
      case CONFLICT:
        Conflict conflict = reply.getConflict();
        return SaveOutcome.conflict(
            conflict.getVersion(),
            conflict.hasMerged() ? merged(conflict.getMerged()) : Merged.NOTHING);
      case FENCED:
        return SaveOutcome.fenced(owner(reply.getFenced().getOwner()));
      case GONE:
        return SaveOutcome.gone(reply.getGone().getTombstone());
      case RENAMED:
        return SaveOutcome.bare(SaveOutcome.Kind.RENAMED);
      case STALE:
        return SaveOutcome.bare(SaveOutcome.Kind.STALE);
      case OVER_LIMIT:
        return SaveOutcome.bare(SaveOutcome.Kind.OVER_LIMIT);
      default:
        throw unknownOutcome("save");
    }
  }

  static CheckOutcome checked(CheckReply reply) {
    switch (reply.getOutcomeCase()) {
      case CURRENT:
        return new CheckOutcome(CheckOutcome.Kind.CURRENT, null, null);
      case NEWER:
        return new CheckOutcome(CheckOutcome.Kind.NEWER, session(reply.getNewer()), null);
      case MOVED:
        return new CheckOutcome(CheckOutcome.Kind.MOVED, null, owner(reply.getMoved().getOwner()));
      case RENAMED:
        return new CheckOutcome(CheckOutcome.Kind.RENAMED, null, null);
      case GONE:
        return new CheckOutcome(CheckOutcome.Kind.GONE, null, null);
      default:
        throw unknownOutcome("check");
    }
  }

  static CommandOutcome renamed(RenameReply reply) {
    switch (reply.getOutcomeCase()) {
      case DONE:
        return done(reply.getDone().getVersion());
      case FENCED:
        return fenced(reply.getFenced().getOwner());
      case GONE:
        return gone(reply.getGone());
      case RENAMED:
        return bare(CommandOutcome.Kind.RENAMED);
      case STALE:
        return bare(CommandOutcome.Kind.STALE);
      case TAKEN:
        return bare(CommandOutcome.Kind.TAKEN);
      default:
        throw unknownOutcome("rename");
    }
  }

  static CommandOutcome removed(RemoveReply reply) {
    switch (reply.getOutcomeCase()) {
      case DONE:
        return done(reply.getDone().getTombstone());
      case FENCED:
        return fenced(reply.getFenced().getOwner());
      case GONE:
        return gone(reply.getGone());
      case RENAMED:
        return bare(CommandOutcome.Kind.RENAMED);
      case STALE:
        return bare(CommandOutcome.Kind.STALE);
      default:
        throw unknownOutcome("remove");
    }
  }

  static CommandOutcome released(ReleaseReply reply) {
    switch (reply.getOutcomeCase()) {
      case DONE:
        return done(0);
      case FENCED:
        return fenced(reply.getFenced().getOwner());
      case GONE:
        return gone(reply.getGone());
      case RENAMED:
        return bare(CommandOutcome.Kind.RENAMED);
      case STALE:
        return bare(CommandOutcome.Kind.STALE);
      default:
        throw unknownOutcome("release");
    }
  }

  /** The kind of a push, or null for one that this version does not know. */
  static boolean buried(Reply reply) {
    if (!reply.hasBury()) {
      throw unknownOutcome("bury");
    }
    return reply.getBury().getFirst();
  }

  /**
   * A push, unless it is of a kind that this version does not know.
   *
   * @return null for an unknown kind, and for an offer of nothing
   */
  static Push push(remora.proto.v1.Push push, Runnable acknowledgement) {
    if (push.getKind() == remora.proto.v1.Push.Kind.KIND_LEAVER && push.hasRecord()) {
      return Push.leaver(key(push.getSession()), session(push.getRecord()), acknowledgement);
    }
    Push.Kind kind = pushKind(push.getKind());
    return kind == null
        ? null
        : new Push(
            key(push.getSession()), kind, push.getEpoch(), push.getVersion(), acknowledgement);
  }

  private static Push.Kind pushKind(remora.proto.v1.Push.Kind kind) {
    switch (kind) {
      case KIND_OWNERSHIP_LOST:
        return Push.Kind.OWNERSHIP_LOST;
      case KIND_GONE:
        return Push.Kind.GONE;
      case KIND_EXPIRED:
        return Push.Kind.EXPIRED;
      case KIND_NEWER:
        return Push.Kind.NEWER;
      default:
        return null;
    }
  }

  static SessionKey key(remora.proto.v1.SessionKey key) {
    return new SessionKey(key.getApplication(), key.getKey().toByteArray());
  }

  private static CommandOutcome done(long version) {
    return new CommandOutcome(CommandOutcome.Kind.DONE, version, null);
  }

  private static CommandOutcome fenced(remora.proto.v1.Owner owner) {
    return new CommandOutcome(CommandOutcome.Kind.FENCED, 0, owner(owner));
  }

  private static CommandOutcome gone(Gone gone) {
    return new CommandOutcome(CommandOutcome.Kind.GONE, gone.getTombstone(), null);
  }

  private static CommandOutcome bare(CommandOutcome.Kind kind) {
    return new CommandOutcome(kind, 0, null);
  }

  private static StoredSession session(remora.proto.v1.Session session) {
    return new StoredSession(
        session.getVersion(),
        session.getEpoch(),
        session.getCreatedVersion(),
        owner(session.getOwner()),
        session.getCreatedMs(),
        session.getLastAccessMs(),
        session.getMaxIdleSeconds(),
        session.hasLogin() ? login(session.getLogin(), session.getLabelsList()) : Login.NONE,
        attributes(session.getAttributesList()),
        local(session.getLocalList()));
  }

  private static List<StoredAttribute> attributes(List<Attribute> attributes) {
    List<StoredAttribute> values = new ArrayList<>(attributes.size());
    for (Attribute attribute : attributes) {
      values.add(
          new StoredAttribute(
              attribute.getName(),
              attribute.getVersion(),
              attribute.getType(),
              attribute.getValue().toByteArray()));
    }
    return values;
  }

  private static Merged merged(remora.proto.v1.Merged merged) {
    return new Merged(
        attributes(merged.getAttributesList()),
        merged.getRemovals(),
        new HashSet<>(merged.getNamesList()),
        merged.hasLogin() ? login(merged.getLogin(), merged.getLabels().getLabelsList()) : null,
        merged.hasMaxIdleSeconds() ? Integer.valueOf(merged.getMaxIdleSeconds()) : null,
        local(merged.getLocalList()));
  }

  private static List<LocalAttribute> local(List<remora.proto.v1.LocalAttribute> local) {
    List<LocalAttribute> names = new ArrayList<>(local.size());
    for (remora.proto.v1.LocalAttribute one : local) {
      names.add(new LocalAttribute(one.getName(), one.getClass_()));
    }
    return names;
  }

  /** A login and the labels that were sent with it. */
  private static Login login(remora.proto.v1.Login login, List<Label> labels) {
    Login named = new Login(login.getPrincipal(), login.getRolesList(), login.getAuthType());
    for (Label label : labels) {
      if (!SessionDirectory.PRINCIPAL.equals(label.getName())) {
        named = named.with(label.getName(), label.getValue());
      }
    }
    return named;
  }

  private static Owner owner(remora.proto.v1.Owner owner) {
    return new Owner(owner.getNode(), owner.getInstance());
  }

  private static StoreUnavailableException unknownOutcome(String command) {
    return new StoreUnavailableException(
        "the session store answered a "
            + command
            + " in words this adapter does not know; update the adapter");
  }
}
