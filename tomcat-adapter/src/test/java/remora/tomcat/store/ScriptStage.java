package remora.tomcat.store;

import static java.util.stream.Collectors.joining;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * The notation of the table's golden scripts, over a {@link FakeTable}: {@code n1} is node n1 with
 * instance 1, {@code n1/7} the same node as instance 7; {@code name.3} is a session in slot 3,
 * {@code name@5} a session and the epoch or version meant; serials rise by themselves, {@code
 * serial=4} repeats. In answers v is a version, e an epoch, c the version that created the session,
 * † a tombstone.
 */
final class ScriptStage {

  private static final String APPLICATION = "shop";
  private static final String PRINCIPAL = "principal:";

  private final FakeTable table = new FakeTable();
  private final Map<Long, Long> serials = new TreeMap<>();

  /** Every attribute name that a script used, so that a merge's names can be asked for. */
  private final TreeSet<String> names = new TreeSet<>();

  /** Runs a command and shows what was answered, then what owners were told. */
  String run(GoldenScript.Command command) {
    StringBuilder told = new StringBuilder(answer(command));
    for (FakeTable.Event event : table.takeEvents()) {
      told.append("\n  tell ").append(event.instance).append(": ");
      told.append(event.kind == Push.Kind.OWNERSHIP_LOST ? "lost" : lower(event.kind));
      told.append(' ').append(name(event.key)).append(" e").append(event.epoch);
      told.append(event.version == 0 ? "" : " v" + event.version);
    }
    return told.toString();
  }

  private String answer(GoldenScript.Command command) {
    switch (command.name) {
      case "at":
        table.beginEntry(Long.parseLong(command.next()));
        return "table time " + table.now();
      case "restart":
        // The fake is never started anew: what an image must hold it simply keeps.
        return "table time " + table.now() + ", version " + table.version();
      case "claim":
        SessionKey claimed = key(command.next());
        return show(table.claim(caller(command), claimed));
      case "preview":
        ClaimOutcome preview = table.preview(key(command.next()));
        return preview == null ? "must be proposed" : show(preview);
      case "save":
        SessionKey saved = key(command.next());
        return show(table.save(caller(command), saved, change(command)));
      case "check":
        SessionKey checked = key(command.next());
        return show(table.check(checked, command.number("epoch"), command.number("version")));
      case "owned":
        StoredSession owned = table.owned(key(command.next()), command.number("epoch"));
        return owned == null ? "not owned" : show(owned);
      case "touch":
        caller(command);
        return touch(command);
      default:
        return answerOther(command);
    }
  }

  private String answerOther(GoldenScript.Command command) {
    switch (command.name) {
      case "rename":
        SessionKey old = key(command.next());
        SessionKey target = key(command.next());
        return show(
            "rekeyed v", table.rename(caller(command), old, target, command.number("epoch")));
      case "remove":
        SessionKey removed = key(command.next());
        FakeTable.Caller remover = caller(command);
        String by = command.take("by");
        FakeTable.Why why =
            by == null ? FakeTable.Why.LOGOUT : FakeTable.Why.valueOf(by.toUpperCase(Locale.ROOT));
        long created = command.number("created");
        return show(
            "removed †", table.remove(remover, removed, created, command.number("epoch"), why));
      case "release":
        SessionKey released = key(command.next());
        return show("released", table.release(caller(command), released, command.number("epoch")));
      case "kill":
        return kill(command);
      case "sweep":
        return "swept " + table.sweep(Integer.parseInt(command.next()));
      case "table":
        return dump();
      case "carriers":
        return carriers(user(command.next()));
      default:
        throw new UnsupportedOperationException("the seam has no word for " + command.name);
    }
  }

  private FakeTable.Caller caller(GoldenScript.Command command) {
    String who = command.next();
    int slash = who.indexOf('/');
    String node = slash < 0 ? who : who.substring(0, slash);
    long instance = Long.parseLong(who.substring(slash < 0 ? 1 : slash + 1));
    String repeated = command.take("serial");
    long serial =
        repeated == null ? serials.merge(instance, 1L, Long::sum) : Long.parseLong(repeated);
    return new FakeTable.Caller(node, instance, serial);
  }

