//! Pages of an owner's own, in place of the sentence that the proxy gives where no upstream answers.
//!
//! Invariants: a page is text of at most [`PAGE_BYTES`] · of what stands in it only the request's name changes, and that is
//! escaped as the page's form asks: a trusted peer may have given it.
//!
//! Left out on purpose: any other placeholder, and a choice by what the client accepts. Whoever asks for JSON gets the page
//! that is there.

use std::sync::Arc;

/// The largest page, in bytes: enough for a page with its style and a small picture in it, and little where every request
/// of a site gets it.
pub const PAGE_BYTES: usize = 64 * 1024;

/// What stands for the request's name.
const PLACEHOLDER: &str = "{request-id}";

/// What a page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageForm {
    /// For browsers.
    Html,
    /// For people without one.
    Text,
    /// For programs.
    Json,
}

impl PageForm {
    /// All of them.
    pub const ALL: [PageForm; 3] = [PageForm::Html, PageForm::Text, PageForm::Json];

    /// The word in files and on the wire, which is also how a file's name ends.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PageForm::Html => "html",
            PageForm::Text => "txt",
            PageForm::Json => "json",
        }
    }

    /// The form of this word.
    #[must_use]
    pub fn named(word: &str) -> Option<PageForm> {
        Self::ALL.into_iter().find(|form| form.as_str() == word)
    }

    /// What clients are told.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            PageForm::Html => "text/html; charset=utf-8",
            PageForm::Text => "text/plain; charset=utf-8",
            PageForm::Json => "application/json; charset=utf-8",
        }
    }

    fn escaped(self, text: &str) -> String {
        let mut escaped = String::with_capacity(text.len());
        for letter in text.chars() {
            match (self, letter) {
                (PageForm::Html, '&') => escaped += "&amp;",
                (PageForm::Html, '<') => escaped += "&lt;",
                (PageForm::Html, '>') => escaped += "&gt;",
                (PageForm::Html, '"') => escaped += "&quot;",
                (PageForm::Html, '\'') => escaped += "&#39;",
                (PageForm::Json, '"' | '\\') => escaped.extend(['\\', letter]),
                // No name has one; a page must not break if one had.
                (_, letter) if letter.is_control() => escaped.push('?'),
                (_, letter) => escaped.push(letter),
            }
        }
        escaped
    }
}

/// A page, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    form: PageForm,
    text: Arc<str>,
}

impl Page {
    /// A page of this text.
    ///
    /// # Errors
    /// A sentence: it is too large, or no text.
    pub fn new(form: PageForm, bytes: Vec<u8>) -> Result<Page, String> {
        if bytes.len() > PAGE_BYTES {
            return Err(format!("is larger than {PAGE_BYTES} bytes"));
        }
        let text = String::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())?;
        Ok(Page {
            form,
            text: text.into(),
        })
    }

    /// What it is written in.
    #[must_use]
    pub fn form(&self) -> PageForm {
        self.form
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As the client of this request gets it.
    #[must_use]
    pub fn filled(&self, request_id: &str) -> String {
        self.text.replace(PLACEHOLDER, &self.form.escaped(request_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(form: PageForm, name: &str) -> String {
        let page = Page::new(form, b"a {request-id} b {other} {request-id}".to_vec());
        page.unwrap().filled(name)
    }

    #[test]
    fn the_name_of_the_request_is_escaped_as_the_page_asks() {
        let name = "<\"7'&\\>\n";
        let html = "&lt;&quot;7&#39;&amp;\\&gt;?";
        assert_eq!(
            filled(PageForm::Html, name),
            format!("a {html} b {{other}} {html}")
        );
        let json = "<\\\"7'&\\\\>?";
        assert_eq!(
            filled(PageForm::Json, name),
            format!("a {json} b {{other}} {json}")
        );
        assert_eq!(
            filled(PageForm::Text, "7f<"),
            "a 7f< b {other} 7f<",
            "plain text has nothing to escape"
        );
    }

    #[test]
    fn a_page_is_text_and_not_too_large() {
        assert!(Page::new(PageForm::Html, vec![b'x'; PAGE_BYTES]).is_ok());
        assert!(Page::new(PageForm::Html, vec![b'x'; PAGE_BYTES + 1]).is_err());
        assert!(Page::new(PageForm::Text, vec![0xff]).is_err());
        for form in PageForm::ALL {
            assert_eq!(PageForm::named(form.as_str()), Some(form));
        }
    }
}
