package remora.tomcat.copy;

/**
 * How a copy stands, as one value that is read without a lock: its life, the ownership under which
 * it is held, and the state of the record that it knows. Immutable.
 */
public final class Standing {

  private final Life life;
  private final long epoch;
  private final long version;
  private final long createdVersion;

  Standing(Life life, long epoch, long version, long createdVersion) {
    this.life = life;
    this.epoch = epoch;
    this.version = version;
    this.createdVersion = createdVersion;
  }

  /**
   * Where the copy is in its life.
   *
   * @return the life
   */
  public Life life() {
    return life;
  }

  /**
   * The ownership under which the copy is held.
   *
   * @return 0 while the store has no record
   */
  public long epoch() {
    return epoch;
  }

  /**
   * The state of the record that the copy knows.
   *
   * @return a version
   */
  public long version() {
    return version;
  }

  /**
   * Names this life of the key.
   *
   * @return version of the command that created the session
   */
  public long createdVersion() {
    return createdVersion;
  }

  Standing live(Life next) {
    return next == life ? this : new Standing(next, epoch, version, createdVersion);
  }

  Standing at(long newVersion) {
    return new Standing(life, epoch, newVersion, createdVersion);
  }
}
