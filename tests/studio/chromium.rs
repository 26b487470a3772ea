//! A real browser, by its own protocol: <https://chromedevtools.github.io/devtools-protocol/>.
//!
//! In: what a person would do. Out: what they would see. Messages go through a pipe (`--remote-debugging-pipe`), each
//! ended by a zero byte, so no port is open and no client is needed. Everything waits within a bound.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(40);

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    answers: Receiver<Value>,
    session: String,
    last: u64,
    _profile: TempDir,
}

/// The browser, if it is there.
pub(crate) fn found() -> Option<Browser> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let program = std::env::split_paths(&paths)
        .flat_map(|folder| ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name)))
        .find(|path| path.is_file());
    match program {
        Some(program) => Some(Browser::start(&program)),
        None => {
            skip("no Chromium is installed");
            None
        }
    }
}

/// Says that a test is skipped, unless the parts are required.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("LAFORGE_REQUIRE_PARTS").is_none(), "a browser is required here: {why}");
    let _ = std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes());
}

impl Browser {
    fn start(program: &Path) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The shell lays the pipe's ends where the browser looks for them: 3 and 4.
        let line = "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null";
        let mut child = Command::new("sh")
            .args(["-c", line])
            .arg(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--remote-debugging-pipe",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--hide-scrollbars",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tell, answers) = mpsc::channel();
        thread::spawn(move || {
            let messages = BufReader::new(output).split(0);
            for message in messages.map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { continue };
                if tell.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self { child, input, answers, session: String::new(), last: 0, _profile: profile };
        let target = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        browser.session =
            browser.ask("Target.attachToTarget", attach)["sessionId"].as_str().unwrap().to_owned();
        browser.ask("Page.enable", json!({}));
        browser.size(1280, 900);
        browser
    }

    /// One request and its answer.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        self.input.write_all(format!("{message}\0").as_bytes()).unwrap();
        let began = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(began.elapsed());
            let answer = self.answers.recv_timeout(left).unwrap_or_else(|_| panic!("no answer to {method}"));
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    pub(crate) fn size(&mut self, width: u64, height: u64) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// What the system prefers.
    pub(crate) fn prefers(&mut self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]);
        self.ask("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Without the page's script: everything has to work all the same.
    pub(crate) fn without_script(&mut self) {
        self.ask("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    }

    /// Whether the next pages are bound to their CSP: `axe` is injected past it.
    pub(crate) fn go(&mut self, url: &str) {
        self.ask("Page.navigate", json!({"url": url}));
        self.loaded();
    }

    /// Until the page is there.
    pub(crate) fn loaded(&mut self) {
        thread::sleep(Duration::from_millis(150));
        self.until("document.readyState === 'complete'");
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        self.ask("Runtime.evaluate", params)["result"]["value"].clone()
    }

    /// Until an expression is true.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        let began = Instant::now();
        while self.value(expression) != true {
            if began.elapsed() > PATIENCE {
                let text = self.value("document.body.innerText");
                panic!("`{expression}` never holds at {}: {text}", self.value("location.href"));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    #[track_caller]
    pub(crate) fn sees(&mut self, text: &str) {
        let quoted = Value::from(text);
        self.until(&format!("document.body.innerText.includes({quoted})"));
    }

    /// Clicks the middle of what a selector finds, as a mouse does.
    #[track_caller]
    pub(crate) fn click(&mut self, selector: &str) {
        let quoted = Value::from(selector);
        let place = self.value(&format!(
            "(() => {{ const node = document.querySelector({quoted}); if (!node) return null; node.scrollIntoView({{block: 'center'}}); const box = node.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        assert!(place.is_array(), "nothing is `{selector}` at {}", self.value("location.href"));
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", event);
        }
        self.loaded();
    }

    /// Types into what has the focus.
    pub(crate) fn types(&mut self, text: &str) {
        self.ask("Input.insertText", json!({"text": text}));
    }

    /// Presses a key by its name.
    pub(crate) fn key(&mut self, key: &str) {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            " " => ("Space", 32, " "),
            "Escape" => ("Escape", 27, ""),
            other => ("", u32::from(other.chars().next().unwrap().to_ascii_uppercase()), other),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number});
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    /// A picture of the whole page in `target/studio-screenshots`.
    pub(crate) fn picture(&mut self, name: &str) {
        let taken =
            self.ask("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true}));
        let bytes = decoded(taken["data"].as_str().unwrap());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/studio-screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// What `axe` finds that is serious or worse, each with its first place; nothing where `axe` is not there.
    pub(crate) fn axe(&mut self) -> Vec<String> {
        let Some(axe) = axe_file() else { return Vec::new() };
        let text = std::fs::read_to_string(axe).unwrap();
        self.value(&text);
        let run = "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.filter(one => ['serious', 'critical'].includes(one.impact)).map(one => `${one.id}: ${one.nodes.length}x ${one.nodes[0].html} ${one.nodes[0].failureSummary}`))";
        let found = self.value(run);
        found
            .as_array()
            .unwrap_or_else(|| panic!("axe did not run: {found}"))
            .iter()
            .map(|it| it.as_str().unwrap().to_owned())
            .collect()
    }
}

/// Where `tests/studio/parts` laid it.
fn axe_file() -> Option<PathBuf> {
    let parts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/studio/parts");
    let output = Command::new(parts).arg("--where").output().unwrap();
    let file = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim()).join("axe.min.js");
    if file.is_file() {
        return Some(file);
    }
    skip("axe is not there (tests/studio/parts)");
    None
}

fn decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.input.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        thread::sleep(Duration::from_millis(300));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
