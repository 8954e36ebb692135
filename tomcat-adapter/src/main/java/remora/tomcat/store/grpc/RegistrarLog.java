package remora.tomcat.store.grpc;

import io.grpc.Status;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.proto.v1.Refusal;
import remora.tomcat.store.Announcement;

/**
 * What the log hears of this Tomcat's entry in the store's registry: nothing while all is well, and
 * each lasting trouble once. Used by the leader finder's thread.
 */
final class RegistrarLog {

  /** Troubles that are remembered, so that each is said once; more than one entry can have. */
  private static final int TROUBLES_MAX = 16;

  private static final Log LOG = LogFactory.getLog(RegistrarLog.class);

  private final Set<String> troubles = new LinkedHashSet<>();
  private boolean warnedOfSeveral;
  private boolean warnedOfLoopback;

  /**
   * Why no repeat brings what was asked, with what to do; null if one may.
   *
   * @param status how the call ended
   * @param refusal what the node said, or null
   */
  static String forGood(Status status, Refusal refusal) {
    if (status.getCode() == Status.Code.PERMISSION_DENIED) {
      return LastingFaults.of(status, refusal)
          + ". Give tlsCert a certificate of role adapter for all applications that have this"
          + " manager";
    } else if (refusal == null) {
      return status.getCode() == Status.Code.UNIMPLEMENTED
          ? "the node knows no registry: upgrade the store"
          : null;
    } else if (refusal.getReason() == Refusal.Reason.REASON_MALFORMED
        || refusal.getReason() == Refusal.Reason.REASON_TOO_LARGE) {
      return refusal.getMessage() + ". Change what the <Manager> elements, or Tomcat, say of it";
    }
    return null;
  }

  /** What was said is not taken, and will not be for long. */
  void refused(String text) {
    if (troubles.size() < TROUBLES_MAX && troubles.add(text)) {
      LOG.warn(
          "session store: its registry does not take what this Tomcat says of itself: "
              + text
              + ". Sessions are kept all the same; but proxies that ask the store are not told of"
              + " this Tomcat or its end, and `remora applications` shows it wrongly. It is tried"
              + " again every now and then");
    }
  }

  /** The store has answered; perhaps all that is to be said now stands. */
  void answered(boolean stands) {
    if (stands && !troubles.isEmpty()) {
      troubles.clear();
      LOG.info("session store: its registry holds now what this Tomcat says of itself");
    }
  }

  /** Other machines have the store, and may have proxies; they would not find this one there. */
  void onLoopback(String url) {
    if (!warnedOfLoopback) {
      warnedOfLoopback = true;
      LOG.warn(
          "session store: this Tomcat is announced at "
              + url
              + ", where only proxies on this machine find it. If others ask the store for their"
              + " Tomcats, say on the <Manager> where they reach it: url=\"http://host:port\"");
    }
  }

  /** One of several announcements says the name and the place of all: they should say the same. */
  void speakingFor(Announcement one, Collection<Announcement> all) {
    for (Announcement other : all) {
      if (!warnedOfSeveral && !one.isOfTheSame(other)) {
        warnedOfSeveral = true;
        LOG.warn(
            "session store: this Tomcat is announced as "
                + one.route()
                + " at "
                + one.url("*")
                + " for all its applications, but "
                + other.application()
                + " says "
                + other.route()
                + " at "
                + other.url("*")
                + ": a proxy that asks the store reaches all at the first. Give their managers the"
                + " same node and url, or run them in Tomcats of their own");
      }
    }
  }
}
