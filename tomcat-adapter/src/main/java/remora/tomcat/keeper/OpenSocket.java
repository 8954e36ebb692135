package remora.tomcat.keeper;

/** A connection that went over from HTTP to another protocol in a session, such as a WebSocket. */
public interface OpenSocket {

  /** How far a connection is. */
  enum Stage {
    /** Who takes it over has not begun yet. */
    OPENING,
    /** It can be closed. */
    OPEN,
    /** It is closed, from either side. */
    CLOSED
  }

  /**
   * How far it is. Cheap; asks nobody.
   *
   * @return its stage
   */
  Stage stage();

  /**
   * Closes it. Tells the client, which may block for as long as a slow client lets it, and runs the
   * application's own code for the end of a connection.
   *
   * @param code as RFC 6455 has it, such as 1008
   * @param reason for people, at most 123 bytes
   * @throws Exception if it could not be told, and whatever the application's code throws
   */
  void close(int code, String reason) throws Exception;
}
