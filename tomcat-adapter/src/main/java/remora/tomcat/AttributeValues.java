package remora.tomcat;

/** Attribute values to bytes and back, for the class loader of one application. Thread-safe. */
interface AttributeValues {

  /**
   * Encodes a live value.
   *
   * @param name the attribute, for messages
   * @param value its value, not null
   * @return the bytes
   * @throws SaveFailedException with a sentence that names the attribute and its class if it cannot
   *     be serialized
   */
  EncodedValue encode(String name, Object value);

  /**
   * Decodes a value.
   *
   * @param name the attribute, for messages
   * @param encoded the bytes
   * @return the value, or null if this application cannot decode it; logged once
   */
  Object decode(String name, EncodedValue encoded);

  /**
   * The fingerprint that a value has when it is encoded again unchanged. Java serialization does
   * not write the same bytes again after a round trip: the capacity of a map differs, for example.
   *
   * @param name the attribute, for messages
   * @param encoded what the value was decoded from
   * @param value the value, not changed since
   * @return that of the bytes that the next comparison would make
   */
  EncodedValue.Fingerprint fingerprintAgain(String name, EncodedValue encoded, Object value);

  /**
   * Whether a value may change without {@code setAttribute}.
   *
   * @param value a live value
   * @return false only for types known to be immutable
   */
  boolean isMutable(Object value);
}
