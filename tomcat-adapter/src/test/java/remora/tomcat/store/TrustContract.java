package remora.tomcat.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static remora.tomcat.Conditions.await;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;

/**
 * The last part of the seam's contract: when a near copy may be used unasked, and what is heard of
 * sessions that are not owned.
 */
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

  /** Listens for the second Tomcat. */
  private List<String> news() {
    List<String> heard = new CopyOnWriteArrayList<>();
    second.onNews(
        APPLICATION,
        new NewsListener() {
          @Override
          public void ended(SessionKey key, long createdVersion) {
            heard.add(key + " ended");
          }

          @Override
          public void renamed(SessionKey key, SessionKey newKey) {
            heard.add(key + " is " + newKey);
          }
        });
    second.onPush(APPLICATION, Push::acknowledge);
    return heard;
  }

  @Test
  void who_watches_a_session_hears_of_its_new_key_and_of_its_end_whoever_ends_it()
      throws Exception {
    List<String> heard = news();
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    second.watch(key, created.createdVersion());
    SessionKey renamed = newKey();
    rename(first, key, renamed, created.epoch());
    await("new key", () -> heard.size() == 1);
    logout(first, renamed, created.createdVersion(), created.epoch());
    await("end", () -> heard.size() == 2);
    assertEquals(Arrays.asList(key + " is " + renamed, renamed + " ended"), heard);
  }

  @Test
  void an_end_before_anybody_watches_is_heard_and_none_of_what_is_watched_no_more()
      throws Exception {
    List<String> heard = news();
    SessionKey before = newKey();
    SessionKey unwatched = newKey();
    SaveOutcome ended = create(first, before);
    SaveOutcome created = create(first, unwatched);
    logout(first, before, ended.createdVersion(), ended.epoch());
    second.watch(unwatched, created.createdVersion());
    second.unwatch(unwatched);
    logout(first, unwatched, created.createdVersion(), created.epoch());
    second.watch(before, ended.createdVersion());
    await("end", () -> !heard.isEmpty());
    assertEquals(Collections.singletonList(before + " ended"), heard);
  }
}
