package remora.spring;

import java.util.Collections;
import java.util.function.Supplier;
import org.springframework.security.oauth2.client.oidc.authentication.logout.LogoutTokenClaimNames;
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
 * <p>A token that names a session ends that one; one that names a user alone ends all of its
 * subject. Either is looked for together with the provider that says it and the client to which it
 * is said, never by a login's name: no provider reaches another's users, no client another's, nor
 * those who came by a form. That a token is whole, and meant for the client at whose address it
 * came in, is seen to by Spring Security's own decoder, before it comes here.
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
    for (String client : logoutToken.getAudience()) {
      if (StringUtils.hasText(logoutToken.getSessionId())) {
        end(SessionDirectory.OIDC_SESSION, logoutToken, client, logoutToken.getSessionId());
      } else if (StringUtils.hasText(logoutToken.getSubject())) {
        end(SessionDirectory.OIDC_SUBJECT, logoutToken, client, logoutToken.getSubject());
      }
    }
    return Collections.emptyList();
  }

  private void end(String label, OidcLogoutToken token, String client, String name) {
    String issuer = token.getClaimAsString(LogoutTokenClaimNames.ISS);
    sessions.get().endLabelled(label, SessionDirectory.forClient(issuer, client, name));
  }
}
