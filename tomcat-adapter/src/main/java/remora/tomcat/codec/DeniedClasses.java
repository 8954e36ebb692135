package remora.tomcat.codec;

import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.Set;

/**
 * Classes that published attacks on Java deserialization are made of: exact names, and exact
 * packages where nothing else in them belongs into a session. A class stands for its nested classes
 * too, a package for the classes directly in it.
 *
 * <p>An attack is a chain: something that the reading of any object triggers, links that call a
 * method of the attacker's choice, and something worth calling. Each published chain is cut at two
 * links at least. Left out on purpose: classes that sites keep in sessions every day, though chains
 * went through them, as each such chain needs others of this list: {@code java.lang.reflect.Proxy},
 * Spring's {@code JdkDynamicAopProxy} and the proxies of injected requests, priority queues, URLs.
 */
final class DeniedClasses {

  private static final Set<String> PACKAGES =
      set(
          // Interpreters: an object of theirs is a program.
          "bsh",
          "org.mozilla.javascript",
          "org.python.core",
          // Functors call any method by its name; the library itself refuses them since 3.2.2.
          "org.apache.commons.collections.functors",
          "org.apache.commons.collections4.functors",
          // Beans whose toString and equals call every getter of what they hold.
          "com.rometools.rome.feed.impl",
          "com.sun.syndication.feed.impl",
          // Translets load bytecode out of their own fields; XPath's strings set the chains going.
          "com.sun.org.apache.xalan.internal.xsltc.trax",
          "com.sun.org.apache.xpath.internal.objects",
          "org.apache.xalan.xsltc.trax",
          "org.apache.xpath.objects",
          // Pools and data sources that look up a name of the attacker's choice, or load from
          // there.
          "com.caucho.naming",
          "com.mchange.v2.c3p0",
          "com.mchange.v2.c3p0.impl",
          "com.mchange.v2.naming",
          "org.apache.commons.dbcp.cpdsadapter",
          "org.apache.commons.dbcp.datasources",
          "org.apache.commons.dbcp2.cpdsadapter",
          "org.apache.commons.dbcp2.datasources",
          "org.apache.tomcat.dbcp.dbcp.cpdsadapter",
          "org.apache.tomcat.dbcp.dbcp.datasources",
          "org.apache.tomcat.dbcp.dbcp2.cpdsadapter",
          "org.apache.tomcat.dbcp.dbcp2.datasources",
          // Remote references: reading one calls, or listens for, whoever wrote it.
          "com.sun.jndi.rmi.registry",
          "javax.management.remote.rmi",
          "sun.rmi.registry",
          "sun.rmi.server",
          "sun.rmi.transport",
          "sun.rmi.transport.tcp");

  private static final Set<String> CLASSES =
      set(
          // Remote references, as above.
          "java.rmi.server.RemoteObject",
          "java.rmi.server.RemoteObjectInvocationHandler",
          "java.rmi.server.RemoteServer",
          "java.rmi.server.RemoteStub",
          "java.rmi.server.UnicastRemoteObject",
          // Each holds a second stream, and reads it without a filter.
          "java.rmi.MarshalledObject",
          "java.security.SignedObject",
          // Each looks up a name of the attacker's choice.
          "com.sun.jndi.ldap.LdapAttribute",
          "com.sun.jndi.toolkit.dir.LazySearchEnumerationImpl",
          "com.sun.rowset.JdbcRowSetImpl",
          "javax.naming.LinkRef",
          "javax.naming.Reference",
          "oracle.jdbc.rowset.OracleJDBCRowSet",
          "org.apache.xbean.naming.context.ContextUtil$ReadOnlyBinding",
          "org.springframework.aop.support.DefaultBeanFactoryPointcutAdvisor",
          "org.springframework.transaction.jta.JtaTransactionManager",
          // Each calls a method or getter by its name.
          "clojure.core",
          "clojure.inspector.proxy",
          "clojure.main",
          "com.fasterxml.jackson.databind.node.POJONode",
          "com.redhat.ceylon.compiler.java.language.SerializationProxy",
          "com.sun.corba.se.spi.orbutil.proxy.CompositeInvocationHandlerImpl",
          "com.vaadin.data.util.NestedMethodProperty",
          "net.sf.json.JSONObject",
          "org.apache.click.control.Column$ColumnComparator",
          "org.apache.commons.beanutils.BeanComparator",
          "org.apache.commons.beanutils2.BeanComparator",
          "org.codehaus.groovy.runtime.ConvertedClosure",
          "org.codehaus.groovy.runtime.MethodClosure",
          "org.hibernate.property.BasicPropertyAccessor",
          "org.hibernate.property.access.spi.GetterMethodImpl",
          "org.hibernate.tuple.component.AbstractComponentTuplizer",
          "org.hibernate.tuple.component.PojoComponentTuplizer",
          "org.jboss.interceptor.proxy.InterceptorMethodHandler",
          "org.jboss.weld.interceptor.proxy.InterceptorMethodHandler",
          "org.springframework.core.SerializableTypeWrapper$MethodInvokeTypeProvider",
          // Each calls what it holds as soon as it is read, compared, hashed or printed.
          "javax.management.BadAttributeValueExpException",
          "javax.swing.UIDefaults$TextAndMnemonicHashMap",
          "javax.swing.event.EventListenerList",
          "org.apache.commons.collections.comparators.TransformingComparator",
          "org.apache.commons.collections.keyvalue.TiedMapEntry",
          "org.apache.commons.collections.map.DefaultedMap",
          "org.apache.commons.collections.map.LazyMap",
          "org.apache.commons.collections.map.TransformedMap",
          "org.apache.commons.collections4.comparators.TransformingComparator",
          "org.apache.commons.collections4.keyvalue.TiedMapEntry",
          "org.apache.commons.collections4.map.DefaultedMap",
          "org.apache.commons.collections4.map.LazyMap",
          "org.apache.commons.collections4.map.TransformedMap",
          "org.apache.myfaces.context.servlet.FacesContextImpl",
          "org.apache.myfaces.context.servlet.FacesContextImplBase",
          "org.hibernate.engine.TypedValue",
          "org.hibernate.engine.spi.TypedValue",
          "sun.reflect.annotation.AnnotationInvocationHandler",
          // Each writes or deletes a file that it names itself.
          "org.apache.commons.fileupload.disk.DiskFileItem",
          "org.apache.wicket.util.upload.DiskFileItem",
          "org.aspectj.weaver.tools.cache.SimpleCache$StoreableCachingMap",
          // Never objects in a stream, but constants that chains name.
          "java.lang.ProcessBuilder",
          "java.lang.Runtime",
          "javax.script.ScriptEngineManager");

  private DeniedClasses() {}

  private static Set<String> set(String... names) {
    return Collections.unmodifiableSet(new HashSet<>(Arrays.asList(names)));
  }

  /**
   * What of the list stands for a class.
   *
   * @param name of a class that is no array
   * @return the class or package on the list, a package with a dot behind it; null if none
   */
  static String entryFor(String name) {
    int nested = name.indexOf('$');
    int dot = nested < 0 ? name.lastIndexOf('.') : name.lastIndexOf('.', nested);
    if (dot > 0 && PACKAGES.contains(name.substring(0, dot))) {
      return name.substring(0, dot + 1);
    }
    while (nested > 0) {
      if (CLASSES.contains(name.substring(0, nested))) {
        return name.substring(0, nested);
      }
      nested = name.indexOf('$', nested + 1);
    }
    return CLASSES.contains(name) ? name : null;
  }
}
