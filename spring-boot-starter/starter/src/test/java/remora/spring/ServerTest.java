package remora.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.test.context.runner.ReactiveWebApplicationContextRunner;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.context.ApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.core.session.SessionRegistry;
import org.springframework.security.oauth2.client.oidc.session.OidcSessionRegistry;
import org.springframework.session.FindByIndexNameSessionRepository;
import org.springframework.session.MapSessionRepository;
import org.springframework.session.config.annotation.web.http.EnableSpringHttpSession;
import remora.tomcat.Embedding;
import remora.tomcat.RemoraManager;
import remora.tomcat.store.StoreUnavailableException;

/** A real server of the line of Boot that is on the class path, with no store to be found. */
class ServerTest {

  @Configuration(proxyBeanMethods = false)
  @EnableAutoConfiguration
  static class Application {}

  /** An application whose sessions Spring Session keeps. */
  @Configuration(proxyBeanMethods = false)
  @EnableAutoConfiguration
  @EnableSpringHttpSession
  static class KeptElsewhere {

    @Bean
    MapSessionRepository sessions() {
      return new MapSessionRepository(new ConcurrentHashMap<>());
    }
  }

  /** A port on which nobody listens, so that the store is away. */
  private static final String NOWHERE = "remora.store=127.0.0.1:1";

  private static final AutoConfigurations OURS =
      AutoConfigurations.of(
          RemoraAutoConfiguration.class,
          RemoraSecurityAutoConfiguration.class,
          RemoraSessionAutoConfiguration.class,
          RemoraActuatorAutoConfiguration.class);

  private static ConfigurableApplicationContext start(String... properties) {
    return start(Application.class, properties);
  }

  private static ConfigurableApplicationContext start(Class<?> application, String... properties) {
    List<String> arguments =
        new ArrayList<>(Arrays.asList("--server.port=0", "--spring.main.banner-mode=off"));
    for (String property : properties) {
      arguments.add("--" + property);
    }
    return SpringApplication.run(application, arguments.toArray(String[]::new));
  }

  @Test
  void the_manager_runs_in_the_embedded_tomcat() {
    RemoraManager manager;
    try (ConfigurableApplicationContext context =
        start(NOWHERE, "remora.route=n7", "remora.app=a")) {
      manager = context.getBean(RemoraManager.class);
      assertThat(manager.getState().isAvailable()).isTrue();
      assertThat(manager.getContext().getManager()).isSameAs(manager);
      assertThat(manager.getJvmRoute()).isEqualTo("n7");
      assertThat(manager.getApplication()).isEqualTo("a:localhost");
      assertThat(context.getBean(RegistryLifecycle.class).isRunning()).isTrue();
    }
    assertThat(manager.getState().isAvailable()).isFalse();
  }

  @Test
  void spring_finds_what_it_asks_sessions_by() {
    try (ConfigurableApplicationContext context = start(NOWHERE)) {
      assertThat(context.getBean(SessionRegistry.class)).isInstanceOf(StoredSessionRegistry.class);
      assertThat(context.getBean(OidcSessionRegistry.class))
          .isInstanceOf(LabelledOidcSessions.class);
      assertThat(context.getBean(FindByIndexNameSessionRepository.class))
          .isInstanceOf(ListedSessionRepository.class);
      assertThat(context.containsBean("springSessionRepositoryFilter")).isFalse();
      assertThat(context.containsBean("remoraHealthIndicator")).isTrue();
    }
  }

  @Test
  void a_store_that_is_away_is_said_and_counts_only_where_requests_are_refused() throws Exception {
    for (String loss : new String[] {"serve", "refuse"}) {
      try (ConfigurableApplicationContext context =
          start(NOWHERE, "remora.store-timeout=200ms", "remora.on-store-loss=" + loss)) {
        StoreHealth health = context.getBean(StoreHealth.class);
        long deadline = System.nanoTime() + 20_000_000_000L;
        while ("UP".equals(health.status()) && deadline - System.nanoTime() > 0) {
          Thread.onSpinWait();
        }
        assertThat(health.status())
            .isEqualTo("serve".equals(loss) ? StoreHealth.AWAY : "OUT_OF_SERVICE");
        assertThat(health.details())
            .containsEntry("store", "AWAY")
            .containsEntry("onStoreLoss", loss);
        Embedding embedding = context.getBean(Embedding.class);
        assertThatThrownBy(() -> embedding.sessions().all())
            .isInstanceOf(StoreUnavailableException.class);
      }
    }
  }

