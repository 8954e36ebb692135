package remora.tomcat.store;

/** Why a session is removed. */
public enum RemoveReason {
  /** The user logged out or the application invalidated it. Ignores the epoch. */
  LOGOUT,
  /** The owner found it expired. Fenced. */
  EXPIRY
}
