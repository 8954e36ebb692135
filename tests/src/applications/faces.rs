//! A user of the Faces shop: opens the page in two windows, sends its form several times, and goes on to a fresh page.

use super::Site;
use crate::http::Request;

const PAGE: &str = "/faces/index.xhtml";
const VIEW_STATE: &str = "jakarta.faces.ViewState";

/// From the first page to the last.
pub fn script(site: &mut Site<'_>) {
    site.get(PAGE);
    site.check(
        "sees the page",
        site.datum("page") == "shop" && site.datum("sent") == "0",
    );
    send(site, "mask");
    site.check("the basket holds one", site.datum("basket") == "mask");
    site.check("the view counts its form", site.datum("sent") == "1");
    send(site, "lamp");
    let first_window = site.hidden(VIEW_STATE);
    site.check("the view goes on counting", site.datum("sent") == "2");
    site.get(PAGE);
    site.check("a second window has its own count", site.datum("sent") == "0");
    site.check(
        "both windows share the basket",
        site.datum("basket") == "mask,lamp",
    );
    send(site, "fins");
    let second_window = site.hidden(VIEW_STATE);

    site.misfortune();

    submit(site, &first_window, "shark", "send");
    site.check("the first window's count is three", site.datum("sent") == "3");
    site.check(
        "the basket holds all four",
        site.datum("basket") == "mask,lamp,fins,shark",
    );
    submit(site, &second_window, "knife", "send");
    site.check("the second window's count is two", site.datum("sent") == "2");
    let view = site.hidden(VIEW_STATE);
    site.send(&Request::form(PAGE, &form(&view, "", "finish")));
    site.check("is sent to a fresh page", site.status() == 302);
    site.follow();
    site.check(
        "a word outlives the redirect",
        site.text().contains("finished after 2"),
    );
    site.check("the fresh page counts from nothing", site.datum("sent") == "0");
    site.check(
        "the basket is as it was",
        site.datum("basket") == "mask,lamp,fins,shark,knife",
    );
    site.get(PAGE);
    site.check(
        "the word is said once",
        site.status() == 200 && !site.text().contains("finished"),
    );
}

fn send(site: &mut Site<'_>, item: &str) {
    let view = site.hidden(VIEW_STATE);
    submit(site, &view, item, "send");
}

fn submit(site: &mut Site<'_>, view: &str, item: &str, button: &str) {
    site.post(PAGE, &form(view, item, button));
}

fn form<'a>(view: &'a str, item: &'a str, button: &'a str) -> [(&'a str, &'a str); 4] {
    let button = if button == "send" {
        "shop:send"
    } else {
        "shop:finish"
    };
    [
        ("shop", "shop"),
        ("shop:item", item),
        (button, "x"),
        (VIEW_STATE, view),
    ]
}
