//! A user of the Spring shop: mistypes the password, signs in, fills the cart, orders over three pages, signs out.

use super::Site;
use crate::http::Request;

/// From the first page to the last.
pub fn script(site: &mut Site<'_>) {
    sign_in(site);

    put(site, "mask");
    site.check("is told once what was added", site.datum("note") == "added mask");
    site.get("/spring/cart");
    site.check(
        "is not told twice",
        site.datum("user") == "ada" && site.datum("note").is_empty(),
    );
    let pages = site.datum("pages").parse().unwrap_or(0_u32);
    site.check(
        "every page is counted by a bean that is not Serializable",
        pages == 3,
    );
    let old_token = site.hidden("_csrf");

    site.get("/spring/order");
    fill_in(site, "name", "Ada");
    site.check("the order knows the name", site.datum("name") == "Ada");
    let street = (site.hidden("_csrf"), "street", "Ockham 1");
    let added = [("item", "lamp"), ("_csrf", old_token.as_str())];
    site.send(&Request::form("/spring/cart", &added));

    // Between the change and the page that shows it, with an order half filled in.
    site.misfortune();

    site.follow();
    site.check("is told what was added last", site.datum("note") == "added lamp");
    site.check("is still signed in", site.datum("user") == "ada");
    site.check("the cart holds both", site.datum("items") == "mask,lamp");
    let counted = site.datum("pages").parse().unwrap_or(0);
    site.check("pages are counted on", counted == pages + 1);
    site.post(
        "/spring/order/street",
        &[(street.1, street.2), ("_csrf", &street.0)],
    );
    let order = |site: &Site<'_>| (site.datum("name"), site.datum("street"));
    let whole = ("Ada".to_owned(), "Ockham 1".to_owned());
    site.check("the order knows name and street", order(site) == whole);
    let token = site.hidden("_csrf");
    site.post("/spring/order/send", &[("_csrf", &token)]);
    site.check(
        "the order is sent whole",
        site.datum("page") == "sent" && order(site) == whole,
    );
    site.post("/spring/order/name", &[("name", "Eve"), ("_csrf", &token)]);
    site.check("an order that was sent is over", site.datum("page") != "order");

    site.post("/spring/cart", &[("item", "shark"), ("_csrf", &old_token)]);
    site.check(
        "a form from before still works",
        site.datum("items") == "mask,lamp,shark",
    );
    site.post("/spring/cart", &[("item", "shark")]);
    site.check("a form without a token is refused", site.status() == 403);
    site.get("/spring/audit");
    site.check("may not see what administrators see", site.status() == 403);
    site.get("/spring/cart");
    site.check("the cart is as it was", site.datum("items") == "mask,lamp,shark");
    let token = site.hidden("_csrf");
    site.post("/spring/logout", &[("_csrf", &token)]);
    site.check("sees the login page after leaving", site.datum("page") == "login");
    site.get("/spring/cart");
    site.check("is asked to sign in again", site.datum("page") == "login");
}

fn sign_in(site: &mut Site<'_>) {
    site.get("/spring/cart?from=link");
    site.check("is asked to sign in", site.datum("page") == "login");
    give(site, "loveless");
    site.check(
        "is told why she may not enter",
        site.datum("why") == "Bad credentials",
    );
    give(site, "lovelace");
    site.check("is signed in as ada", site.datum("user") == "ada");
    site.check(
        "lands on the page that she asked for",
        site.path().contains("from=link"),
    );
}

fn give(site: &mut Site<'_>, password: &str) {
    let token = site.hidden("_csrf");
    let form = [("username", "ada"), ("password", password), ("_csrf", &token)];
    site.post("/spring/login", &form);
}

fn put(site: &mut Site<'_>, item: &str) {
    let token = site.hidden("_csrf");
    site.post("/spring/cart", &[("item", item), ("_csrf", &token)]);
}

fn fill_in(site: &mut Site<'_>, field: &str, value: &str) {
    let token = site.hidden("_csrf");
    site.post(
        &format!("/spring/order/{field}"),
        &[(field, value), ("_csrf", &token)],
    );
}
