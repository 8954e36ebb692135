//! What httpd guards stays shut: by each directive that keeps somebody out, wherever it stands.
//!
//! Broken once to see it fail: each word of `guards::closes` taken out (eleven texts close nothing); a `<Proxy>` shuts nothing; a
//! rule with `[F]` taken for a rewriting one, its condition on the path, or that it is for all, not asked.

use super::*;

#[test]
fn whatever_keeps_somebody_out_closes_and_what_lets_all_in_does_not() {
    let mut wrong = Vec::new();
    for (text, closing) in [
        ("Require valid-user", 1),
        ("Require ip 10.0.0.0/8", 1),
        ("Require all granted", 0),
        ("Allow from 10.0.0.0/8", 1),
        ("Allow from all", 0),
        ("Order allow,deny", 1),
        ("Order Allow, Deny\nAllow from all", 0),
        ("Order mutual-failure", 1),
        ("Order deny,allow", 0),
        ("Deny from all", 1),
        ("Deny from none", 0),
        ("AuthType Basic", 1),
        ("AuthType None", 0),
        ("SSLVerifyClient require", 1),
        ("SSLVerifyClient optional", 0),
        ("SSLRequire %{SSL_CIPHER_USEKEYSIZE} >= 128", 1),
        ("SSLRequireSSL", 1),
        ("<LimitExcept GET>\nRequire valid-user\n</LimitExcept>", 1),
        ("<RequireAny>\nRequire all granted\n</RequireAny>", 0),
        ("<Location /a>\nRequire valid-user\n</Location>", 0),
    ] {
        let source = Source::new("a", &format!("<Location />\n{text}\n</Location>"));
        let read = tree::read(&source, &mut Report::default(), &mut Vec::new());
        if guards::closing(&read[0]).len() != closing {
            wrong.push(text);
        }
    }
    assert_eq!(wrong, Vec::<&str>::new());
}

/// The routes that come of a file, each with the paths that it leaves.
fn routes(text: &str) -> String {
    let sources = Sources::new(
        vec![Source::new("a", text)],
        |_: &str, _: &str| Err(String::new()),
    );
    let routes = httpd(&sources).site.routes;
    let shown = |route: &crate::Route| format!("{}-{}", route.path, route.except.join("-"));
    routes.iter().map(shown).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_guarded_proxy_section_shuts_what_it_is_about_and_nothing_else() {
    let (a, b) = (
        "BalancerMember http://192.0.2.1:1\n",
        "BalancerMember http://192.0.2.1:2\n",
    );
    let passes = "ProxyPass /a balancer://a/a\nProxyPass /b balancer://b/b\n";
    let site = |guard_of_a: &str, guard_of_all: &str| {
        routes(&format!(
            "<Proxy balancer://a>\n{a}{guard_of_a}\n</Proxy>\n<Proxy balancer://b>\n{b}</Proxy>\n<Proxy \
             *>\n{guard_of_all}\n</Proxy>\n{passes}"
        ))
    };
    assert_eq!(site("", ""), "/a- /b-");
    assert_eq!(site("Require ip 10.0.0.0/8", ""), "/b-");
    assert_eq!(site("", "Require ip 10.0.0.0/8"), "");
}

#[test]
fn what_the_main_server_guards_is_closed_on_its_hosts_too() {
    let text = "<Location /shop/admin>\nDeny from all\n</Location>\n<VirtualHost *:80>\nProxyPass /shop \
                http://192.0.2.1:1/shop\n</VirtualHost>\n";
    assert_eq!(routes(text), "/shop-/shop/admin");
}

#[test]
fn a_rule_that_refuses_closes_what_it_asks_for() {
    for (rules, expected) in [
        ("RewriteRule ^/shop/admin - [F]", "/shop-/shop/admin"),
        ("RewriteRule ^/shop/admin(/.*)?$ - [L,G]", "/shop-/shop/admin"),
        ("RewriteRule ^/shop/admin/ - [R=403,L]", "/shop-/shop/admin"),
        (
            "RewriteCond %{REQUEST_URI} ^/shop/admin\nRewriteRule .* - [F]",
            "/shop-/shop/admin",
        ),
        ("RewriteRule ^ - [F]", ""),
        ("RewriteRule ^/shop/admin /shop/login [R=302]", "/shop-"),
    ] {
        let text = format!("RewriteEngine On\n{rules}\nProxyPass /shop http://192.0.2.1:1/shop\n");
        assert_eq!(routes(&text), expected, "{rules}");
    }
}
