package remora.tomcat.copy;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** What a request must look at before its answer may show what it has seen. */
public final class Asked {

  /** A live object that a request may have changed although others' value has replaced it. */
  public static final class Orphan {
    private final String name;
    private final Object value;
    private final Object print;

    Orphan(String name, Object value, Object print) {
      this.name = name;
      this.value = value;
      this.print = print;
    }

    /**
     * Its attribute.
     *
     * @return a name as the store has it
     */
    public String name() {
      return name;
    }

    /**
     * The object.
     *
     * @return what the request holds
     */
    public Object value() {
      return value;
    }

    /**
     * Whether nobody has changed it.
     *
     * @param now the object, encoded now
     * @return whether it is as it was when it was replaced
     */
    public boolean isUnchanged(Encoding now) {
      return print.equals(now.print());
    }
  }

  private List<String> encode = Collections.emptyList();
  private List<String> read = Collections.emptyList();
  private List<Orphan> compare = Collections.emptyList();
  String givenUp;
  boolean settled;

  Asked() {}

  void toEncode(String name) {
    if (encode.isEmpty()) {
      encode = new ArrayList<>(2);
    }
    encode.add(name);
  }

  void toEncodeIfAtRest(String name) {
    if (read.isEmpty()) {
      read = new ArrayList<>(2);
    }
    read.add(name);
  }

  void toCompare(Orphan orphan) {
    if (compare.isEmpty()) {
      compare = new ArrayList<>(2);
    }
    compare.add(orphan);
  }

  boolean looksAt(String name) {
    return encode.contains(name) || read.contains(name);
  }

  boolean isNothing() {
    return encode.isEmpty() && read.isEmpty() && compare.isEmpty();
  }

  /**
   * Whether there is nothing to look at, and nothing to wait for.
   *
   * @return true if the store has everything that the request has seen
   */
  public boolean isSettled() {
    return settled;
  }

  /**
   * A name whose change was not stored although the request may have seen it.
   *
   * @return null if there is none; else the request has failed
   */
  public String givenUp() {
    return givenUp;
  }

  /**
   * Names to be encoded.
   *
   * @return names as the store has them
   */
  public List<String> encode() {
    return encode;
  }

  /**
   * Names to be encoded because the request has only read what is there, which it may have changed
   * in place. Whoever goes on changing it saves it, so that it need not be waited for.
   *
   * @return names as the store has them, none of {@link #encode}
   */
  public List<String> read() {
    return read;
  }

  /**
   * Objects to be compared.
   *
   * @return those that others' values have replaced
   */
  public List<Orphan> compare() {
    return compare;
  }
}