  private static SessionKey key(String text) {
    int dot = text.indexOf('.');
    byte[] hash = new byte[SessionKey.HASH_BYTES];
    hash[0] = dot < 0 ? 0 : Byte.parseByte(text.substring(dot + 1));
    byte[] name = text.substring(0, dot < 0 ? text.length() : dot).getBytes(StandardCharsets.UTF_8);
    System.arraycopy(name, 0, hash, 1, Math.min(name.length, hash.length - 1));
    return new SessionKey(APPLICATION, hash);
  }

  private static String name(SessionKey key) {
    byte[] hash = key.hash();
    return new String(hash, 1, hash.length - 1, StandardCharsets.UTF_8).replace("\0", "");
  }

  private SessionChange change(GoldenScript.Command command) {
    SessionChange.Builder change =
        SessionChange.of(command.number("epoch"), command.number("base"));
    String label = command.take("label");
    if (label != null) {
      change.login(Login.ofFramework(user(label)));
    }
    String limit = command.take("limit");
    if (limit != null) {
      String[] words = user(limit).split(" ");
      change.limit(new SessionLimit(Integer.parseInt(words[0]), words.length > 1));
    }
    String principal = command.take("login");
    if (principal != null) {
      change.login(
          principal.equals("nobody")
              ? Login.NONE
              : new Login(principal, Collections.singletonList("user"), "FORM"));
    }
    for (String turned = command.take("local"); turned != null; turned = command.take("local")) {
      int colon = turned.indexOf(':');
      change.local(turned.substring(0, colon), turned.substring(colon + 1));
    }
    String idle = command.take("idle");
    if (idle != null) {
      change.maxIdleSeconds(Integer.parseInt(idle));
    }
    for (String[] pair : command.takePairs()) {
      if (pair[0].equals("without")) {
        change.remove(pair[1]);
      } else {
        names.add(pair[0]);
        change.set(pair[0], 1, pair[1].getBytes(StandardCharsets.UTF_8));
      }
    }
    String word = command.hasNext() ? command.next() : "";
    if (!Arrays.asList("", "late").contains(word)) {
      throw new IllegalArgumentException("a save knows late, and not " + word);
    }
    return change.late(word.equals("late")).build();
  }

  /** What a script says of the one label of which the seam knows: whose the session is. */
  private static String user(String label) {
    if (!label.startsWith(PRINCIPAL) || label.contains("oidc")) {
      throw new UnsupportedOperationException("the seam has no word for the label " + label);
    }
    return label.substring(PRINCIPAL.length());
  }

  private String carriers(String user) {
    TreeSet<String> names = new TreeSet<>();
    for (Map.Entry<SessionKey, FakeRecord> entry : table.records().entrySet()) {
      FakeRecord record = entry.getValue();
      if (record.login.principal().equals(user) && table.now() <= record.deadline) {
        names.add(name(entry.getKey()));
      }
    }
    return "[" + String.join(" ", names) + "]";
  }

  private List<SessionKey> takeEnded() {
    List<SessionKey> taken = new ArrayList<>(table.limit.ended);
    table.limit.ended.clear();
    return taken;
  }

  private String touch(GoldenScript.Command command) {
    List<Touch> touches = new ArrayList<>();
    while (command.hasNext()) {
      String[] pair = command.next().split("@");
      touches.add(new Touch(key(pair[0]), Long.parseLong(pair[1]), 0));
    }
    TouchOutcome outcome = table.touch(touches);
    return "touched, fenced "
        + positions(touches, outcome.fenced())
        + ", gone "
        + positions(touches, outcome.gone());
  }

  private static List<Integer> positions(List<Touch> all, List<Touch> some) {
    return some.stream().map(all::indexOf).collect(Collectors.toList());
  }

  private String kill(GoldenScript.Command command) {
    FakeTable.Caller operator = caller(command);
    int killed = 0;
    while (command.hasNext()) {
      String[] pair = command.next().split("@");
      killed += table.kill(operator, key(pair[0]), Long.parseLong(pair[1])) ? 1 : 0;
    }
    return "killed " + killed;
  }

  private String dump() {
    Map<SessionKey, FakeRecord> records = table.records();
    Map<String, String> shown = new TreeMap<>();
    long bytes = 0;
    for (Map.Entry<SessionKey, FakeRecord> entry : records.entrySet()) {
      FakeRecord record = entry.getValue();
      bytes += SessionKey.HASH_BYTES + APPLICATION.length() + record.bytes();
      if (table.now() <= record.deadline) {
        String name = name(entry.getKey());
        shown.put(name, name + ": " + show(record.image()) + "\n");
      }
    }
    return String.join("", shown.values()) + records.size() + " sessions, " + bytes + " bytes";
  }

