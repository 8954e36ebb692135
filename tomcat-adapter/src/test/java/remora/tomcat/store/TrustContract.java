package remora.tomcat.store;

import static remora.tomcat.Conditions.await;

import org.junit.jupiter.api.Test;

/** The last part of the seam's contract: when a near copy may be used unasked. */
public abstract class TrustContract extends SessionStoreContract {

  @Test
  void a_near_copy_is_trusted_while_the_store_answers_and_no_longer() throws Exception {
    SessionKey key = newKey();
    create(first, key);
    long readAt = System.nanoTime();
    claim(first, key);
    await("trust", () -> first.nearCopyTrusted(readAt));
    lose(Loss.SILENCE, "check");
    try {
      await("distrust", () -> !first.nearCopyTrusted(readAt));
    } finally {
      recover();
    }
    await(
        "trust in what is read afterwards",
        () -> {
          long again = System.nanoTime();
          claim(first, key);
          return first.nearCopyTrusted(again);
        });
  }
}
