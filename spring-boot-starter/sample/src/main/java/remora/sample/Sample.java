package remora.sample;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/** An application whose users stay logged in when its process dies; nothing in it says how. */
@SpringBootApplication
public class Sample {

  /**
   * Starts it.
   *
   * @param arguments properties, as {@code --remora.store=192.0.2.1:7400}
   */
  public static void main(String[] arguments) {
    SpringApplication.run(Sample.class, arguments);
  }
}
