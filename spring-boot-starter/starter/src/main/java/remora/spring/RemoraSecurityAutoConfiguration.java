package remora.spring;

import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.core.session.SessionRegistry;
import org.springframework.security.oauth2.client.oidc.session.OidcSessionRegistry;
import remora.tomcat.Embedding;

/**
 * What Spring Security asks of sessions, answered by the store for all processes: who is logged in,
 * and which sessions a provider's logout ends. Where sessions are only observed they live and end
 * in their own process, whatever the store knows of them: Spring's own lists stay.
 */
@AutoConfiguration(after = RemoraAutoConfiguration.class)
@ConditionalOnClass(SessionRegistry.class)
@ConditionalOnBean(Embedding.class)
@ConditionalOnProperty(name = "remora.mode", havingValue = "protect", matchIfMissing = true)
public class RemoraSecurityAutoConfiguration {

  /** Made by Spring. */
  public RemoraSecurityAutoConfiguration() {}

  @Bean
  @ConditionalOnMissingBean(SessionRegistry.class)
  StoredSessionRegistry remoraSessionRegistry(Embedding embedding) {
    return new StoredSessionRegistry(embedding::sessions, embedding::hash);
  }

  /** For logins by OpenID Connect. */
  @Configuration(proxyBeanMethods = false)
  @ConditionalOnClass(OidcSessionRegistry.class)
  static class OpenId {

    @Bean
    @ConditionalOnMissingBean(OidcSessionRegistry.class)
    LabelledOidcSessions remoraOidcSessionRegistry(Embedding embedding) {
      return new LabelledOidcSessions(embedding::sessions);
    }
  }
}
