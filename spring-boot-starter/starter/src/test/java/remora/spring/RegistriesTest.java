package remora.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.mock.web.MockHttpServletRequest;
import org.springframework.mock.web.MockHttpServletResponse;
import org.springframework.mock.web.MockHttpSession;
import org.springframework.security.authentication.UsernamePasswordAuthenticationToken;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.session.SessionInformation;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.oauth2.client.oidc.authentication.logout.OidcLogoutToken;
import org.springframework.security.web.authentication.session.ConcurrentSessionControlAuthenticationStrategy;
import org.springframework.session.FindByIndexNameSessionRepository;
import org.springframework.session.security.SpringSessionBackedSessionRegistry;
import org.springframework.web.context.request.RequestContextHolder;
import org.springframework.web.context.request.ServletRequestAttributes;

/** What Spring's own interfaces say of sessions in all processes, and what they end. */
class RegistriesTest {

  /** As Tomcat draws them. */
  private static final String ID = "0123456789ABCDEF0123456789ABCDEF.n1";

  /** A provider of OpenID, and what the application is called there. */
  private static final String ISSUER = "https://provider.example";

  private static final String CLIENT = "sample";

  private final ListedSessions sessions = new ListedSessions();
  private final StoredSessionRegistry registry =
      new StoredSessionRegistry(() -> sessions, id -> ID.equals(id) ? this.second : "none");
  private final ListedSessionRepository repository = new ListedSessionRepository(() -> sessions);
  private final LabelledOidcSessions oidc = new LabelledOidcSessions(() -> sessions);
  private String first;
  private String second;
  private String other;

  @BeforeEach
  void enter() {
    first = sessions.enter("ada", ISSUER, CLIENT, "sid-1");
    second = sessions.enter("ada", ISSUER, CLIENT, "sid-2");
    other = sessions.enter("grace", ISSUER, CLIENT, "sid-3");
    sessions.enter("", ISSUER, CLIENT, "");
  }

  @Test
  void principals_are_told_once_and_by_name() {
    assertThat(registry.getAllPrincipals()).containsExactly("ada", "grace");
  }

  @Test
  void sessions_of_a_user_are_found_by_whatever_stands_for_him_and_end_when_they_expire() {
    User ada = new User("ada", "", List.of());
    List<SessionInformation> found = registry.getAllSessions(ada, false);
    assertThat(found).extracting(SessionInformation::getSessionId).containsExactly(first, second);
    assertThat(found.get(0).getPrincipal()).isSameAs(ada);
    assertThat(found.get(0).getLastRequest()).isEqualTo(new Date(2_000));
    found.get(0).expireNow();
    assertThat(found.get(0).isExpired()).isTrue();
    assertThat(registry.getAllSessions("ada", true)).hasSize(1);
    registry.removeSessionInformation(second);
    assertThat(registry.getAllSessions("ada", true)).isEmpty();
  }

  @Test
  void the_session_of_the_current_request_has_the_id_by_which_spring_security_knows_it() {
    MockHttpServletRequest request = new MockHttpServletRequest();
    request.setSession(new MockHttpSession(null, ID));
    RequestContextHolder.setRequestAttributes(new ServletRequestAttributes(request));
    try {
      ConcurrentSessionControlAuthenticationStrategy strategy =
          new ConcurrentSessionControlAuthenticationStrategy(registry);
      strategy.setMaximumSessions(2);
      strategy.setExceptionIfMaximumExceeded(true);
      Authentication ada = UsernamePasswordAuthenticationToken.authenticated("ada", "", List.of());
      assertThatCode(() -> strategy.onAuthentication(ada, request, new MockHttpServletResponse()))
          .doesNotThrowAnyException();
      List<SessionInformation> found = registry.getAllSessions("ada", false);
      assertThat(found).extracting(SessionInformation::getSessionId).containsExactly(first, ID);
      found.get(1).expireNow();
    } finally {
      RequestContextHolder.resetRequestAttributes();
    }
    assertThat(registry.getAllSessions("ada", false))
        .extracting(SessionInformation::getSessionId)
        .containsExactly(first);
  }