  @Test
  void the_actuator_has_one_endpoint_for_sessions_whoever_brings_it() {
    try (ConfigurableApplicationContext context =
        start(NOWHERE, "management.endpoints.web.exposure.include=sessions")) {
      assertThat(sessionsEndpoints(context)).isEqualTo(1);
    }
  }

  private static long sessionsEndpoints(ConfigurableApplicationContext context) {
    return context.getBeansWithAnnotation(Endpoint.class).keySet().stream()
        .map(name -> context.findAnnotationOnBean(name, Endpoint.class).id())
        .filter("sessions"::equals)
        .count();
  }

  @Test
  void where_sessions_are_observed_springs_own_lists_stay_and_the_store_is_told() {
    try (ConfigurableApplicationContext context =
        start(
            NOWHERE, "remora.mode=observe", "management.endpoints.web.exposure.include=sessions")) {
      assertThat(context.getBeansOfType(SessionRegistry.class)).isEmpty();
      assertThat(context.getBeansOfType(OidcSessionRegistry.class)).isEmpty();
      assertThat(context.getBeansOfType(FindByIndexNameSessionRepository.class)).isEmpty();
      assertThat(sessionsEndpoints(context)).isZero();
      assertThat(context.getBean(StoreHealth.class).details().get("store")).isIn("SEEKING", "AWAY");
    }
  }

  @Test
  void without_a_store_it_does_not_start_and_says_what_is_missing() {
    assertThatThrownBy(ServerTest::start).hasStackTraceContaining("remora.store");
    assertThatThrownBy(() -> start(NOWHERE, "remora.mode=obserb").close()).isNotNull();
  }

  private static void assertUntouched(ApplicationContext context) {
    assertThat(context.getBeansOfType(RemoraProperties.class)).isEmpty();
    assertThat(context.getBeansOfType(RemoraManager.class)).isEmpty();
    assertThat(context.getBeansOfType(SessionRegistry.class)).isEmpty();
    assertThat(context.getBeansOfType(FindByIndexNameSessionRepository.class)).isEmpty();
    assertThat(context.getBeansOfType(StoreHealth.class)).isEmpty();
  }

  @Test
  void as_a_war_or_with_a_mocked_servlet_context_nothing_is_configured() {
    new WebApplicationContextRunner().withConfiguration(OURS).run(ServerTest::assertUntouched);
  }

  @Test
  void a_reactive_application_and_one_that_serves_nobody_have_nothing_of_ours_and_need_no_store() {
    new ReactiveWebApplicationContextRunner()
        .withConfiguration(OURS)
        .run(ServerTest::assertUntouched);
    try (ConfigurableApplicationContext context = start("spring.main.web-application-type=none")) {
      assertUntouched(context);
    }
  }

  @Test
  void where_tomcat_is_not_the_server_it_does_not_start_and_says_what_to_do() {
    RemoraManager manager = new RemoraManager();
    RegistryLifecycle lifecycle = new RegistryLifecycle(new Embedding(manager), manager);
    assertThatThrownBy(lifecycle::start).hasMessageContaining("remora.enabled=false");
    assertThat(lifecycle.isRunning()).isFalse();
  }

  @Test
  void the_manager_takes_the_place_of_one_that_boot_was_asked_for_as_by_devtools() {
    try (ConfigurableApplicationContext context =
        start(NOWHERE, "server.servlet.session.persistent=true")) {
      RemoraManager manager = context.getBean(RemoraManager.class);
      assertThat(manager.getContext().getManager()).isSameAs(manager);
    }
  }

  @Test
  void beside_spring_session_it_does_not_start_and_says_what_to_do() {
    assertThatThrownBy(() -> start(KeptElsewhere.class, NOWHERE).close())
        .hasStackTraceContaining("Spring Session keeps the sessions");
    start(KeptElsewhere.class, "remora.enabled=false").close();
  }

  @Test
  void switched_off_it_leaves_sessions_to_tomcat() {
    try (ConfigurableApplicationContext context = start("remora.enabled=false")) {
      assertThat(context.getBeansOfType(RemoraManager.class)).isEmpty();
      assertThat(context.getBeansOfType(SessionRegistry.class)).isEmpty();
      assertThat(context.containsBean("remoraHealthIndicator")).isFalse();
    }
  }
}
