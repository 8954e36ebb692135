package remora.tomcat.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Names are judged exactly: neither a gadget's neighbours nor an allow list too wide for it. */
class ClassFilterTest {

  private static final String FUNCTORS = "org.apache.commons.collections.functors.";

  private static String refusal(String allowed, String name) {
    return new ClassFilter(allowed == null ? null : Pattern.compile(allowed)).refusal(name);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "java.lang.RuntimeException",
        "java.lang.ProcessBuilderOfOurs",
        "java.rmi.RemoteException",
        "java.rmi.server.UID",
        "javax.management.ObjectName",
        "javax.naming.ReferralException",
        "com.sun.rowset.CachedRowSetImpl",
        "org.apache.commons.collections.map.ListOrderedMap",
        "org.apache.commons.collections.functors.of.Ours",
        "org.hibernate.collection.spi.PersistentBag",
        "org.springframework.aop.framework.JdkDynamicAopProxy",
        "org.springframework.beans.factory.support.AutowireUtils$ObjectFactoryDelegatingInvocationHandler",
        "org.apache.catalina.realm.GenericPrincipals",
        "[[I",
        "[Ljava.lang.RuntimeException;",
        "Unpackaged",
      })
  void what_an_application_may_keep_is_allowed(String name) {
    assertNull(refusal(null, name));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bsh.XThis",
        "clojure.core$constantly",
        "clojure.inspector.proxy$javax.swing.table.AbstractTableModel$ff19274a",
        "com.sun.org.apache.xalan.internal.xsltc.trax.TemplatesImpl",
        "com.sun.rowset.JdbcRowSetImpl",
        "java.lang.Runtime",
        "java.rmi.server.UnicastRemoteObject",
        "java.security.SignedObject",
        "javax.management.BadAttributeValueExpException",
        "javax.swing.UIDefaults$TextAndMnemonicHashMap",
        "org.apache.commons.collections.functors.InvokerTransformer",
        "org.apache.commons.collections.functors.PrototypeFactory$PrototypeCloneFactory",
        "org.hibernate.property.BasicPropertyAccessor$BasicGetter",
        "sun.reflect.annotation.AnnotationInvocationHandler",
        "[[Lsun.rmi.server.UnicastRef;",
      })
  void a_gadget_is_refused_with_or_without_a_wide_allow_list(String name) {
    for (String allowed : new String[] {null, ".*", "(java|javax|org|com|sun|[a-z]+)\\..*"}) {
      String refusal = refusal(allowed, name);
      assertNotNull(refusal, allowed);
      assertTrue(refusal.contains("known to run foreign code"), refusal);
    }
  }

  /** Each row: an allow list, a class, whether it is allowed. */
  @ParameterizedTest
  @CsvSource(
      delimiter = ' ',
      value = {
        "java\\.rmi\\.MarshalledObject java.rmi.MarshalledObject true",
        "com\\.acme\\..*|java\\.rmi\\.MarshalledObject java.rmi.MarshalledObject true",
        ".*|java\\.rmi\\.MarshalledObject java.rmi.MarshalledObject true",
        "(java\\.rmi\\.(MarshalledObject|Remote)) java.rmi.MarshalledObject true",
        "java\\.rmi\\.Marsh.* java.rmi.MarshalledObject true",
        "java\\.rmi\\..* java.rmi.MarshalledObject false",
        "[a-z.|]*MarshalledObject|x java.rmi.MarshalledObject true",
        "com\\.acme\\..* java.rmi.MarshalledObject false",
        "javax\\.swing\\.UIDefaults\\$.* javax.swing.UIDefaults$TextAndMnemonicHashMap true",
        "javax\\.swing\\.UIDefaults javax.swing.UIDefaults$TextAndMnemonicHashMap false",
        "javax\\.swing\\..* javax.swing.UIDefaults$TextAndMnemonicHashMap false",
        "bsh\\..* bsh.XThis true",
        "(?i)BSH\\..* bsh.XThis true",
        "[a-z]+\\..* bsh.XThis false",
        ".*\\.XThis bsh.XThis true",
      })
  void an_entry_readmits_what_it_names_as_narrowly(String allowed, String name, boolean right) {
    assertEquals(right, refusal(allowed, name) == null);
  }

  @Test
  void an_entry_for_a_denied_package_readmits_the_package_and_its_nested_classes() {
    String allowed = "org\\.apache\\.commons\\.collections\\.functors\\..*";
    assertNull(refusal(allowed, FUNCTORS + "ClosureTransformer"));
    assertNull(refusal(allowed, FUNCTORS + "PrototypeFactory$PrototypeCloneFactory"));
    assertNull(refusal(allowed, "[L" + FUNCTORS + "ClosureTransformer;"));
    String wider = "org\\.apache\\.commons\\.collections\\..*";
    assertNotNull(refusal(wider, FUNCTORS + "ClosureTransformer"));
  }

  @Test
  void nothing_readmits_what_holds_a_password() {
    String name = "org.apache.catalina.realm.GenericPrincipal";
    for (String refused : new String[] {name, name + "$SerializablePrincipal"}) {
      String sentence = refusal(Pattern.quote(refused), refused);
      assertTrue(sentence.contains("holds the user's password"), sentence);
    }
  }
}
