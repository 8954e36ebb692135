package remora.spring;

import org.springframework.boot.actuate.autoconfigure.endpoint.condition.ConditionalOnAvailableEndpoint;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.AnyNestedCondition;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Conditional;
import org.springframework.context.annotation.Configuration;
import remora.tomcat.Embedding;
import remora.tomcat.RemoraManager;

/**
 * How the store stands as the actuator's health {@code remora}, and the sessions of all processes
 * as its endpoint {@code sessions}. Where Spring Session is on the class path, and on Boot 4 its
 * module of Boot as well, that endpoint is Boot's own, over our repository.
 *
 * <p>Boot 4 has given the types of health other names; so each line has a class of its own.
 */
@AutoConfiguration(after = RemoraAutoConfiguration.class)
@ConditionalOnClass(Endpoint.class)
@ConditionalOnBean(Embedding.class)
public class RemoraActuatorAutoConfiguration {

  /** Made by Spring. */
  public RemoraActuatorAutoConfiguration() {}

  @Bean
  StoreHealth remoraStoreHealth(RemoraManager manager) {
    return new StoreHealth(manager);
  }

  /** Where Boot has no endpoint of that name, and what it ends would end. */
  @Configuration(proxyBeanMethods = false)
  @ConditionalOnClass(ConditionalOnAvailableEndpoint.class)
  @Conditional(BootHasNone.class)
  @ConditionalOnProperty(name = "remora.mode", havingValue = "protect", matchIfMissing = true)
  static class SessionsOverActuator {

    @Bean
    @ConditionalOnAvailableEndpoint
    StoredSessionsEndpoint remoraSessionsEndpoint(Embedding embedding) {
      return new StoredSessionsEndpoint(embedding::sessions);
    }
  }

  /** Boot has an endpoint of that name only with both: its class, and Spring Session's. */
  static class BootHasNone extends AnyNestedCondition {

    BootHasNone() {
      super(ConfigurationPhase.REGISTER_BEAN);
    }

    @ConditionalOnMissingClass("org.springframework.session.SessionRepository")
    static class WithoutSpringSession {}

    @ConditionalOnMissingClass({
      "org.springframework.boot.actuate.session.SessionsEndpoint",
      "org.springframework.boot.session.actuate.endpoint.SessionsEndpoint"
    })
    static class WithoutItsClass {}
  }

  /** What Boot 3 calls an indicator of health. */
  @Configuration(proxyBeanMethods = false)
  @ConditionalOnClass(name = "org.springframework.boot.actuate.health.HealthIndicator")
  static class HealthOfBoot3 {

    @Bean
    @org.springframework.boot.actuate.autoconfigure.health.ConditionalOnEnabledHealthIndicator(
        "remora")
    org.springframework.boot.actuate.health.HealthIndicator remoraHealthIndicator(
        StoreHealth health) {
      return () ->
          org.springframework.boot.actuate.health.Health.status(health.status())
              .withDetails(health.details())
              .build();
    }
  }

  /** What Boot 4 calls it. */
  @Configuration(proxyBeanMethods = false)
  @ConditionalOnClass(name = "org.springframework.boot.health.contributor.HealthIndicator")
  static class HealthOfBoot4 {

    @Bean
    @org.springframework.boot.health.autoconfigure.contributor.ConditionalOnEnabledHealthIndicator(
        "remora")
    org.springframework.boot.health.contributor.HealthIndicator remoraHealthIndicator(
        StoreHealth health) {
      return () ->
          org.springframework.boot.health.contributor.Health.status(health.status())
              .withDetails(health.details())
              .build();
    }
  }
}
