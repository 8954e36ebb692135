package remora.tomcat;

import remora.tomcat.store.SessionKey;

/** A change of an id that the store may have made or not: to be repeated as it was. Immutable. */
final class PendingRename {

  final long serial;
  final SessionKey newKey;
  final String newId;
  final long epoch;

  PendingRename(long serial, SessionKey newKey, String newId, long epoch) {
    this.serial = serial;
    this.newKey = newKey;
    this.newId = newId;
    this.epoch = epoch;
  }
}
