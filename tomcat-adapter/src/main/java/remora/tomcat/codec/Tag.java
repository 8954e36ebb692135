package remora.tomcat.codec;

/** Type tags as FORMAT.md lists them. Never changed, never reused. */
final class Tag {

  static final int NULL = 0;
  static final int STRING = 1;
  static final int STRING_UTF16 = 2;
  static final int BOOLEAN = 3;
  static final int BYTE = 4;
  static final int SHORT = 5;
  static final int CHARACTER = 6;
  static final int INTEGER = 7;
  static final int LONG = 8;
  static final int FLOAT = 9;
  static final int DOUBLE = 10;
  static final int BIG_INTEGER = 11;
  static final int BIG_DECIMAL = 12;
  static final int UUID = 13;
  static final int DATE = 14;
  static final int INSTANT = 15;
  static final int LOCAL_DATE = 16;
  static final int LOCAL_TIME = 17;
  static final int LOCAL_DATE_TIME = 18;
  static final int OFFSET_DATE_TIME = 19;
  static final int ZONED_DATE_TIME = 20;
  static final int DURATION = 21;
  static final int PERIOD = 22;
  static final int LOCALE = 23;
  static final int BYTES = 24;
  static final int ENUM = 25;
  static final int STRINGS = 26;
  static final int ARRAY_LIST = 27;
  static final int LINKED_LIST = 28;
  static final int HASH_SET = 29;
  static final int LINKED_HASH_SET = 30;
  static final int TREE_SET = 31;
  static final int HASH_MAP = 32;
  static final int LINKED_HASH_MAP = 33;
  static final int TREE_MAP = 34;
  static final int JAVA = 100;

  private Tag() {}
}
