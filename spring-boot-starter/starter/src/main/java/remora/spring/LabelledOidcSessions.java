package remora.spring;

import java.util.Collections;
import java.util.function.Supplier;
import org.springframework.security.oauth2.client.oidc.authentication.logout.OidcLogoutToken;
import org.springframework.security.oauth2.client.oidc.session.OidcSessionInformation;
import org.springframework.security.oauth2.client.oidc.session.OidcSessionRegistry;
import org.springframework.util.StringUtils;
import remora.tomcat.store.SessionDirectory;

/**
 * A provider's logout, for the sessions of all processes. Which session belongs to which of the
 * provider's is said by a label of the session itself, so nothing is kept here; and what a token
 * takes out of the list is ended in the store at once, so nothing is left for Spring Security to
 * call each session's logout for.
 *
 * <p>A token that names a session ends that one; one that names a user alone ends all sessions
 * under the name of its subject, which is the login's name unless {@code user-name-attribute} says
 * otherwise.
 */
final class LabelledOidcSessions implements OidcSessionRegistry {

  private final Supplier<SessionDirectory> sessions;

  /**
   * A list.
   *
   * @param sessions gives the store's own, once the server runs
   */
  LabelledOidcSessions(Supplier<SessionDirectory> sessions) {
    this.sessions = sessions;
  }

  @Override
  public void saveSessionInformation(OidcSessionInformation info) {}

  @Override
  public OidcSessionInformation removeSessionInformation(String clientSessionId) {
    return null;
  }

  @Override
  public Iterable<OidcSessionInformation> removeSessionInformation(OidcLogoutToken logoutToken) {
    if (StringUtils.hasText(logoutToken.getSessionId())) {
      sessions.get().endLabelled(SessionDirectory.OIDC_SID, logoutToken.getSessionId());
    } else if (StringUtils.hasText(logoutToken.getSubject())) {
      sessions.get().endLabelled(SessionDirectory.PRINCIPAL, logoutToken.getSubject());
    }
    return Collections.emptyList();
  }
}
