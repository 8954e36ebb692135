package org.springframework.security.core.context;

import java.io.Serializable;
import org.springframework.security.core.Authentication;

/** As much of Spring Security's public interface as is asked who is logged in. */
public interface SecurityContext extends Serializable {

  /** Who is logged in, or null. */
  Authentication getAuthentication();
}
