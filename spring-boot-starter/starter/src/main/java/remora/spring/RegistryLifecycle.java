package remora.spring;

import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.context.SmartLifecycle;
import remora.tomcat.Embedding;
import remora.tomcat.RemoraManager;

/**
 * Enters this process into the store's registry when its connectors answer, and takes it out before
 * they pause, so that proxies send it nobody who would meet a closed door.
 */
final class RegistryLifecycle implements SmartLifecycle {

  /** Boot's web server starts at 2,048 below the default, and its graceful stop begins at 1,024. */
  private static final int BEHIND_THE_SERVER = SmartLifecycle.DEFAULT_PHASE - 512;

  private final Embedding embedding;
  private final RemoraManager manager;
  private volatile boolean running;

  RegistryLifecycle(Embedding embedding, RemoraManager manager) {
    this.embedding = embedding;
    this.manager = manager;
  }

  /** Fails where the server is none that the manager was placed in: nobody would keep sessions. */
  @Override
  public void start() {
    if (manager.getContext() == null) {
      throw new InvalidConfigurationPropertyValueException(
          "remora.enabled",
          true,
          "The server of this application is not the embedded Tomcat: use that one, or say"
              + " remora.enabled=false.");
    }
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
