package remora.tomcat.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.catalina.realm.GenericPrincipal;
import org.junit.jupiter.api.Test;

/** Stored bytes are not trusted. */
class HostileBytesTest {

  private final AttributeCodec codec = AttributeCodecTest.codec(null);

  @Test
  void randomBytesOfEveryTypeNeverThrow() {
    Random random = new Random(20261124);
    for (int type = 0; type <= Tag.JAVA + 1; type++) {
      for (int round = 0; round < 2_000; round++) {
        byte[] bytes = new byte[random.nextInt(40)];
        random.nextBytes(bytes);
        assertNotNull(codec.decode(type, bytes));
      }
    }
  }

  @Test
  void damagedValuesNeverThrow() {
    Random random = new Random(20261124);
    List<Object> values = new ArrayList<>(AttributeCodecTest.typedValues());
    values.add(new AttributeCodecTest.Item("tea", 1));
    values.add(new ArrayList<>(values.subList(0, 20)));
    for (Object value : values) {
      Encoded encoded = codec.encode(value);
      for (int round = 0; round < 2_000 && encoded.bytes().length > 0; round++) {
        byte[] bytes = encoded.bytes().clone();
        bytes[random.nextInt(bytes.length)] ^= (byte) (1 + random.nextInt(255));
        assertNotNull(codec.decode(encoded.type(), bytes));
        int cut = random.nextInt(bytes.length);
        assertNotNull(codec.decode(encoded.type(), Arrays.copyOf(bytes, cut)));
      }
    }
  }

  @Test
  void endlessNestingIsRefused() {
    byte[] lists = new byte[1_000_000];
    for (int i = 0; i < lists.length; i += 2) {
      lists[i] = 1;
      lists[i + 1] = Tag.ARRAY_LIST;
    }
    Undecodable refused = assertInstanceOf(Undecodable.class, codec.decode(Tag.ARRAY_LIST, lists));
    assertTrue(refused.cause().getMessage().contains("nests deeper"), refused.cause().getMessage());
  }

  @Test
  void arraysLongerThanTheirBytesAreRefusedBeforeTheyAreMade() {
    byte[] honest = codec.encode(new long[3]).bytes();
    byte[] hostile = honest.clone();
    int lengthAt = hostile.length - 3 * Long.BYTES - Integer.BYTES;
    assertEquals(3, hostile[lengthAt + 3]);
    hostile[lengthAt] = 0x40;
    Undecodable refused = assertInstanceOf(Undecodable.class, codec.decode(Tag.JAVA, hostile));
    assertTrue(
        refused.cause().getMessage().contains("beyond the limits"), refused.cause().getMessage());
  }

  /** What somebody else's program could put into the store. */
  static byte[] plain(Object value) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream output = new ObjectOutputStream(bytes)) {
      output.writeObject(value);
    }
    return bytes.toByteArray();
  }

  @Test
  void gadgetsAreNeverLoadedEvenIfAWideAllowListMatchesThem() throws IOException {
    Object gadget = new javax.management.BadAttributeValueExpException("x");
    byte[] bytes = plain(gadget);
    for (AttributeCodec reader : Arrays.asList(codec, AttributeCodecTest.codec(".*"))) {
      Undecodable refused = assertInstanceOf(Undecodable.class, reader.decode(Tag.JAVA, bytes));
      String sentence = refused.cause().getMessage();
      assertTrue(sentence.contains("known to run foreign code"), sentence);
      UnstorableException unwritten =
          assertThrows(UnstorableException.class, () -> reader.encode(gadget));
      assertEquals(sentence, unwritten.getMessage());
    }
    AttributeCodec named =
        AttributeCodecTest.codec(
            "java\\..*|\\[L.*|javax\\.management\\.BadAttributeValueExpException");
    assertEquals(gadget.getClass(), named.decode(Tag.JAVA, bytes).getClass());
    assertEquals(Tag.JAVA, named.encode(gadget).type());
  }

  @Test
  void aPasswordThatAnotherProgramStoredIsNotReadEither() throws IOException {
    byte[] bytes =
        plain(new GenericPrincipal("mary", "secret", Collections.singletonList("member")));
    for (String allowed : Arrays.asList(null, ".*", ".*GenericPrincipal.*|.*")) {
      Object decoded = AttributeCodecTest.codec(allowed).decode(Tag.JAVA, bytes);
      Undecodable refused = assertInstanceOf(Undecodable.class, decoded);
      assertSame(bytes, refused.bytes());
      assertTrue(refused.cause().getMessage().contains("password"), refused.cause().getMessage());
    }
  }

  @Test
  void classesOffTheAllowListDoNotRunAnything() {
    Encoded encoded = codec.encode(new Trap());
    Trap.sprung = false;
    AttributeCodec strict = AttributeCodecTest.codec("com\\.acme\\..*");
    Undecodable refused =
        assertInstanceOf(Undecodable.class, strict.decode(encoded.type(), encoded.bytes()));
    assertTrue(refused.cause().getMessage().contains("allow list"), refused.cause().getMessage());
    assertFalse(Trap.sprung, "the class ran code although it is not allowed");

    codec.decode(encoded.type(), encoded.bytes());
    assertTrue(Trap.sprung, "the trap must work for this test to mean anything");
  }

  @Test
  void theAllowListCoversArraysEnumsAndTheInterfacesOfProxies() {
    AttributeCodec strict = AttributeCodecTest.codec("com\\.acme\\..*");
    Object proxy =
        Proxy.newProxyInstance(
            getClass().getClassLoader(), new Class<?>[] {Runnable.class}, new Quiet());
    Set<Object> others = new HashSet<>();
    others.add(TimeUnit.DAYS);
    others.add(proxy);
    others.add(new AttributeCodecTest.Item[0]);
    for (Object value : others) {
      Encoded encoded = codec.encode(value);
      assertInstanceOf(Undecodable.class, strict.decode(encoded.type(), encoded.bytes()));
      assertFalse(codec.decode(encoded.type(), encoded.bytes()) instanceof Undecodable);
    }
    AttributeCodec handlerOnly =
        AttributeCodecTest.codec(Quiet.class.getName().replace("$", "\\$"));
    Encoded encoded = codec.encode(proxy);
    Undecodable refused =
        assertInstanceOf(Undecodable.class, handlerOnly.decode(encoded.type(), encoded.bytes()));
    assertTrue(refused.cause().getMessage().contains("java.lang.Runnable"));
    AttributeCodec both =
        AttributeCodecTest.codec("java\\.lang\\.(Runnable|reflect\\.Proxy)|remora\\..*");
    assertInstanceOf(Runnable.class, both.decode(encoded.type(), encoded.bytes()));
  }

  @Test
  void primitiveArraysNeedNoPermission() {
    AttributeCodec strict = AttributeCodecTest.codec("com\\.acme\\..*");
    Encoded encoded = codec.encode(new int[][] {{1}, {2}});
    assertInstanceOf(int[][].class, strict.decode(encoded.type(), encoded.bytes()));
  }

  /** Runs code while it is read, as gadgets do. */
  static final class Trap implements Serializable {
    private static final long serialVersionUID = 1L;
    static boolean sprung;

    private void readObject(ObjectInputStream input) throws IOException, ClassNotFoundException {
      input.defaultReadObject();
      sprung = true;
    }
  }

  /** Does nothing. */
  static final class Quiet implements InvocationHandler, Serializable {
    private static final long serialVersionUID = 1L;

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) {
      if (method.getName().equals("hashCode")) {
        return System.identityHashCode(proxy);
      }
      return method.getName().equals("equals") ? proxy == arguments[0] : null;
    }
  }
}
