package remora.tomcat.copy;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import remora.tomcat.store.GoldenScript;
import remora.tomcat.store.LocalAttribute;
import remora.tomcat.store.Login;
import remora.tomcat.store.Merged;
import remora.tomcat.store.Owner;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.StoredAttribute;
import remora.tomcat.store.StoredSession;

/**
 * Plays the stories of one copy: what the store says, what requests do, what flies. Values are
 * texts; one that begins with {@code *} is an object that a page may change in place, one that
 * begins with {@code !} cannot be stored.
 */
final class CopyStage {

  /** The live side, as a session holds it. */
  private static final class Texts implements Values {
    private final Map<String, Object> there = new TreeMap<>();
    private Login login = Login.NONE;
    private int idle = 60;

    @Override
    public Object peek(String name) {
      return name.equals(Names.LOGIN) ? login : name.equals(Names.IDLE) ? idle : there.get(name);
    }

    @Override
    public Set<String> names() {
      return new HashSet<>(there.keySet());
    }

    @Override
    public void fill(String name, EncodedValue value) {
      String text = new String(value.bytes(), StandardCharsets.UTF_8);
      there.put(name, text.startsWith("*") ? new StringBuilder(text) : text);
    }

    @Override
    public boolean decoded(String name, EncodedValue bytes, Object value) {
      return false;
    }

    @Override
    public void drop(String name) {
      there.remove(name);
    }

    @Override
    public void login(Login stored) {
      login = stored;
    }

    @Override
    public void idle(int seconds) {
      idle = seconds;
    }
  }

  private final Texts texts = new Texts();
  private final Endings endings = new Endings();
  private final Copy copy = new Copy(texts, endings);
  private final Map<String, Witness> requests = new HashMap<>();
  private final Map<String, Map<String, StringBuilder>> hands = new HashMap<>();
  private final Map<String, Encoding> looks = new LinkedHashMap<>();
  private Draft flying;

  String run(GoldenScript.Command command) {
    switch (command.name) {
      case "claimed":
        copy.take(record(command), true);
        return stands();
      case "checked":
        copy.take(record(command), false);
        return stands();
      case "lost":
        endings.lose(command.number("epoch"));
        return stands();
      case "ended":
        endings.end(command.number("epoch"));
        return stands();
      case "newer":
        endings.newer(command.number("version"));
        return stands();
      case "happens":
        copy.happened(Life.Event.valueOf(command.next()));
        return stands();
      case "renamed":
        copy.renamed(command.number("version"));
        return stands();
      case "takeoff":
        flying = copy.takeOff();
        return flying == null ? "nothing to tell" : tells(flying);
      case "saved":
      case "fenced":
      case "refused":
        return land(command);
      case "copy":
        return stands() + "\n" + shows();
      default:
        return request(command);
    }
  }

  // ---- Requests

  private String request(GoldenScript.Command command) {
    String who = command.name;
    Witness by = requests.computeIfAbsent(who, absent -> begins());
    String does = command.next();
    switch (does) {
      case "reads":
        return reads(who, by, command.next());
      case "sets":
        String[] pair = command.takePairs().get(0);
        sets(who, by, pair[0], pair[1]);
        return pair[0] + " is " + pair[1];
      case "removes":
        sets(who, by, command.next(), null);
        return "removed";
      case "changes":
        String[] change = command.takePairs().get(0);
        StringBuilder object = hands.get(who).get(change[0]);
        object.replace(0, object.length(), change[1]);
        return change[0] + " is " + change[1] + " in place";
      case "logs":
        copy.mark(Names.LOGIN, by, 0);
        texts.login = new Login(command.next(), Collections.singletonList("user"), "FORM");
        copy.mark(Names.LOGIN, by, 0);
        return "logged in";
      case "limits":
        copy.mark(Names.IDLE, by, 0);
        texts.idle = Integer.parseInt(command.next());
        copy.mark(Names.IDLE, by, 0);
        return "limited";
      case "looks":
        String name = command.next();
        looks.put(who + " " + name, encode(name, copy.draw()));
        return "looked";
      case "offers":
        copy.offer(by, looks.remove(who + " " + command.next()));
        return copy.isSettled(by) ? "settled" : "waits";
      case "asks":
        return asks(by);
      case "ends":
        copy.leave();
        requests.remove(who);
        return "gone";
      default:
        throw new IllegalArgumentException("requests cannot do this: " + does);
    }
  }

  private Witness begins() {
    copy.use();
    return new Witness(0);
  }

  private String reads(String who, Witness by, String name) {
    Object value = texts.peek(name);
    StringBuilder object = value instanceof StringBuilder ? (StringBuilder) value : null;
    if (object != null) {
      hands.computeIfAbsent(who, absent -> new HashMap<>()).put(name, object);
    }
    copy.read(by, name, object);
    return String.valueOf(value);
  }

  private void sets(String who, Witness by, String name, String text) {
    copy.mark(name, by, 0);
    if (text == null) {
      texts.there.remove(name);
    } else {
      texts.there.put(name, text.startsWith("*") ? new StringBuilder(text) : text);
    }
    copy.mark(name, by, 0);
    if (text != null && text.startsWith("*")) {
      reads(who, by, name);
    }
  }

