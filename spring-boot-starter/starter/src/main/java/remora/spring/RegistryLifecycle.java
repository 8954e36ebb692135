package remora.spring;

import org.springframework.context.SmartLifecycle;
import remora.tomcat.Embedding;

/**
 * Enters this process into the store's registry when its connectors answer, and takes it out before
 * they pause, so that proxies send it nobody who would meet a closed door.
 */
final class RegistryLifecycle implements SmartLifecycle {

  /** Boot's web server starts at 2,048 below the default, and its graceful stop begins at 1,024. */
  private static final int BEHIND_THE_SERVER = SmartLifecycle.DEFAULT_PHASE - 512;

  private final Embedding embedding;
  private volatile boolean running;

  RegistryLifecycle(Embedding embedding) {
    this.embedding = embedding;
  }

  @Override
  public void start() {
    running = true;
    embedding.announce();
  }

  @Override
  public void stop() {
    running = false;
    embedding.retire();
  }

  @Override
  public boolean isRunning() {
    return running;
  }

  @Override
  public int getPhase() {
    return BEHIND_THE_SERVER;
  }
}
