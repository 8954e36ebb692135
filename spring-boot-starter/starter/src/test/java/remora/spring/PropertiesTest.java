package remora.spring;

import static org.assertj.core.api.Assertions.assertThat;

import java.beans.PropertyDescriptor;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.springframework.beans.BeanUtils;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Configuration;
import remora.tomcat.ManagerAttributes;
import remora.tomcat.RemoraManager;

/** The properties are the session manager's attributes, with their names and defaults. */
class PropertiesTest {

  /** What Boot is told beside them. */
  private static final Set<String> OURS = Set.of("enabled", "route");

  /** What every manager of Tomcat has, and ours reads, too. */
  private static final String INHERITED = "sessionAttributeValueClassNameFilter";

  @Configuration(proxyBeanMethods = false)
  @EnableConfigurationProperties(RemoraProperties.class)
  static class Bound {}

  private static RemoraProperties bound(String... values) {
    RemoraProperties[] bound = new RemoraProperties[1];
    new ApplicationContextRunner()
        .withUserConfiguration(Bound.class)
        .withPropertyValues(values)
        .run(context -> bound[0] = context.getBean(RemoraProperties.class));
    return bound[0];
  }

  private static Set<String> names() {
    return Arrays.stream(RemoraProperties.class.getRecordComponents())
        .map(RecordComponent::getName)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  @Test
  void every_attribute_of_the_manager_is_a_property() {
    Set<String> attributes = new TreeSet<>(OURS);
    attributes.add(INHERITED);
    for (Method method : ManagerAttributes.class.getDeclaredMethods()) {
      if (method.getName().startsWith("set")) {
        attributes.add(
            method.getName().substring(3, 4).toLowerCase() + method.getName().substring(4));
      }
    }
    assertThat(names()).isEqualTo(attributes);
  }

  @Test
  void without_a_word_the_manager_is_as_it_is_by_itself() throws Exception {
    RemoraManager told = bound().manager();
    RemoraManager untold = new RemoraManager();
    for (PropertyDescriptor each : BeanUtils.getPropertyDescriptors(RemoraManager.class)) {
      if (names().contains(each.getName()) && each.getReadMethod() != null) {
        Object standard = each.getReadMethod().invoke(untold);
        String same = "storeTimeout".equals(each.getName()) ? "5s" : null;
        assertThat(each.getReadMethod().invoke(told))
            .as(each.getName())
            .isEqualTo(standard == null ? same : standard);
      }
    }
  }

  @Test
  void no_secret_is_told_with_them() {
    assertThat(bound("remora.store=192.0.2.1:7400", "remora.key=never to be shown").toString())
        .isEqualTo("remora.store=192.0.2.1:7400");
  }

  @Test
  void what_is_said_reaches_the_manager() {
    RemoraManager manager =
        bound(
                "remora.store=192.0.2.1:7400",
                "remora.session-limit=3",
                "remora.on-session-limit=refuse",
                "remora.tls-authority=authority.pem",
                "remora.on-store-loss=refuse",
                "remora.session-attribute-value-class-name-filter=java\\..*")
            .manager();
    assertThat(manager.getStore()).isEqualTo("192.0.2.1:7400");
    assertThat(manager.getSessionLimit()).isEqualTo(3);
    assertThat(manager.getOnSessionLimit()).isEqualTo("refuse");
    assertThat(manager.getTlsAuthority()).isEqualTo("authority.pem");
    assertThat(manager.getOnStoreLoss()).isEqualTo("refuse");
    assertThat(manager.getSessionAttributeValueClassNameFilter()).isEqualTo("java\\..*");
  }
}
