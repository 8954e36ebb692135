//! What clients send is neither a secret told nor a line forged.

use super::*;

#[test]
fn session_ids_never_appear() {
    let cases: [(&[u8], &str); 15] = [
        (b"/shop;jsessionid=SECRET.n1", "/shop;jsessionid=..."),
        (
            b"/shop;jsessionid=SECRET;a=b/x?y=1",
            "/shop;jsessionid=...;a=b/x?y=1",
        ),
        (b"/shop;jsessionid=SECRET/x", "/shop;jsessionid=.../x"),
        (b"/shop?a=b&JSessionID=SECRET&c=d", "/shop?a=b&JSessionID=...&c=d"),
        (b"/shop?SID=SECRET=more", "/shop?SID=..."),
        (b"/shop?a=b=jsessionid=SECRET", "/shop?a=b=jsessionid=..."),
        (b"/shop?sid=&sid=SECRET", "/shop?sid=...&sid=..."),
        // An encoded link that an application wrote, in a parameter, once and again.
        (
            b"/cas/login?service=https%3A%2F%2Fshop%2Fcart%3Bjsessionid%3DSECRET.n1",
            "/cas/login?service=https%3A%2F%2Fshop%2Fcart%3Bjsessionid%3D...",
        ),
        (
            b"/login?to=%2fcart%3bJSESSIONID%3dSECRET%3fa%3db&c=d",
            "/login?to=%2fcart%3bJSESSIONID%3d...%3fa%3db&c=d",
        ),
        (
            b"/login?to=%252Fcart%253Bjsessionid%253DSECRET%2526c%253Dd",
            "/login?to=%252Fcart%253Bjsessionid%253D...%2526c%253Dd",
        ),
        (
            b"/login?to=%25252Fcart%25253Bjsessionid%25253DSECRET%252523%25253Bsid%25253DSECRET",
            "/login?to=%25252Fcart%25253Bjsessionid%25253D...%252523%25253Bsid%25253D...",
        ),
        (
            b"/login?to=cart;jsessionid%3DSECRET%21%2",
            "/login?to=cart;jsessionid%3D...",
        ),
        (
            b"/login?%3Dother%3DSECRET%2Fx%3D1%3",
            "/login?%3Dother%3D...%2Fx%3D1%3",
        ),
        (b"/jsessionid%/x%253", "/jsessionid%/x%253"),
        (b"/jsessionid?%3", "/jsessionid?%3"),
    ];
    for (target, shown) in cases {
        let referer = [b"https://shop".as_slice(), target].concat();
        let entry = Entry {
            host: target,
            target,
            referer: Some(&referer),
            agent: Some(target),
            parameters: &["other".into(), "SID".into()],
            ..entry()
        };
        let line = text(&entry);
        assert!(line.contains(&format!("\"GET {shown} HTTP/1.1\"")), "{line}");
        assert!(
            line.contains(&format!("\"https://shop{shown}\" \"{shown}\"")),
            "{line}"
        );
        assert!(!line.contains("SECRET"), "{line}");
        let object = parsed(&entry);
        assert_eq!(object["target"], shown);
        assert_eq!(object["referer"], format!("https://shop{shown}"));
        assert!(!object.to_string().contains("SECRET"), "{object}");
    }
}

#[test]
fn nothing_from_outside_can_forge_a_line() {
    let line = text(&Entry {
        host: b"a b",
        target: b"/\"\r\n\x1b[2J\\",
        agent: Some(&[0xff, b'"']),
        ..entry()
    });
    assert_eq!(line.lines().count(), 1);
    assert!(
        line.contains(r#""GET /\x22\x0d\x0a\x1b[2J\x5c HTTP/1.1""#),
        "{line}"
    );
    assert!(line.contains(r#""\xff\x22" host=a\x20b peer="#), "{line}");
}

/// Every byte, alone, and beside what could make a character or a session parameter of it.
#[test]
fn every_byte_in_every_text_of_a_client_gives_one_object() {
    for byte in 0..=u8::MAX {
        for (before, after) in [
            (&b""[..], &b""[..]),
            (b"a=", b"\xa9&"),
            (b"a%", b"D"),
            (b"\xe2\x80", b"\""),
            (b"\xf0\x9f", b"\x80\x80"),
        ] {
            let bytes = [before, &[byte], after].concat();
            let object = parsed(&Entry {
                host: &bytes,
                method: &bytes,
                target: &bytes,
                referer: Some(&bytes),
                agent: Some(&bytes),
                ..entry()
            });
            for name in ["method", "target", "referer", "agent", "host"] {
                let told = object[name].as_str().unwrap();
                if byte == b'@' && matches!(name, "target" | "referer") {
                    // What stands before it in a URL is hidden.
                    assert!(told.contains('@'), "{name}: {told}");
                } else if let Ok(text) = std::str::from_utf8(&bytes) {
                    assert_eq!(told, text, "{name}");
                } else {
                    assert!(told.contains("\\x"), "{name}: {told}");
                }
            }
            let line = json(&Entry {
                agent: Some(&bytes),
                ..entry()
            });
            let body = line.trim_end_matches('\n');
            assert!(!body.contains(|found: char| found.is_control()), "{line:?}");
        }
    }
}

/// Characters that turn the direction of what follows, join, or are not seen.
#[test]
fn no_character_without_a_shape_of_its_own_reaches_a_terminal() {
    let unseen = [
        '\u{7f}',
        '\u{9b}',
        '\u{ad}',
        '\u{61c}',
        '\u{180e}',
        '\u{200b}',
        '\u{200f}',
        '\u{2028}',
        '\u{202a}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{feff}',
        '\u{fff9}',
        '\u{e0001}',
        '\u{e007f}',
    ];
    for character in unseen {
        let agent = format!("é{character}😀");
        let entry = Entry {
            agent: Some(agent.as_bytes()),
            ..entry()
        };
        let line = json(&entry);
        assert!(!line.contains(character), "{line:?}");
        assert!(line.contains('é') && line.contains('😀'), "{line}");
        assert_eq!(parsed(&entry)["agent"], agent);
        assert!(text(&entry).is_ascii());
    }
}

#[test]
fn what_a_user_is_known_by_in_a_url_is_hidden() {
    let cases: [(&[u8], &str); 7] = [
        (b"http://ada:SECRET@shop/x@y?a=b@c", "http://...@shop/x@y?a=b@c"),
        (
            b"HTTPS://SECRET@shop;jsessionid=SECRET",
            "HTTPS://...@shop;jsessionid=...",
        ),
        (b"http://ada:SECRET@SECRET@shop?a", "http://...@shop?a"),
        (b"ada:SECRET@shop:443", "...@shop:443"),
        (b"a;jsessionid=SECRET://ada@shop/", "a;jsessionid=...//...@shop/"),
        (b"http://shop/x@y", "http://shop/x@y"),
        (b"/x@y://a@b", "/x@y://a@b"),
    ];
    for (url, shown) in cases {
        let entry = Entry {
            target: url,
            referer: Some(url),
            ..entry()
        };
        let line = text(&entry);
        assert!(line.contains(&format!("\"GET {shown} HTTP/1.1\"")), "{line}");
        assert!(line.contains(&format!(" \"{shown}\" ")), "{line}");
        let object = parsed(&entry);
        assert_eq!(
            (&object["target"], &object["referer"]),
            (&shown.into(), &shown.into())
        );
    }
}
