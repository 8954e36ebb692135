package remora.tomcat.keeper;

import remora.tomcat.store.SessionKey;

/** A change of a session's key that was sent and whose outcome was not learned. Immutable. */
final class PendingRename {

  final long serial;
  final SessionKey oldKey;
  final SessionKey newKey;
  final String newId;
  final long epoch;

  PendingRename(long serial, SessionKey oldKey, SessionKey newKey, String newId, long epoch) {
    this.serial = serial;
    this.oldKey = oldKey;
    this.newKey = newKey;
    this.newId = newId;
    this.epoch = epoch;
  }
}
