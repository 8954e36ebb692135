//! Takes the entry that a fault points at out of a parsed document, so that the next fault can be found.

use std::ops::Range;

use toml::de::{DeArray, DeTable, DeValue};

/// Removes the innermost entry whose key or value is exactly `span`, else the innermost whose value contains it.
/// Gives the dotted path of what was removed, without places in lists, or nothing when only the whole document matches.
pub(super) fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    remove_from_table(table, span, false).or_else(|| remove_from_table(table, span, true))
}

fn remove_from_table<'i>(table: &mut DeTable<'i>, span: &Range<usize>, within: bool) -> Option<String> {
    let mut kept = DeTable::new();
    let mut removed = None;
    for (key, mut value) in std::mem::replace(table, DeTable::new()) {
        if removed.is_none() {
            let name = key.get_ref();
            if let Some(inner) = remove_inside(value.get_mut(), span, within) {
                removed = Some(if inner.is_empty() {
                    name.to_string()
                } else {
                    format!("{name}.{inner}")
                });
            } else if key.span() == *span || matches(&value.span(), span, within) {
                removed = Some(name.to_string());
                continue;
            }
        }
        kept.insert(key, value);
    }
    *table = kept;
    removed
}

fn remove_from_items<'i>(items: &mut DeArray<'i>, span: &Range<usize>, within: bool) -> Option<String> {
    let mut kept = DeArray::new();
    let mut removed = None;
    for mut item in std::mem::replace(items, DeArray::new()) {
        if removed.is_none() {
            if let Some(inner) = remove_inside(item.get_mut(), span, within) {
                removed = Some(inner);
            } else if matches(&item.span(), span, within) {
                removed = Some(String::new());
                continue;
            }
        }
        kept.push(item);
    }
    *items = kept;
    removed
}

fn remove_inside(value: &mut DeValue<'_>, span: &Range<usize>, within: bool) -> Option<String> {
    match value {
        DeValue::Table(inner) => remove_from_table(inner, span, within),
        DeValue::Array(inner) => remove_from_items(inner, span, within),
        _ => None,
    }
}

fn matches(own: &Range<usize>, span: &Range<usize>, within: bool) -> bool {
    if within {
        own.start <= span.start && span.end <= own.end
    } else {
        own == span
    }
}
