//! The fields that the codec and the proxy's shell ask for, as values: found once, while a head is read, in place of a
//! comparison at each question.

/// A field with a meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Known {
    /// `Connection`.
    Connection,
    /// `Content-Length`.
    ContentLength,
    /// `Cookie`.
    Cookie,
    /// `Expect`.
    Expect,
    /// `Host`.
    Host,
    /// `Referer`.
    Referer,
    /// `TE`.
    Te,
    /// `Trailer`.
    Trailer,
    /// `Transfer-Encoding`.
    TransferEncoding,
    /// `Upgrade`.
    Upgrade,
    /// `User-Agent`.
    UserAgent,
}

impl Known {
    /// What a name means, whatever its case.
    #[must_use]
    pub fn of(name: &[u8]) -> Option<Self> {
        let (known, written): (Self, &[u8]) = match name.len() {
            2 => (Self::Te, b"te"),
            4 => (Self::Host, b"host"),
            6 if name[0] | 0x20 == b'c' => (Self::Cookie, b"cookie"),
            6 => (Self::Expect, b"expect"),
            7 if name[0] | 0x20 == b'u' => (Self::Upgrade, b"upgrade"),
            7 if name[0] | 0x20 == b'r' => (Self::Referer, b"referer"),
            7 => (Self::Trailer, b"trailer"),
            10 if name[0] | 0x20 == b'u' => (Self::UserAgent, b"user-agent"),
            10 => (Self::Connection, b"connection"),
            14 => (Self::ContentLength, b"content-length"),
            17 => (Self::TransferEncoding, b"transfer-encoding"),
            _ => return None,
        };
        name.eq_ignore_ascii_case(written).then_some(known)
    }

    /// One bit of a set.
    pub(crate) fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_whatever_their_case() {
        for (name, known) in [
            ("Connection", Known::Connection),
            ("content-length", Known::ContentLength),
            ("COOKIE", Known::Cookie),
            ("Expect", Known::Expect),
            ("hOST", Known::Host),
            ("Referer", Known::Referer),
            ("TE", Known::Te),
            ("Trailer", Known::Trailer),
            ("Transfer-Encoding", Known::TransferEncoding),
            ("Upgrade", Known::Upgrade),
            ("User-Agent", Known::UserAgent),
        ] {
            assert_eq!(Known::of(name.as_bytes()), Some(known));
        }
        for other in ["", "x", "Hosts", "Cookie2", "Ranges", "Warning"] {
            assert_eq!(Known::of(other.as_bytes()), None, "{other}");
        }
    }
}
