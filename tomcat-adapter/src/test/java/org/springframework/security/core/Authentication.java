package org.springframework.security.core;

import java.io.Serializable;
import java.security.Principal;

/** As much of Spring Security's public interface as is asked what is known of a user. */
public interface Authentication extends Principal, Serializable {

  /** What the application knows of its user, or null. */
  Object getPrincipal();
}
