//! The kinds of attribute values by their tags (FORMAT.md, "Attribute values"), for people. Pure.
//!
//! Left out on purpose: values. Whoever shows them reads them.

/// The bit of a type tag that says that the value hears when its session ends.
pub const HEARS_ITS_END: u32 = 1 << 31;

/// Java's names of the types by tag, from 0.
const NAMES: [&str; 35] = [
    "null",
    "String",
    "String",
    "Boolean",
    "Byte",
    "Short",
    "Character",
    "Integer",
    "Long",
    "Float",
    "Double",
    "BigInteger",
    "BigDecimal",
    "UUID",
    "Date",
    "Instant",
    "LocalDate",
    "LocalTime",
    "LocalDateTime",
    "OffsetDateTime",
    "ZonedDateTime",
    "Duration",
    "Period",
    "Locale",
    "byte[]",
    "enum",
    "String[]",
    "ArrayList",
    "LinkedList",
    "HashSet",
    "LinkedHashSet",
    "TreeSet",
    "HashMap",
    "LinkedHashMap",
    "TreeMap",
];

/// The tag of a Java serialization stream.
pub const JAVA: u32 = 100;

/// The tag of an encrypted value.
pub const SEALED: u32 = 101;

/// What kind of value a tag means, in words.
pub fn kind(tag: u32) -> String {
    let tag = tag & !HEARS_ITS_END;
    let name = usize::try_from(tag).ok().and_then(|tag| NAMES.get(tag));
    match (name, tag) {
        (Some(name), _) => (*name).to_owned(),
        (None, JAVA) => "Java object".to_owned(),
        (None, SEALED) => "encrypted".to_owned(),
        (None, tag) => format!("unknown type {tag}"),
    }
}
