package remora.spring;

import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.context.annotation.Bean;
import org.springframework.session.FindByIndexNameSessionRepository;
import org.springframework.session.SessionRepository;
import remora.tomcat.Embedding;

/**
 * The sessions of all processes for code that is written against Spring Session, where that is on
 * the class path: to find and to end them. Requests go on with Tomcat's own sessions. Where those
 * are only observed nobody could end them here, and there is no repository.
 */
@AutoConfiguration(
    after = RemoraAutoConfiguration.class,
    beforeName = {
      "org.springframework.boot.autoconfigure.session.SessionAutoConfiguration",
      "org.springframework.boot.session.autoconfigure.SessionAutoConfiguration"
    })
@ConditionalOnClass(FindByIndexNameSessionRepository.class)
@ConditionalOnBean(Embedding.class)
@ConditionalOnProperty(name = "remora.mode", havingValue = "protect", matchIfMissing = true)
public class RemoraSessionAutoConfiguration {

  /** Made by Spring. */
  public RemoraSessionAutoConfiguration() {}

  @Bean
  @ConditionalOnMissingBean(SessionRepository.class)
  ListedSessionRepository remoraSessionRepository(Embedding embedding) {
    return new ListedSessionRepository(embedding::sessions);
  }
}
