package remora.tomcat;

import org.apache.catalina.Context;
import org.apache.catalina.Realm;
import org.apache.catalina.Wrapper;
import org.apache.catalina.connector.Request;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;

/**
 * Requests that nobody needs a session for: for a file that anybody may fetch, in an application
 * without a filter of its own. Tomcat gives every application an authenticator, and each of those
 * asks for the session of every request that names one, only to know who is signed in.
 */
final class OpenFiles {

  /** What serves files, and says that there is none. */
  private static final String DEFAULT_SERVLET = "org.apache.catalina.servlets.DefaultServlet";

  /** Packages of Tomcat's own filters; those that need a session ask for it themselves. */
  private static final String[] CONTAINER = {"org.apache.catalina.", "org.apache.tomcat."};

  /** Where a login form leads, to which Tomcat itself answers. */
  private static final String LOGIN = "/j_security_check";

  private OpenFiles() {}

  /**
   * Whether a request is such a one.
   *
   * @param request a request that is mapped
   * @return false if somebody may want to know whose it is
   */
  static boolean isAskedFor(Request request) {
    Wrapper wrapper = request.getWrapper();
    if (wrapper == null) {
      return true;
    }
    Context context = request.getContext();
    Realm realm = context.getRealm();
    return DEFAULT_SERVLET.equals(wrapper.getServletClass())
        && !context.getPreemptiveAuthentication()
        && !request.getDecodedRequestURI().endsWith(LOGIN)
        && (realm == null || realm.findSecurityConstraints(request, context) == null)
        && !hasOwnFilter(context);
  }

  private static boolean hasOwnFilter(Context context) {
    for (FilterMap map : context.findFilterMaps()) {
      FilterDef filter = context.findFilterDef(map.getFilterName());
      if (filter == null || !isOfContainer(filter.getFilterClass())) {
        return true;
      }
    }
    return false;
  }

  private static boolean isOfContainer(String className) {
    for (String prefix : CONTAINER) {
      if (className != null && className.startsWith(prefix)) {
        return true;
      }
    }
    return false;
  }
}
