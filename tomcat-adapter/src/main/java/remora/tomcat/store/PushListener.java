package remora.tomcat.store;

/**
 * Hears of sessions that this instance loses, of those that others changed, and of those that have
 * expired and are offered to it.
 */
@FunctionalInterface
public interface PushListener {

  /**
   * Take the copy of this session out of use, at once, if there is one.
   *
   * <p>Called on the stream's thread before its next message is read, and before the replies of the
   * same message are given out: when this returns, no look-up may use the copy unasked. So it must
   * be quick, must neither call the store nor wait, and leaves listeners and sockets to other
   * threads. If it throws, the stream is given up, and no copy read before is trusted any more.
   *
   * @param push what happened; to be acknowledged by {@link Push#acknowledge}, here or later
   */
  void pushed(Push push);
}
