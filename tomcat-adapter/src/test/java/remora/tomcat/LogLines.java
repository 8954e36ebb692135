package remora.tomcat;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.stream.Collectors;

/** What the adapter says in the log while this is open. */
public final class LogLines extends Handler implements AutoCloseable {

  private final Logger logger = Logger.getLogger("remora");
  private final List<LogRecord> records = new CopyOnWriteArrayList<>();

  /** Begins to listen. */
  public LogLines() {
    logger.addHandler(this);
  }

  @Override
  public void publish(LogRecord record) {
    records.add(record);
  }

  /** Records of at least this level. */
  public List<LogRecord> from(Level level) {
    return records.stream()
        .filter(record -> record.getLevel().intValue() >= level.intValue())
        .collect(Collectors.toList());
  }

  /** Lines of at least this level. */
  public List<String> lines(Level level) {
    return from(level).stream().map(LogRecord::getMessage).collect(Collectors.toList());
  }

  /** Lines for administrators that hold all of these parts, whatever their case. */
  public List<String> saying(String... parts) {
    return lines(Level.INFO).stream()
        .filter(
            line -> {
              for (String part : parts) {
                if (!line.toLowerCase().contains(part.toLowerCase())) {
                  return false;
                }
              }
              return true;
            })
        .collect(Collectors.toList());
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    logger.removeHandler(this);
  }
}
