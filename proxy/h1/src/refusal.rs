//! Every reason for which bytes are no message that we take.
//!
//! A refusal has one word for figures and logs, one status for the client that sent it, and one sentence for people. An
//! upstream's message is refused for the same reasons; its client gets a 502, whatever the status here.

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer to a request.
    pub status: u16,
    /// One word, for figures and logs.
    pub reason: &'static str,
    /// One sentence for whoever sent it.
    pub sentence: &'static str,
}

macro_rules! refusals {
    ( $( $name:ident = $status:literal, $reason:literal, $sentence:literal; )+ ) => {
        $(
            #[doc = $sentence]
            pub(crate) const $name: Refusal =
                Refusal { status: $status, reason: $reason, sentence: $sentence };
        )+

        impl Refusal {
            /// All there are.
            pub const ALL: &'static [Self] = &[$( $name ),+];
        }
    };
}

refusals! {
    BARE_LF = 400, "bare-lf", "A line must end with CR and LF.";
    CONTROL = 400, "control-byte", "A head must not contain control characters.";
    REQUEST_LINE = 400, "request-line", "The first line is not that of a request.";
    STATUS_LINE = 400, "status-line", "The first line is not that of a response.";
    VERSION = 505, "version", "The only versions served are HTTP/1.0 and HTTP/1.1.";
    FIELD_NAME = 400, "field-name", "The name of a field is not a word, or does not end with a colon.";
    FOLD = 400, "folded-field", "A field must not go on in the next line.";
    HEAD_TOO_LARGE = 431, "head-too-large", "The head is too large.";
    FIELDS_TOO_MANY = 431, "fields-too-many", "There are too many fields.";
    TARGET_TOO_LONG = 414, "target-too-long", "The address is too long.";
    METHOD = 405, "method", "This method is not served.";
    FRAGMENT = 400, "fragment", "The address must not contain a fragment (#).";
    TARGET = 400, "target", "The address must be a path or a complete address.";
    AUTHORITY = 400, "authority", "The address names another host than Host does.";
    HOST_MISSING = 400, "host-missing", "A request needs a Host, but for those of HTTP/1.0.";
    HOST_TWICE = 400, "host-twice", "A request has exactly one Host.";
    HOST_EMPTY = 400, "host-empty", "The Host must not be empty.";
    HOST = 400, "host", "The Host is not a name or address with an optional port.";
    LENGTH = 400, "content-length", "Content-Length must be one number.";
    LENGTH_AND_ENCODING = 400, "length-and-encoding", "Content-Length and Transfer-Encoding exclude each other.";
    ENCODING = 501, "transfer-encoding", "The only transfer encoding served is chunked.";
    ENCODING_OF_OLD = 400, "encoding-of-old", "HTTP/1.0 knows no transfer encoding.";
    EXPECTATION = 417, "expectation", "The only expectation served is 100-continue.";
    CHUNK = 400, "chunk", "The body of the request is framed wrongly.";
    TRAILERS = 400, "trailers", "The fields behind the body are too many or too large.";
    SWITCHED = 400, "unasked-upgrade", "The other side changed the protocol unasked.";
    INFORMATIONAL = 400, "informational-heads", "Too many informational heads came before an answer.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_has_its_own_word() {
        let words: BTreeSet<_> = Refusal::ALL.iter().map(|refusal| refusal.reason).collect();
        assert_eq!(words.len(), Refusal::ALL.len());
    }
}
