//! A registry in this process: `std` alone, on loopback, and as wicked as a test asks it to be.
//!
//! It serves what was pushed to it by digest, tag and referrer. A script looks at each request first
//! and may answer in its place; every request is remembered.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::Digest as _;

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A request, as far as tests ask about it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub authorization: Option<String>,
    pub body: String,
}

/// What is answered.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub manner: Manner,
}

/// How an answer is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As it should be.
    Whole,
    /// A byte now and then, for ever.
    Dripping,
    /// Without an end.
    Endless,
    /// Fewer bytes than were announced.
    Short,
    /// Not at all: the connection ends.
    HangUp,
    /// Not at all, and the connection stays.
    Silent,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), manner: Manner::Whole }
    }

    pub fn bytes(media_type: &str, body: &[u8]) -> Self {
        let headers = vec![("Content-Type", media_type.to_owned())];
        Self { status: 200, headers, body: body.to_vec(), manner: Manner::Whole }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn given(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }
}

/// Looks at a request, and at how many of the same target came before it.
type Script = Box<dyn Fn(&Asked, usize) -> Option<Reply> + Send + Sync>;

#[derive(Default)]
struct Content {
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    blobs: BTreeMap<String, Vec<u8>>,
    /// None: it keeps no lists of referrers.
    referrers: Option<BTreeMap<String, Vec<Value>>>,
    asked: Vec<Asked>,
}

/// The registry; it ends with the test.
pub struct Registry {
    address: SocketAddr,
    content: Arc<Mutex<Content>>,
    script: Arc<Mutex<Option<Script>>>,
    over: Arc<AtomicBool>,
}

pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes)))
}

impl Registry {
    /// One that keeps lists of referrers.
    pub fn start() -> Self {
        let registry = Self::without_lists();
        registry.content.lock().unwrap().referrers = Some(BTreeMap::new());
        registry
    }

    /// One that knows nothing of referrers: the tags stand in.
    pub fn without_lists() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let registry =
            Self { address, content: Arc::default(), script: Arc::default(), over: Arc::default() };
        let (content, script, over) =
            (registry.content.clone(), registry.script.clone(), registry.over.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (content, script, over) = (content.clone(), script.clone(), over.clone());
                // A client that hangs up in the middle is none of a test's business.
                thread::spawn(move || serve(stream, &content, &script, &over).ok());
            }
        });
        registry
    }

    pub fn host(&self) -> String {
        self.address.to_string()
    }

    pub fn repository(&self) -> String {
        format!("{}/acme/payments", self.address)
    }

    pub fn script(&self, script: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Some(Box::new(script));
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.content.lock().unwrap().asked.clone()
    }

    /// How many requests had this in their target.
    pub fn asked_for(&self, part: &str) -> usize {
        self.asked().iter().filter(|asked| asked.target.contains(part)).count()
    }

    pub fn blob(&self, bytes: &[u8]) -> Value {
        let digest = digest(bytes);
        self.content.lock().unwrap().blobs.insert(digest.clone(), bytes.to_vec());
        json!({"mediaType": "application/octet-stream", "digest": digest, "size": bytes.len()})
    }

    /// Pushes a document by digest and gives its descriptor.
    pub fn push(&self, media_type: &str, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        let digest = digest(&bytes);
        let size = bytes.len();
        self.tag_bytes(&digest, media_type, bytes);
        json!({"mediaType": media_type, "digest": digest, "size": size})
    }

    pub fn tag(&self, tag: &str, media_type: &str, document: &Value) {
        self.tag_bytes(tag, media_type, document.to_string().into_bytes());
    }

    fn tag_bytes(&self, reference: &str, media_type: &str, bytes: Vec<u8>) {
        let entry = (media_type.to_owned(), bytes);
        self.content.lock().unwrap().manifests.insert(reference.to_owned(), entry);
    }

    pub fn manifest(&self, reference: &str) -> Vec<u8> {
        self.content.lock().unwrap().manifests[reference].1.clone()
    }

    pub fn remove(&self, digest: &str) {
        let mut content = self.content.lock().unwrap();
        content.manifests.remove(digest);
        content.blobs.remove(digest);
    }

    /// An image of one layer.
    pub fn image(&self, text: &str) -> Value {
        let (config, layer) = (self.blob(b"{}"), self.blob(text.as_bytes()));
        self.push(
            MANIFEST,
            &json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}),
        )
    }

    pub fn index(&self, manifests: &[Value]) -> Value {
        self.push(INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))
    }

    /// A manifest with one layer of evidence.
    pub fn evidence(&self, media_type: &str, bytes: &[u8], subject: &Value) -> Value {
        let mut layer = self.blob(bytes);
        layer["mediaType"] = media_type.into();
        let config = self.blob(b"{}");
        let document = json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": media_type,
            "config": config, "layers": [layer], "subject": subject});
        let mut descriptor = self.push(MANIFEST, &document);
        descriptor["artifactType"] = media_type.into();
        descriptor
    }

    /// Attaches a bundle as cosign 3 and GitHub do.
    pub fn attach(&self, bundle: &[u8], subject: &Value) -> Value {
        let descriptor = self.evidence(BUNDLE, bundle, subject);
        self.refer(subject, descriptor.clone());
        descriptor
    }

    /// Lists one more referrer; in the tag that stands in, where there are no lists.
    pub fn refer(&self, subject: &Value, descriptor: Value) {
        let digest = subject["digest"].as_str().unwrap().to_owned();
        let mut content = self.content.lock().unwrap();
        match &mut content.referrers {
            Some(lists) => lists.entry(digest).or_default().push(descriptor),
            None => {
                let tag = digest.replace(':', "-");
                let known = content.manifests.get(&tag).map(|(_, bytes)| bytes.clone());
                let mut index: Value = known.map_or_else(
                    || json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}),
                    |bytes| serde_json::from_slice(&bytes).unwrap(),
                );
                index["manifests"].as_array_mut().unwrap().push(descriptor);
                content.manifests.insert(tag, (INDEX.to_owned(), index.to_string().into_bytes()));
            }
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener up, to see that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    stream: TcpStream,
    content: &Mutex<Content>,
    script: &Mutex<Option<Script>>,
    over: &AtomicBool,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(asked) = request(&mut reader)? {
        let before = {
            let mut content = content.lock().unwrap();
            let before = content.asked.iter().filter(|one| one.target == asked.target).count();
            content.asked.push(asked.clone());
            before
        };
        let scripted = script.lock().unwrap().as_ref().and_then(|script| script(&asked, before));
        let reply = scripted.unwrap_or_else(|| content.lock().unwrap().reply(&asked.target));
        if !answer(&stream, &reply, over)? {
            return Ok(());
        }
    }
    Ok(())
}

