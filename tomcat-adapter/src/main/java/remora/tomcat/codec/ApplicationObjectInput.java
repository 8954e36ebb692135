package remora.tomcat.codec;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectStreamClass;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;

/**
 * Reads Java serialization with the classes of one application. Every class that the bytes name is
 * checked before it is loaded, and none is initialized by being looked up.
 */
final class ApplicationObjectInput extends ObjectInputStream {

  private final ClassLoader loader;
  private final ClassFilter filter;

  ApplicationObjectInput(byte[] bytes, ClassLoader loader, ClassFilter filter) throws IOException {
    super(new ByteArrayInputStream(bytes));
    this.loader = loader;
    this.filter = filter;
    InputLimits.set(this, bytes.length);
  }

  @Override
  protected Class<?> resolveClass(ObjectStreamClass description)
      throws IOException, ClassNotFoundException {
    String name = description.getName();
    Class<?> primitive = primitive(name);
    if (primitive != null) {
      return primitive;
    }
    check(name);
    return Class.forName(name, false, loader);
  }

  private void check(String name) {
    String refusal = filter.refusal(name);
    if (refusal != null) {
      throw new CodecException(refusal);
    }
  }

  private static Class<?> primitive(String name) {
    switch (name) {
      case "boolean":
        return boolean.class;
      case "byte":
        return byte.class;
      case "char":
        return char.class;
      case "short":
        return short.class;
      case "int":
        return int.class;
      case "long":
        return long.class;
      case "float":
        return float.class;
      case "double":
        return double.class;
      case "void":
        return void.class;
      default:
        return null;
    }
  }

  @Override
  protected Class<?> resolveProxyClass(String[] names) throws ClassNotFoundException {
    ClassLoader definer = loader;
    Class<?>[] interfaces = new Class<?>[names.length];
    for (int i = 0; i < names.length; i++) {
      check(names[i]);
      interfaces[i] = Class.forName(names[i], false, loader);
      if (!Modifier.isPublic(interfaces[i].getModifiers())) {
        definer = interfaces[i].getClassLoader();
      }
    }
    try {
      return Proxy.getProxyClass(definer, interfaces);
    } catch (IllegalArgumentException notTogether) {
      throw new ClassNotFoundException("a dynamic proxy cannot be made again", notTogether);
    }
  }
}
