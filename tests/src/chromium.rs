//! A real browser: Chromium, driven as people drive it, by its WebDriver.
//!
//! It trusts the authority of a world as a user's machine would, by the database in its home directory; so what it takes for
//! secure has passed its own checks of chain, name and dates. The few commands that claims need are plain HTTP with JSON,
//! which the harness has; a library for all of WebDriver would bring three dozen crates for them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::http::{Browser, Request};
use crate::place::free_port;
use crate::process::Process;
use crate::stores::loopback;
use crate::wait::{SOON, START, wait_for, wait_until};

/// How Debian's packages call them.
const DRIVER: &str = "chromedriver";
const BROWSER: &str = "/usr/bin/chromium";

/// No window; no sandbox, which root and containers do not have, for pages of our own; no use of a shared memory that
/// containers keep small; and the wire to the driver is a pipe, so that neither outlives the other.
const FLAGS: [&str; 5] = [
    "--headless",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
    "--window-size=900,600",
];

/// Under which name WebDriver's answers hold an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// An open browser window.
#[derive(Debug)]
pub struct Chromium {
    driver: Process,
    address: SocketAddr,
    /// The path of every command.
    session: String,
}

impl Chromium {
    /// Opens one with a home in `directory`, which trusts that authority.
    ///
    /// # Errors
    /// When it is not installed, or does not open in time.
    pub fn open(directory: &Path, authority: &Path) -> Result<Self> {
        trust(&directory.join("home"), authority)?;
        Self::open_in_clear(directory)
    }

    /// Opens one with a home in `directory`, for pages in clear.
    ///
    /// # Errors
    /// When it is not installed, or does not open in time.
    pub fn open_in_clear(directory: &Path) -> Result<Self> {
        let home = directory.join("home");
        std::fs::create_dir_all(&home)?;
        let port = free_port()?;
        let log = directory.join("chromedriver.log");
        let driver = Process::start("chromedriver", Path::new(DRIVER), &log, |command| {
            command.arg(format!("--port={port}"));
            command.env("HOME", &home).env("TMPDIR", directory);
        })?;
        let mut chromium = Self {
            driver,
            address: loopback(port),
            session: String::new(),
        };
        let ready = || chromium.call("GET", "/status", &Value::Null).is_ok();
        wait_until("chromedriver answers", START, ready).with_context(|| chromium.driver.tail())?;
        let options = json!({ "binary": BROWSER, "args": FLAGS });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let opened = chromium.call("POST", "/session", &wanted)?;
        let id = opened["sessionId"].as_str().context("a session has an id")?;
        chromium.session = format!("/session/{id}");
        Ok(chromium)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let body = (!body.is_null()).then(|| body.to_string().into_bytes());
        let request = Request {
            method: method.to_owned(),
            body,
            ..Request::get(&format!("{}{path}", self.session))
        };
        // It keeps connections open, whatever it is asked.
        let answer = Browser::new(self.address).send_kept(&request, &mut None)?;
        let text = answer.text();
        ensure!(answer.status == 200, "{method} {path}: {text}");
        Ok(serde_json::from_str::<Value>(&text)?["value"].take())
    }

    /// Goes to an address, and waits until the page there is loaded.
    ///
    /// # Errors
    /// When there is no page.
    pub fn go(&self, url: &str) -> Result<()> {
        self.call("POST", "/url", &json!({ "url": url }))?;
        Ok(())
    }

    /// The address of the page.
    ///
    /// # Errors
    /// When the browser does not say.
    pub fn url(&self) -> Result<String> {
        let url = self.call("GET", "/url", &Value::Null)?;
        Ok(url.as_str().context("an address")?.to_owned())
    }

