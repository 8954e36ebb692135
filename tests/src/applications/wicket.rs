//! A user of the Wicket shop: clicks a link that counts, adds to the basket, and goes back to an earlier window.

use super::Site;
use crate::http::Request;

/// From the first page to the last.
pub fn script(site: &mut Site<'_>) {
    site.get("/wicket/");
    site.check(
        "sees the page",
        site.datum("page") == "shop" && site.datum("clicks") == "0",
    );
    click(site);
    click(site);
    site.check("two clicks are counted", site.datum("clicks") == "2");
    let first_window = link(site);
    site.get("/wicket/");
    site.check("a second window has its own count", site.datum("clicks") == "0");
    click(site);
    site.check("the second window counts", site.datum("clicks") == "1");
    add(site, "mask");
    site.check("the basket holds one", site.datum("basket") == "mask");
    site.check("is told once what was added", site.text().contains("added mask"));
    let form = target(site, "action=\"");
    site.send(&Request::form(&form, &[("item", "lamp")]));

    // Between the change and the page that shows it.
    site.misfortune();

    site.follow();
    site.check("is told what was added last", site.text().contains("added lamp"));
    site.check("the basket holds both", site.datum("basket") == "mask,lamp");
    site.check("the window knows its clicks", site.datum("clicks") == "1");
    click(site);
    site.check("the window goes on counting", site.datum("clicks") == "2");
    site.check(
        "is not told twice",
        site.status() == 200 && !site.text().contains("added"),
    );
    site.get(&first_window);
    site.check("the first window goes on counting", site.datum("clicks") == "3");
    site.check(
        "both windows share the basket",
        site.datum("basket") == "mask,lamp",
    );
    add(site, "fins");
    site.check("the basket holds three", site.datum("basket") == "mask,lamp,fins");
}

fn click(site: &mut Site<'_>) {
    let link = link(site);
    site.get(&link);
}

fn add(site: &mut Site<'_>, item: &str) {
    let form = target(site, "action=\"");
    site.post(&form, &[("item", item)]);
}

fn link(site: &Site<'_>) -> String {
    target(site, "href=\"")
}

/// Where the page's only link or form goes.
fn target(site: &Site<'_>, before: &str) -> String {
    let relative = site.between(before, "\"").replace("&amp;", "&");
    format!("/wicket/{}", relative.trim_start_matches("./"))
}