  /** What a request does before its answer leaves, up to the flight. */
  private String asks(Witness by) {
    Asked asked = copy.ask(by, true);
    if (asked.givenUp() != null) {
      return "fails: " + asked.givenUp() + " was not stored";
    }
    for (Asked.Orphan orphan : asked.compare()) {
      if (!orphan.isUnchanged(encode(orphan.name(), orphan.value(), copy.draw()))) {
        return "fails: " + orphan.name() + " was changed in place here and elsewhere";
      }
    }
    return offers(by, "encodes ", asked.encode())
        + offers(by, "compares ", asked.read())
        + (copy.isSettled(by) ? "settled" : "waits");
  }

  private String offers(Witness by, String word, List<String> names) {
    for (String name : names) {
      copy.offer(by, encode(name, copy.draw()));
    }
    return names.isEmpty() ? "" : word + names + ", ";
  }

  private Encoding encode(String name, long stamp) {
    return encode(name, texts.peek(name), stamp);
  }

  private static Encoding encode(String name, Object value, long stamp) {
    if (value == null) {
      return Encoding.removed(name, stamp);
    } else if (value instanceof Login) {
      return Encoding.login(stamp, (Login) value);
    } else if (value instanceof Integer) {
      return Encoding.idle(stamp, (Integer) value);
    } else if (value.toString().startsWith("!")) {
      return Encoding.local(name, stamp, "org.example.Socket");
    }
    byte[] bytes = value.toString().getBytes(StandardCharsets.UTF_8);
    return Encoding.value(name, stamp, new EncodedValue(1, bytes));
  }

  // ---- Flights

  private String land(GoldenScript.Command command) {
    switch (command.name) {
      case "saved":
        long version = command.number("version");
        long epoch = command.number("epoch");
        long created = command.number("created");
        Merged merged = merged(command);
        Standing now = copy.standing();
        copy.saved(
            flying,
            SaveOutcome.saved(
                version,
                epoch == 0 ? now.epoch() : epoch,
                created == 0 ? now.createdVersion() : created,
                merged));
        break;
      case "fenced":
        copy.happened(Life.Event.FENCED);
        copy.turnBack(flying);
        break;
      default:
        copy.giveUp(flying);
        break;
    }
    flying = null;
    return stands();
  }

  private static String tells(Draft draft) {
    SessionChange change = draft.change(draft.base(), null, 0, 0);
    StringBuilder text = new StringBuilder(draft.creates() ? "creates" : "saves");
    text.append(draft.isLate() ? " late" : "");
    if (!draft.creates()) {
      text.append(" e").append(change.epoch()).append(" on v").append(change.base());
    }
    for (StoredAttribute attribute : change.changed()) {
      text.append(' ').append(attribute.name()).append('=');
      text.append(new String(attribute.bytes(), StandardCharsets.UTF_8));
    }
    for (String name : change.removed()) {
      text.append(" without ").append(name);
    }
    for (LocalAttribute local : change.local()) {
      text.append(' ').append(local.name()).append(" is local");
    }
    if (change.login() != null) {
      text.append(" login ").append(change.login().principal());
    }
    if (change.maxIdleSeconds() != null) {
      text.append(" idle ").append(change.maxIdleSeconds());
    }
    return text.toString();
  }

  // ---- What the store says

  private static StoredSession record(GoldenScript.Command command) {
    long version = command.number("version");
    long epoch = command.number("epoch");
    long created = command.number("created");
    return new StoredSession(
        version,
        epoch,
        created == 0 ? 1 : created,
        new Owner("n1", 1),
        0,
        0,
        60,
        login(command.take("login")),
        attributes(command),
        Collections.emptyList());
  }

  private static Login login(String principal) {
    return principal == null
        ? Login.NONE
        : new Login(principal, Collections.singletonList("user"), "FORM");
  }

  private static Merged merged(GoldenScript.Command command) {
    String only = command.take("only");
    Set<String> names = new HashSet<>();
    if (only != null) {
      Collections.addAll(names, only.split(","));
    }
    List<StoredAttribute> newer = attributes(command);
    return new Merged(newer, only != null, names, null, null, Collections.emptyList());
  }

  /** Words like {@code cart=apples@7}. */
  private static List<StoredAttribute> attributes(GoldenScript.Command command) {
    List<StoredAttribute> attributes = new ArrayList<>();
    for (String[] pair : command.takePairs()) {
      int at = pair[1].indexOf('@');
      byte[] bytes = pair[1].substring(0, at).getBytes(StandardCharsets.UTF_8);
      long version = Long.parseLong(pair[1].substring(at + 1));
      attributes.add(new StoredAttribute(pair[0], version, 1, bytes));
    }
    return attributes;
  }

  private String stands() {
    Standing now = copy.standing();
    return now.life()
        + " v"
        + now.version()
        + " e"
        + now.epoch()
        + (copy.isUsable() ? "" : ", not used unasked")
        + (copy.isOpen() ? ", open" : "");
  }

  private String shows() {
    StringBuilder text = new StringBuilder();
    for (Map.Entry<String, Object> value : texts.there.entrySet()) {
      text.append(value.getKey()).append('=').append(value.getValue()).append(' ');
    }
    if (!texts.login.isNone()) {
      text.append("login ").append(texts.login.principal());
    }
    return text.length() == 0 ? "nothing" : text.toString().trim();
  }
}
