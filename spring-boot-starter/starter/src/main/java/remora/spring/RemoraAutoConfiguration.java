package remora.spring;

import org.apache.catalina.startup.Tomcat;
import org.springframework.beans.factory.BeanFactory;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnNotWarDeployment;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication.Type;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.web.server.WebServerFactoryCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.util.StringUtils;
import remora.tomcat.Embedding;
import remora.tomcat.RemoraManager;

/**
 * Puts the session manager into the embedded Tomcat. The valve that it needs it brings along
 * itself.
 *
 * <p>The factory of the server has another name in each line of Boot: its customizer stands in a
 * class of its own for each.
 *
 * <p>In a Tomcat that is not embedded, or none as with a mocked servlet context, nobody here could
 * place a manager: then nothing is configured at all.
 */
@AutoConfiguration
@ConditionalOnWebApplication(type = Type.SERVLET)
@ConditionalOnNotWarDeployment
@ConditionalOnClass(Tomcat.class)
@ConditionalOnProperty(name = "remora.enabled", havingValue = "true", matchIfMissing = true)
@EnableConfigurationProperties(RemoraProperties.class)
public class RemoraAutoConfiguration {

  /**
   * What Spring Session calls its filter, in whatever store it keeps sessions. Behind it Tomcat has
   * none, and there would be nothing to find or end.
   */
  private static final String SESSION_FILTER = "springSessionRepositoryFilter";

  /** Made by Spring. */
  public RemoraAutoConfiguration() {}

  /**
   * The session manager.
   *
   * @param properties what it is told
   * @return a manager that starts with the server
   */
  @Bean
  @ConditionalOnMissingBean
  RemoraManager remoraManager(RemoraProperties properties) {
    if (!StringUtils.hasText(properties.store())) {
      throw new InvalidConfigurationPropertyValueException(
          "remora.store",
          properties.store(),
          "It has to name the client addresses of the session store's nodes,"
              + " \"host:port,host:port\"; or say remora.enabled=false.");
    }
    return properties.manager();
  }

  @Bean
  Placement remoraPlacement(RemoraManager manager, RemoraProperties properties, BeanFactory beans) {
    if (beans.containsBean(SESSION_FILTER)) {
      throw new InvalidConfigurationPropertyValueException(
          "remora.enabled",
          true,
          "Spring Session keeps the sessions of this application: take out its store, or say"
              + " remora.enabled=false.");
    }
    return new Placement(manager, properties.route());
  }

  @Bean
  @ConditionalOnMissingBean
  Embedding remoraEmbedding(RemoraManager manager) {
    return new Embedding(manager);
  }

  @Bean
  RegistryLifecycle remoraRegistryLifecycle(Embedding embedding, RemoraManager manager) {
    return new RegistryLifecycle(embedding, manager);
  }

  /** What Boot 3 calls the factory of an embedded Tomcat. */
  @Configuration(proxyBeanMethods = false)
  @ConditionalOnClass(
      name = "org.springframework.boot.web.embedded.tomcat.ConfigurableTomcatWebServerFactory")
  static class ServerOfBoot3 {

    @Bean
    WebServerFactoryCustomizer<
            org.springframework.boot.web.embedded.tomcat.ConfigurableTomcatWebServerFactory>
        remoraOnTomcat(Placement placement) {
      return factory -> factory.addContextCustomizers(placement::into);
    }
  }

  /** What Boot 4 calls it. */
  @Configuration(proxyBeanMethods = false)
  @ConditionalOnClass(name = "org.springframework.boot.tomcat.ConfigurableTomcatWebServerFactory")
  static class ServerOfBoot4 {

    @Bean
    WebServerFactoryCustomizer<org.springframework.boot.tomcat.ConfigurableTomcatWebServerFactory>
        remoraOnTomcat(Placement placement) {
      return factory -> factory.addContextCustomizers(placement::into);
    }
  }
}
