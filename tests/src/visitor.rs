//! A user of the demo shop: logs in, fills the cart, looks at the page.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::http::{Answer, Browser, Request};

/// What the shop page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopPage {
    /// Who is signed in.
    pub user: String,
    /// The cart as `item:count,item:count`, in the order of the first adding.
    pub cart: String,
    /// Age of the session in seconds.
    pub age: u64,
    /// Which Tomcat answered.
    pub node: String,
    /// How long the answer took, redirects not counted.
    pub took: Duration,
}

/// A user.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The user's browser.
    pub browser: Browser,
}

impl Visitor {
    /// Somebody without cookies.
    pub fn new(origin: SocketAddr) -> Self {
        Self {
            browser: Browser::new(origin),
        }
    }

    /// Opens the shop, signs in by the form, and ends on the shop page.
    ///
    /// # Errors
    /// When any step is not as a browser expects it.
    pub fn sign_in(&mut self, user: &str, password: &str) -> Result<ShopPage> {
        let entrance = self.browser.get("/shop/")?;
        ensure!(
            page_of(&entrance) == Some("login"),
            "expected the login page, got {}",
            told(&entrance)
        );
        let form = [("j_username", user), ("j_password", password)];
        let answer = self
            .browser
            .follow(&Request::form("/shop/j_security_check", &form))?;
        page(&answer)
    }

    /// Looks at the shop page.
    ///
    /// # Errors
    /// When it is not the shop page: an error, or the login page.
    pub fn look(&mut self) -> Result<ShopPage> {
        page(&self.browser.get("/shop/")?)
    }

    /// Puts one more of `item` into the cart and lands on the shop page.
    ///
    /// # Errors
    /// When that does not end on the shop page.
    pub fn add(&mut self, item: &str) -> Result<ShopPage> {
        page(
            &self
                .browser
                .follow(&Request::form("/shop/cart.jsp", &[("do", "add"), ("item", item)]))?,
        )
    }

    /// Signs out; true if the login page follows.
    ///
    /// # Errors
    /// When no answer came.
    pub fn sign_out(&mut self) -> Result<bool> {
        let answer = self.browser.follow(&Request::form("/shop/logout.jsp", &[]))?;
        Ok(page_of(&answer) == Some("login"))
    }

    /// Whether the shop asks for a login.
    ///
    /// # Errors
    /// When no answer came, or one that is neither shop nor login page.
    pub fn is_signed_out(&mut self) -> Result<bool> {
        let answer = self.browser.get("/shop/")?;
        match page_of(&answer) {
            Some("login") => Ok(true),
            Some("shop") => Ok(false),
            _ => bail!("expected the shop or its login page, got {}", told(&answer)),
        }
    }

    /// The session cookie's value.
    ///
    /// # Errors
    /// When there is none.
    pub fn session_id(&self) -> Result<&str> {
        self.browser
            .cookie("JSESSIONID")
            .context("the visitor has no session cookie")
    }
}

/// Reads the shop page.
///
/// # Errors
/// When it is not the shop page.
pub fn page(answer: &Answer) -> Result<ShopPage> {
    if page_of(answer) != Some("shop") {
        bail!("expected the shop page, got {}", told(answer));
    }
    let text = answer.text();
    let fact = |name: &str| {
        datum(&text, name)
            .map(str::to_owned)
            .with_context(|| format!("no {name} on the page"))
    };
    let age = fact("age")?.parse().context("an age in seconds")?;
    Ok(ShopPage {
        user: fact("user")?,
        cart: fact("cart")?,
        age,
        node: fact("node")?,
        took: answer.took,
    })
}

fn page_of(answer: &Answer) -> Option<&'static str> {
    let text = answer.text();
    match datum(&text, "page") {
        Some("shop") if answer.status == 200 => Some("shop"),
        Some("login") if answer.status == 200 => Some("login"),
        _ => None,
    }
}

/// Value of the attribute `data-NAME`.
fn datum<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("data-{name}=\""))?;
    rest.split('"').next()
}

/// An answer in one sentence.
pub fn told(answer: &Answer) -> String {
    let text = answer.text();
    let kind = datum(&text, "page").map_or_else(String::new, |page| format!(" with the {page} page"));
    let start: String = text.chars().take(300).collect();
    format!(
        "{}{kind}, fields {:?}, body starting {start:?}",
        answer.status, answer.fields
    )
}