fn request(reader: &mut impl BufRead) -> std::io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut authorization, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Asked { method, target, authorization, body: String::from_utf8_lossy(&body).into_owned() }))
}

impl Content {
    fn reply(&self, target: &str) -> Reply {
        let path = target.split('?').next().unwrap();
        let last = path.rsplit('/').next().unwrap();
        if path.contains("/manifests/") {
            return self
                .manifests
                .get(last)
                .map_or(Reply::status(404), |(of, bytes)| Reply::bytes(of, bytes));
        }
        if path.contains("/blobs/") {
            let found = self.blobs.get(last);
            return found.map_or(Reply::status(404), |bytes| Reply::bytes("application/octet-stream", bytes));
        }
        match &self.referrers {
            Some(lists) if path.contains("/referrers/") => {
                let listed = lists.get(last).cloned().unwrap_or_default();
                let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed});
                Reply::bytes(INDEX, index.to_string().as_bytes())
            }
            _ => Reply::status(404),
        }
    }
}

/// Gives an answer; whether another may follow on the same connection.
fn answer(mut stream: &TcpStream, reply: &Reply, over: &AtomicBool) -> std::io::Result<bool> {
    let patience = Duration::from_millis(50);
    if reply.manner == Manner::HangUp {
        return Ok(false);
    }
    if reply.manner == Manner::Silent {
        while !over.load(Ordering::Relaxed) {
            thread::sleep(patience);
        }
        return Ok(false);
    }
    let mut head = format!("HTTP/1.1 {} X\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &match reply.manner {
        Manner::Whole => format!("Content-Length: {}\r\n\r\n", reply.body.len()),
        Manner::Short => format!("Content-Length: {}\r\n\r\n", reply.body.len() + 7),
        _ => "Connection: close\r\n\r\n".to_owned(),
    };
    // At once: in pieces, each would wait for the other side's delayed word that it has the one before.
    stream.write_all(&[head.as_bytes(), &reply.body].concat())?;
    while reply.manner == Manner::Endless && !over.load(Ordering::Relaxed) {
        stream.write_all(&[b' '; 64 * 1024])?;
    }
    while reply.manner == Manner::Dripping && !over.load(Ordering::Relaxed) {
        stream.write_all(b" ")?;
        stream.flush()?;
        thread::sleep(patience);
    }
    stream.flush()?;
    Ok(reply.manner == Manner::Whole)
}
