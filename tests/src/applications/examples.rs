//! A user of the examples that come with Tomcat: signs in by the container's form, guesses, shops, and leaves.

use super::Site;

const PROTECTED: &str = "/examples/jsp/security/protected/";
const DATA: &str = "/examples/servlets/servlet/SessionExample";

/// From the first page to the last.
pub fn script(site: &mut Site<'_>) {
    site.get(&format!("{PROTECTED}index.jsp?role=tomcat"));
    site.check("is asked to sign in", site.text().contains("j_username"));
    let form = [("j_username", "ada"), ("j_password", "lovelace")];
    site.post(&format!("{PROTECTED}j_security_check"), &form);
    site.check("is signed in as ada", remote_user(site) == "ada");
    site.check(
        "lands on the page that she asked for",
        site.path().contains("role=tomcat"),
    );
    site.get(&format!("{PROTECTED}index.jsp?dataName=color&dataValue=blue"));
    site.check(
        "the protected page keeps a value",
        site.text().contains("<td>blue</td>"),
    );

    site.get("/examples/jsp/num/numguess.jsp");
    guess(site, "0");
    guess(site, "101");
    site.check("two guesses are counted", guesses(site) == "2");
    site.get("/examples/jsp/sessions/carts.jsp?itemId=1&submit=add");
    site.get("/examples/jsp/sessions/carts.jsp?itemId=2&submit=add");
    site.check("the cart holds two", in_cart(site) == 2);
    colors(site);
    colors(site);
    site.check(
        "two attempts at colors, whose bean is not Serializable",
        attempts(site) == "2",
    );
    site.get(&format!("{DATA}?dataname=name&datavalue=Ada"));
    site.check("a value is kept", site.text().contains("name = Ada"));

    site.misfortune();

    guess(site, "102");
    site.check("the third guess is the third", guesses(site) == "3");
    site.get("/examples/jsp/sessions/carts.jsp?itemId=3&submit=add");
    site.check("the cart holds three", in_cart(site) == 3);
    site.get("/examples/jsp/sessions/carts.jsp?itemId=1&submit=remove");
    site.check("one is taken out again", in_cart(site) == 2);
    site.get(DATA);
    site.check("the value is still there", site.text().contains("name = Ada"));
    site.get(&format!("{DATA}?dataname=name"));
    site.get(DATA);
    site.check(
        "the value is gone when deleted",
        site.status() == 200 && !site.text().contains("name ="),
    );
    colors(site);
    site.check("the page of colors works", site.text().contains("Total attempts"));
    site.check("the third attempt is the third", attempts(site) == "3");
    site.get(&format!("{PROTECTED}index.jsp?role=tomcat"));
    site.check("is still signed in", remote_user(site) == "ada");
    site.check(
        "still has her role",
        site.text().contains("You have been granted role"),
    );
    site.check(
        "the protected page's value is still there",
        site.text().contains("<td>blue</td>"),
    );
    site.get(&format!("{PROTECTED}index.jsp?logoff=true"));
    site.check(
        "is asked to sign in after leaving",
        site.text().contains("j_username"),
    );
    site.get(DATA);
    site.check(
        "nothing is left of the session",
        site.status() == 200 && !site.text().contains("color ="),
    );
}

fn remote_user(site: &Site<'_>) -> String {
    site.between("remote user", "</b>")
        .replace("<b>", "")
        .trim()
        .to_owned()
}

fn guess(site: &mut Site<'_>, number: &str) {
    site.get(&format!("/examples/jsp/num/numguess.jsp?guess={number}"));
}

fn guesses(site: &Site<'_>) -> String {
    site.between("You have made", "guesses")
}

fn in_cart(site: &Site<'_>) -> usize {
    site.text().matches("<li>").count()
}

fn colors(site: &mut Site<'_>) {
    let form = [("color1", "green"), ("color2", "blue"), ("action", "Submit")];
    site.post("/examples/jsp/colors/colrs.jsp", &form);
}

fn attempts(site: &Site<'_>) -> String {
    site.between("Total attempts so far:", "<")
}
