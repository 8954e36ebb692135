package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;

/** Waiting for what will be true soon. */
public final class Conditions {

  private Conditions() {}

  /** Asks again and again until it is true; fails when it has not become true in good time. */
  public static void await(String what, Callable<Boolean> condition) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.call()) {
      assertTrue(System.nanoTime() - deadline < 0, "no " + what);
      TimeUnit.MILLISECONDS.sleep(2);
    }
  }

  /** How many threads are inside a method. */
  public static int threadsIn(Class<?> type, String method) {
    int count = 0;
    for (StackTraceElement[] stack : Thread.getAllStackTraces().values()) {
      if (Arrays.stream(stack)
          .anyMatch(
              frame ->
                  frame.getClassName().equals(type.getName())
                      && frame.getMethodName().equals(method))) {
        count++;
      }
    }
    return count;
  }
}
