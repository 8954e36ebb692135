package program;

import java.beans.PropertyChangeSupport;
import java.io.IOException;
import java.net.URL;
import java.rmi.RemoteException;
import java.sql.SQLException;
import java.text.DecimalFormat;
import java.text.DecimalFormatSymbols;
import java.text.SimpleDateFormat;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import javax.management.ObjectName;
import javax.naming.NamingException;
import javax.security.auth.Subject;

/** What is found in the sessions of old applications, though it was hardly meant to lie there. */
final class FoundKinds {

  private FoundKinds() {}

  static void add(Map<String, Function<String, Object>> kinds) {
    kinds.put("io-exception", text -> bare(new IOException(text)));
    kinds.put("sql-exception", text -> bare(new SQLException(text, "08001", 7)));
    kinds.put("remote-exception", text -> bare(new RemoteException(text)));
    kinds.put("naming-exception", text -> bare(new NamingException(text)));
    kinds.put("error", text -> bare(new AssertionError(text)));
    kinds.put("object-name", FoundKinds::objectName);
    kinds.put("listeners", PropertyChangeSupport::new);
    kinds.put("subject", text -> new Subject());
    kinds.put("decimal-format", text -> decimalFormat(text));
    kinds.put("date-format", FoundKinds::dateFormat);
    kinds.put("lock", text -> new ReentrantLock());
    kinds.put("url", FoundKinds::url);
    kinds.put("stack-trace", text -> new StackTraceElement("A", "b", "A.java", 3));
  }

  private static Throwable bare(Throwable failure) {
    failure.setStackTrace(new StackTraceElement[] {new StackTraceElement("A", "b", "A.java", 3)});
    return failure;
  }

  private static Object objectName(String text) {
    try {
      return new ObjectName("domain:type=" + text);
    } catch (javax.management.MalformedObjectNameException malformed) {
      throw new Misspelled(malformed.getMessage());
    }
  }

  private static Object decimalFormat(String text) {
    return new DecimalFormat(text, DecimalFormatSymbols.getInstance(Locale.GERMANY));
  }

  private static Object dateFormat(String text) {
    SimpleDateFormat format = new SimpleDateFormat("yyyy-MM-dd HH:mm", Locale.ROOT);
    format.setTimeZone(TimeZone.getTimeZone("UTC"));
    return format;
  }

  private static Object url(String text) {
    try {
      return new URL("http://localhost/" + text);
    } catch (java.net.MalformedURLException malformed) {
      throw new Misspelled(malformed.getMessage());
    }
  }
}
