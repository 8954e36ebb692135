package remora.spring;

import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.catalina.webresources.TomcatURLStreamHandlerFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Configuration;
import remora.tomcat.RemoraManager;

/**
 * An application that a test starts in a loader of its own, which may have less than the test's. It
 * names nothing but Tomcat and Spring Boot, and tells in the JDK's own types.
 */
public final class LeanApplication {

  private LeanApplication() {}

  @Configuration(proxyBeanMethods = false)
  @EnableAutoConfiguration
  static class Application {}

  /**
   * Starts it, looks, and ends it.
   *
   * @param arguments properties, as {@code --server.port=0}
   * @return the names of our beans, if the session manager runs in its Tomcat
   */
  public static Set<String> beans(String[] arguments) {
    TomcatURLStreamHandlerFactory.disable(); // a JVM has one, and another Tomcat may be it
    try (ConfigurableApplicationContext context =
        SpringApplication.run(Application.class, arguments)) {
      RemoraManager manager = context.getBean(RemoraManager.class);
      if (!manager.getState().isAvailable() || manager.getContext().getManager() != manager) {
        throw new IllegalStateException("the session manager is " + manager.getStateName());
      }
      return Arrays.stream(context.getBeanDefinitionNames())
          .filter(name -> name.matches("remora[A-Z][A-Za-z]*"))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }
}