  @Test
  void of_an_id_nothing_is_known() {
    assertThat(registry.getSessionInformation(other).getPrincipal()).isEqualTo("grace");
    assertThat(registry.getSessionInformation(ID)).isNull();
    registry.removeSessionInformation(ID);
    registry.registerNewSession(ID, "eve");
    repository.deleteById(ID);
    assertThat(repository.findById(ID)).isNull();
    assertThat(sessions.all()).hasSize(4);
  }

  @Test
  void a_repository_finds_by_either_label_and_deletes() {
    Map<String, ListedSession> found = repository.findByPrincipalName("ada");
    assertThat(found).containsOnlyKeys(first, second);
    ListedSession session = repository.findById(first);
    assertThat(session.getCreationTime()).isEqualTo(Instant.ofEpochMilli(1_000));
    assertThat(session.getMaxInactiveInterval()).isEqualTo(Duration.ofMinutes(30));
    assertThat(
            session.<String>getAttribute(
                FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME))
        .isEqualTo("ada");
    assertThat(repository.findByIndexNameAndIndexValue("oidc.sid", "sid-3"))
        .containsOnlyKeys(other);
    assertThat(repository.findByIndexNameAndIndexValue("another", "ada")).isEmpty();
    repository.deleteById(first);
    assertThat(repository.findByPrincipalName("ada")).containsOnlyKeys(second);
    assertThatThrownBy(repository::createSession).isInstanceOf(UnsupportedOperationException.class);
  }

  @Test
  void spring_sessions_own_list_for_spring_security_ends_sessions_too() {
    new SpringSessionBackedSessionRegistry<>(repository)
        .getAllSessions("ada", false)
        .get(0)
        .expireNow();
    assertThat(repository.findByPrincipalName("ada")).containsOnlyKeys(second);
    ListedSession left = repository.findById(second);
    assertThatThrownBy(() -> left.setAttribute("cart", "pears"))
        .isInstanceOf(UnsupportedOperationException.class);
    assertThatThrownBy(() -> repository.save(left))
        .isInstanceOf(UnsupportedOperationException.class);
  }

  @Test
  void a_logout_token_ends_what_it_names_and_leaves_nothing_to_call() {
    OidcLogoutToken ofSession = token().sessionId("sid-1").build();
    assertThat(oidc.removeSessionInformation(ofSession)).isEmpty();
    assertThat(repository.findByPrincipalName("ada")).containsOnlyKeys(second);
    OidcLogoutToken ofUser = token().build();
    assertThat(oidc.removeSessionInformation(ofUser)).isEmpty();
    assertThat(repository.findByPrincipalName("ada")).isEmpty();
    assertThat(sessions.all()).hasSize(2);
  }

  @Test
  void a_logout_token_reaches_no_other_providers_or_clients_users_and_no_login_by_name() {
    String elsewhere = sessions.enter("ada", "https://other.example", CLIENT, "sid-1");
    String another = sessions.enter("ada", ISSUER, "another", "sid-1");
    oidc.removeSessionInformation(token().sessionId("sid-1").build());
    assertThat(repository.findByPrincipalName("ada")).containsOnlyKeys(second, elsewhere, another);
    oidc.removeSessionInformation(token().build());
    assertThat(repository.findByPrincipalName("ada")).containsOnlyKeys(elsewhere, another);
    oidc.removeSessionInformation(token().audience(List.of("third", "another")).build());
    assertThat(repository.findByPrincipalName("ada")).containsOnlyKeys(elsewhere);
  }

  private static OidcLogoutToken.Builder token() {
    return OidcLogoutToken.withTokenValue("t")
        .issuer(ISSUER)
        .jti("1")
        .audience(List.of(CLIENT))
        .subject("ada");
  }
}
