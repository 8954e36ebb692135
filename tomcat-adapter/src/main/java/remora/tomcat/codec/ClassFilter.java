package remora.tomcat.codec;

import java.util.regex.Pattern;

/**
 * Which classes may be loaded because stored bytes name them. Immutable.
 *
 * <p>Two rules. A class of the built-in list of known gadgets is never loaded: such classes run
 * code of an attacker's choice while they are read. And if there is an allow list, every class that
 * the bytes name must match it, superclasses and the interfaces of dynamic proxies included: the
 * meaning of {@code sessionAttributeValueClassNameFilter} in Tomcat's own managers. Without an
 * allow list, which is the default as in Tomcat, all other classes of the application are allowed;
 * an administrator who does not trust everybody who can write to the store sets one. Arrays are
 * judged by their element class, or by their own name as Tomcat does. Values in the adapter's own
 * format name no classes, but for enums.
 */
public final class ClassFilter {

  /**
   * Prefixes of names of classes that attacks on Java deserialization used, from public advisories.
   * Narrow where applications rightly keep a class's neighbours in sessions.
   */
  private static final String[] DENIED = {
    "bsh.",
    "clojure.core$",
    "clojure.inspector.",
    "com.caucho.naming.",
    "com.fasterxml.jackson.databind.node.POJONode",
    "com.mchange.v2.",
    "com.rometools.rome.feed.impl.",
    "com.sun.corba.",
    "com.sun.jndi.",
    "com.sun.org.apache.bcel.",
    "com.sun.org.apache.xalan.",
    "com.sun.org.apache.xpath.",
    "com.sun.rowset.",
    "com.sun.syndication.feed.impl.",
    "com.vaadin.data.util.NestedMethodProperty",
    "java.lang.ProcessBuilder",
    "java.lang.Runtime",
    "java.rmi.",
    "java.security.SignedObject",
    "java.util.ServiceLoader",
    "javax.management.",
    "javax.naming.LinkRef",
    "javax.naming.Reference",
    "javax.naming.spi.",
    "javax.script.",
    "javax.swing.event.EventListenerList",
    "net.sf.json.",
    "org.apache.bcel.",
    "org.apache.click.",
    "org.apache.commons.beanutils.BeanComparator",
    "org.apache.commons.collections.comparators.",
    "org.apache.commons.collections.functors.",
    "org.apache.commons.collections.keyvalue.TiedMapEntry",
    "org.apache.commons.collections.map.LazyMap",
    "org.apache.commons.collections.map.TransformedMap",
    "org.apache.commons.collections4.comparators.",
    "org.apache.commons.collections4.functors.",
    "org.apache.commons.collections4.keyvalue.TiedMapEntry",
    "org.apache.commons.collections4.map.LazyMap",
    "org.apache.commons.collections4.map.TransformedMap",
    "org.apache.commons.dbcp",
    "org.apache.commons.fileupload.disk.",
    "org.apache.myfaces.context.servlet.",
    "org.apache.tomcat.dbcp.",
    "org.apache.wicket.util.upload.",
    "org.apache.xalan.",
    "org.aspectj.weaver.",
    "org.codehaus.groovy.reflection.",
    "org.codehaus.groovy.runtime.ConvertedClosure",
    "org.codehaus.groovy.runtime.MethodClosure",
    "org.hibernate.engine.spi.TypedValue",
    "org.hibernate.property.",
    "org.hibernate.tuple.component.",
    "org.jboss.interceptor.",
    "org.jboss.proxy.",
    "org.jboss.weld.interceptor.",
    "org.mozilla.javascript.",
    "org.python.core.",
    "org.springframework.aop.framework.JdkDynamicAopProxy",
    "org.springframework.aop.support.DefaultBeanFactoryPointcutAdvisor",
    "org.springframework.beans.factory.support.AutowireUtils",
    "org.springframework.core.SerializableTypeWrapper",
    "org.springframework.jndi.",
    "sun.reflect.annotation.AnnotationInvocationHandler",
    "sun.rmi.",
  };

  private final Pattern allowed;

  /**
   * Makes a filter.
   *
   * @param allowed pattern that a whole class name must match, or null to allow all but the denied
   */
  public ClassFilter(Pattern allowed) {
    this.allowed = allowed;
  }

  /**
   * Checks a class name before the class is loaded.
   *
   * @param name as {@link Class#getName()} gives it, arrays included
   * @throws CodecException with a sentence that names the class and what to do
   */
  void check(String name) {
    String element = elementOf(name);
    if (element.isEmpty()) {
      return;
    }
    for (String prefix : DENIED) {
      if (element.startsWith(prefix)) {
        throw new CodecException(
            "class "
                + element
                + " is never loaded from a session: it is known to run foreign code");
      }
    }
    if (allowed != null
        && !allowed.matcher(element).matches()
        && !allowed.matcher(name).matches()) {
      throw new CodecException(
          "class "
              + element
              + " is not on the manager's allow list \""
              + allowed
              + "\"; add it there if the application keeps it in sessions");
    }
  }

  /** The class that an array is made of; empty for arrays of primitives. */
  private static String elementOf(String name) {
    int dimensions = 0;
    while (dimensions < name.length() && name.charAt(dimensions) == '[') {
      dimensions++;
    }
    if (dimensions == 0) {
      return name;
    }
    boolean ofObjects = name.startsWith("L", dimensions) && name.endsWith(";");
    return ofObjects ? name.substring(dimensions + 1, name.length() - 1) : "";
  }
}
