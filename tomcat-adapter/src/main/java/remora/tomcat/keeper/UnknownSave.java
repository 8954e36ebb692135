package remora.tomcat.keeper;

import remora.tomcat.copy.Draft;
import remora.tomcat.store.SessionKey;

/** A save that was sent and whose outcome was not learned. Immutable. */
final class UnknownSave {

  final SessionKey key;
  final long serial;
  final Draft draft;
  final long onto;

  UnknownSave(SessionKey key, long serial, Draft draft, long onto) {
    this.key = key;
    this.serial = serial;
    this.draft = draft;
    this.onto = onto;
  }
}
