package org.springframework.security.oauth2.core.oidc.user;

import java.util.Map;

/** As much of Spring Security's public interface as is asked what an OpenID provider says. */
public interface OidcUser {

  /** What it says of the user, and of the session that he has with it. */
  Map<String, Object> getClaims();
}