  private String show(StoredSession session) {
    StringBuilder text = new StringBuilder();
    text.append('v').append(session.version()).append(" e").append(session.epoch());
    text.append(" c").append(session.createdVersion()).append(' ').append(session.owner());
    for (FakeRecord record : table.records().values()) {
      if (record.version == session.version() && record.deadline != FakeTable.NEVER) {
        text.append(" until ").append(record.deadline);
      }
    }
    text.append(show(session.login()));
    return text + show(session.local(), session.attributes());
  }

  /** A framework's login is what the seam knows of labels. */
  private static String show(Login login) {
    if (login.isNone()) {
      return "";
    }
    return (login.isOfFramework() ? " label principal=" : " login ") + login.principal();
  }

  private static String show(List<LocalAttribute> local, List<StoredAttribute> attributes) {
    StringBuilder text = new StringBuilder();
    for (LocalAttribute one : local) {
      text.append(' ').append(one.name()).append(" is local, ").append(one.className());
    }
    return text + show(attributes);
  }

  private static String show(List<StoredAttribute> attributes) {
    StringBuilder text = new StringBuilder();
    for (StoredAttribute attribute : attributes) {
      text.append(' ').append(attribute.name()).append('=');
      text.append(new String(attribute.bytes(), StandardCharsets.UTF_8));
      text.append('@').append(attribute.version());
    }
    return text.toString();
  }

  private String show(ClaimOutcome outcome) {
    switch (outcome.kind()) {
      case CLAIMED:
        return "claimed " + show(outcome.session());
      case GONE:
        return "gone †" + outcome.tombstone();
      default:
        return lower(outcome.kind());
    }
  }

  private String show(SaveOutcome outcome) {
    Merged merged = outcome.merged();
    switch (outcome.kind()) {
      case SAVED:
        return "saved v"
            + outcome.version()
            + " e"
            + outcome.epoch()
            + " c"
            + outcome.createdVersion()
            + (merged.isEmpty() ? "" : show(merged))
            + takeEnded().stream().map(key -> ", ended " + name(key)).collect(joining());
      case CONFLICT:
        return "conflict v" + outcome.version() + show(merged);
      case FENCED:
        return "fenced: " + outcome.owner() + " owns it";
      case GONE:
        return "gone †" + outcome.tombstone();
      case OVER_LIMIT:
        return "over the limit of " + table.limit.sessions;
      default:
        return lower(outcome.kind());
    }
  }

  private String show(Merged merged) {
    StringBuilder text = new StringBuilder("; merged").append(show(merged.attributes()));
    if (merged.removesAnything()) {
      List<String> exist =
          names.stream().filter(name -> !merged.removes(name)).collect(Collectors.toList());
      text.append(" only [").append(String.join(" ", exist)).append("] exist");
      text.append(show(merged.local(), Collections.<StoredAttribute>emptyList()));
    }
    if (merged.login() != null) {
      text.append(merged.login().isOfFramework() ? " now" : "");
      text.append(merged.login().isNone() ? " login nobody" : show(merged.login()));
    }
    if (merged.maxIdleSeconds() != null) {
      text.append(" idle ").append(merged.maxIdleSeconds());
    }
    return text.toString();
  }

  /** A check's answer; the seam does not tell it of tombstones, and no script has one there. */
  private String show(CheckOutcome outcome) {
    switch (outcome.kind()) {
      case NEWER:
        return "newer " + show(outcome.session());
      case MOVED:
        return "moved: " + outcome.owner() + " owns it";
      case GONE:
        return "gone †0";
      default:
        return lower(outcome.kind());
    }
  }

  private static String show(String done, CommandOutcome outcome) {
    switch (outcome.kind()) {
      case DONE:
        return done + (outcome.version() == 0 ? "" : outcome.version());
      case FENCED:
        return "fenced: " + outcome.owner() + " owns it";
      case GONE:
        return "gone †" + outcome.version();
      default:
        return lower(outcome.kind());
    }
  }

  private static String lower(Enum<?> kind) {
    return kind.name().toLowerCase(Locale.ROOT);
  }
}