    /// What a script on the page returns.
    ///
    /// # Errors
    /// When it fails.
    pub fn run(&self, script: &str) -> Result<Value> {
        self.call("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What a script on the page hands to the function that is its last argument.
    ///
    /// # Errors
    /// When it fails, or does not do so within WebDriver's limit.
    pub fn run_later(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        let what = json!({ "script": script, "args": arguments });
        self.call("POST", "/execute/async", &what)
    }

    /// Waits until a script on the page returns true.
    ///
    /// # Errors
    /// When it does not in time, with what the page shows.
    pub fn wait(&self, what: &str, script: &str) -> Result<()> {
        let met = || self.run(script).is_ok_and(|met| met == true);
        wait_until(what, SOON, met).map(drop).with_context(|| {
            let shown = self.run("return location.href + ' ' + document.body.innerText");
            shown.map_or_else(
                |error| error.to_string(),
                |shown| format!("the page shows {shown}"),
            )
        })
    }

    /// Makes the page so wide and high, as a screen of that size would, and says which colours the system wants: "dark" or
    /// "light".
    ///
    /// # Errors
    /// When the browser does not take it.
    pub fn screen(&self, (width, height): (u32, u32), scheme: &str) -> Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", &size)?;
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.tell("Emulation.setEmulatedMedia", &json!({ "features": features }))
    }

    /// Chromium's own protocol, which WebDriver passes on.
    fn tell(&self, command: &str, parameters: &Value) -> Result<()> {
        let what = json!({ "cmd": command, "params": parameters });
        self.call("POST", "/goog/cdp/execute", &what)?;
        Ok(())
    }

    /// Clicks on what the selector names.
    ///
    /// # Errors
    /// When that is not there.
    pub fn click(&self, selector: &str) -> Result<()> {
        let element = self.element(selector)?;
        self.call("POST", &format!("/element/{element}/click"), &json!({}))?;
        Ok(())
    }

    /// Types into what the selector names.
    ///
    /// # Errors
    /// When that is not there.
    pub fn write(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.element(selector)?;
        self.call(
            "POST",
            &format!("/element/{element}/value"),
            &json!({ "text": text }),
        )?;
        Ok(())
    }

    /// What the selector names, once it is on the page.
    fn element(&self, selector: &str) -> Result<String> {
        let what = json!({ "using": "css selector", "value": selector });
        wait_for(selector, SOON, || {
            let found = self.call("POST", "/element", &what).ok()?;
            found[ELEMENT].as_str().map(str::to_owned)
        })
    }

    /// The cookies that the page would send, as WebDriver describes them.
    ///
    /// # Errors
    /// When the browser does not say.
    pub fn cookies(&self) -> Result<Vec<Value>> {
        let cookies = self.call("GET", "/cookie", &Value::Null)?;
        Ok(cookies.as_array().context("a list of cookies")?.clone())
    }

    /// Writes a picture of the page.
    ///
    /// # Errors
    /// When there is none, or the file cannot be written.
    pub fn picture(&self, file: &Path) -> Result<()> {
        let picture = self.call("GET", "/screenshot", &Value::Null)?;
        let bytes = BASE64_STANDARD.decode(picture.as_str().context("a picture")?)?;
        std::fs::write(file, bytes).with_context(|| format!("write {}", file.display()))
    }

    /// Log tail.
    pub fn tail(&self) -> String {
        format!("--- chromedriver\n{}", self.driver.tail())
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // In order, so that its files are gone; else it ends with its driver.
        let _ = self.call("DELETE", "", &Value::Null);
    }
}

/// Makes a home whose user trusts that authority for sites.
fn trust(home: &Path, authority: &Path) -> Result<()> {
    let database: PathBuf = home.join(".pki/nssdb");
    std::fs::create_dir_all(&database)?;
    let database = format!("sql:{}", database.display());
    let authority = authority.display().to_string();
    let add = ["-A", "-n", "world", "-t", "C,,", "-i", &authority];
    for words in [&["-N", "--empty-password"][..], &add] {
        let output = Command::new("certutil")
            .args(["-d", &database])
            .args(words)
            .output();
        let output = output.context("certutil is missing: `tools/prerequisites` installs it")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "certutil {}: {said}", words.join(" "));
    }
    Ok(())
}
