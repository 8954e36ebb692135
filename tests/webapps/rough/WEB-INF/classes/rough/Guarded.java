package rough;

import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.Serializable;

/** A value that is only written out under a lock of its own. */
public final class Guarded implements Serializable {
  private static final long serialVersionUID = 1L;

  private final byte[] lock = new byte[0];
  private int count;

  /**
   * The lock.
   *
   * @return what writing takes
   */
  public Object lock() {
    return lock;
  }

  /** Changes it in place. The caller holds the lock. */
  public void add() {
    count++;
  }

  private void writeObject(ObjectOutputStream out) throws IOException {
    synchronized (lock) {
      out.defaultWriteObject();
    }
  }

  @Override
  public String toString() {
    synchronized (lock) {
      return "guarded, " + count;
    }
  }
}
