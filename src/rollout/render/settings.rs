//! What manifests need and no plan names: `render:` of `laforge.yaml`, each member also a flag.
//!
//! In: the section, after flags have replaced what they name. Out: [`Settings`], every name one that
//! Kubernetes takes. Not checked here: whether namespace, gateway or Prometheus are there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::RenderError;

/// The longest name of an app: `-canary`, `-latency-budget-samples` and a slot are added to it.
const MAX_NAME: usize = 40;

/// `render:` of `laforge.yaml`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a mapping with `namespace` and `replicas`"
)]
pub struct RenderSection {
    /// The environment whose plans are rendered; default the executor's.
    pub environment: Option<String>,
    /// The target whose plans are rendered; default the executor's.
    pub target: Option<String>,
    /// The namespace of every object.
    pub namespace: Option<String>,
    /// The name of the app, of which all objects are named; default the release's.
    pub name: Option<String>,
    /// How many Pods are the full size.
    pub replicas: Option<u64>,
    /// The port at which a container serves and is probed; default 8080.
    pub port: Option<u64>,
    /// What is probed to restart a container; default nothing.
    pub liveness_path: Option<String>,
    /// The slot that is free for the candidate; default `green`.
    pub candidate_slot: Option<Slot>,
    /// The Prometheus that the engine asks: `http://host:port`.
    pub prometheus: Option<String>,
    /// The guard that Flagger asks: `http://host:port`.
    pub guard: Option<String>,
    /// The Gateway that routes attach to, as `namespace/name`.
    pub gateway: Option<String>,
    /// The hosts that are routed.
    #[serde(default)]
    pub hostnames: Vec<String>,
    /// What a container asks for and may take.
    #[serde(default)]
    pub resources: Resources,
}

/// What a container asks for and may take, each a quantity of Kubernetes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// What it asks for.
    #[serde(default)]
    pub requests: BTreeMap<String, String>,
    /// What it may take.
    #[serde(default)]
    pub limits: BTreeMap<String, String>,
}

/// One of two slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// The one.
    Blue,
    /// The other.
    Green,
}

impl Slot {
    /// Its name in labels and objects.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Green => "green",
        }
    }

    /// The other slot.
    pub fn other(self) -> Self {
        match self {
            Self::Blue => Self::Green,
            Self::Green => Self::Blue,
        }
    }
}

/// What becomes of the stable version's Deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StableSlot {
    /// It is left alone: it serves.
    Leave,
    /// It is rendered, too: nothing runs yet.
    Render,
}

/// A Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What manifests need, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The namespace.
    pub namespace: Option<String>,
    /// The app's name.
    pub name: Option<String>,
    /// The full size.
    pub replicas: Option<u64>,
    /// The container's port.
    pub port: u64,
    /// What is probed to restart a container.
    pub liveness_path: Option<String>,
    /// The slot of the candidate.
    pub candidate_slot: Slot,
    /// What becomes of the other one.
    pub stable: StableSlot,
    /// The Prometheus that the engine asks.
    pub prometheus: Option<String>,
    /// The guard that Flagger asks.
    pub guard: Option<String>,
    /// The Gateway.
    pub gateway: Option<Gateway>,
    /// The hosts.
    pub hostnames: Vec<String>,
    /// What a container asks for and may take.
    pub resources: Resources,
}

impl Settings {
    /// Checks each member by itself; what is missing is the engine's to say.
    ///
    /// # Errors
    /// [`RenderError::Invalid`] for the first that is not such a thing.
    pub fn of(section: &RenderSection, stable: StableSlot) -> Result<Self, RenderError> {
        let settings = Self {
            namespace: checked("namespace", section.namespace.as_ref(), LABEL, is_label)?,
            name: checked("name", section.name.as_ref(), APP, is_app)?,
            replicas: section.replicas,
            port: section.port.unwrap_or(8080),
            liveness_path: checked("livenessPath", section.liveness_path.as_ref(), "a path", is_path)?,
            candidate_slot: section.candidate_slot.unwrap_or(Slot::Green),
            stable,
            prometheus: checked("prometheus", section.prometheus.as_ref(), URL, is_url)?,
            guard: checked("guard", section.guard.as_ref(), URL, is_url)?.map(|url| without_slash(&url)),
            gateway: section.gateway.as_deref().map(gateway).transpose()?,
            hostnames: section.hostnames.clone(),
            resources: section.resources.clone(),
        };
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), RenderError> {
        if let Some(host) = self.hostnames.iter().find(|host| !is_host(host)) {
            return Err(invalid("hostnames", host, "a host name, lower case, perhaps beginning with `*.`"));
        }
        if !(1..=65_535).contains(&self.port) {
            return Err(invalid("port", &self.port.to_string(), "a port, 1 to 65535"));
        }
        if let Some(replicas) = self.replicas.filter(|replicas| !(1..=10_000).contains(replicas)) {
            return Err(invalid("replicas", &replicas.to_string(), "1 to 10000"));
        }
        let mut quantities = self.resources.requests.values().chain(self.resources.limits.values());
        if let Some(quantity) = quantities.find(|quantity| !is_quantity(quantity)) {
            return Err(invalid("resources", quantity, "a quantity such as `250m` or `256Mi`"));
        }
        Ok(())
    }
}

const LABEL: &str =
    "lower-case letters, digits and `-`, at most 63, beginning and ending with one of the former";
const APP: &str =
    "at most 40 lower-case letters, digits and `-`, beginning with a letter and ending with no `-`";
const URL: &str = "an address that begins with `http://` or `https://`";

fn invalid(member: &'static str, value: &str, expected: &'static str) -> RenderError {
    RenderError::Invalid { member, value: value.escape_debug().to_string(), expected }
}

fn checked(
    member: &'static str,
    value: Option<&String>,
    expected: &'static str,
    is_one: fn(&str) -> bool,
) -> Result<Option<String>, RenderError> {
    match value {
        Some(value) if !is_one(value) => Err(invalid(member, value, expected)),
        value => Ok(value.cloned()),
    }
}

fn gateway(text: &str) -> Result<Gateway, RenderError> {
    match text.split_once('/') {
        Some((namespace, name)) if is_label(namespace) && is_label(name) => {
            Ok(Gateway { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err(invalid("gateway", text, "a Gateway as `namespace/name`")),
    }
}

fn without_slash(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

/// A label of RFC 1123, as namespaces and most objects are named.
pub(super) fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A name that Services can be made of: RFC 1035, with room for what is added.
pub(super) fn is_app(text: &str) -> bool {
    is_label(text) && text.len() <= MAX_NAME && text.starts_with(|first: char| first.is_ascii_lowercase())
}

/// A value of a Kubernetes label that isn't empty.
pub(super) fn is_label_value(text: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.len() <= 63
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn is_host(text: &str) -> bool {
    let host = text.strip_prefix("*.").unwrap_or(text);
    host.len() <= 253 && host.split('.').all(is_label)
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_url(text: &str) -> bool {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}?#@".contains(&byte);
    host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && host.bytes().all(plain))
}

/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>, without exponents.
fn is_quantity(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = text.strip_suffix(unit).unwrap_or_default();
    let digits = number.split('.').all(|part| !part.is_empty()) && number.matches('.').count() <= 1;
    let known = ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    digits && known.contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut RenderSection)) -> String {
        let mut section = RenderSection::default();
        change(&mut section);
        Settings::of(&section, StableSlot::Leave).unwrap_err().to_string()
    }

    #[test]
    fn refuses_what_no_cluster_would_take_and_says_what_it_has_to_be() {
        let long = "a".repeat(41);
        let said = [
            refused(|section| section.namespace = Some("Prod".into())),
            refused(|section| section.name = Some("1app".into())),
            refused(|section| section.name = Some(long.clone())),
            refused(|section| section.port = Some(0)),
            refused(|section| section.port = Some(65_536)),
            refused(|section| section.replicas = Some(0)),
            refused(|section| section.liveness_path = Some("livez".into())),
            refused(|section| section.prometheus = Some("prometheus:9090".into())),
            refused(|section| section.guard = Some("http://".into())),
            refused(|section| section.gateway = Some("edge".into())),
            refused(|section| section.hostnames = vec!["app.example.com".into(), "App".into()]),
            refused(|section| drop(section.resources.limits.insert("memory".into(), "1.5.2Gi".into()))),
        ];
        let members = [
            "`namespace` is `Prod`",
            "`name` is `1app`",
            "`name` is `aaaa",
            "`port` is `0`",
            "`port` is `65536`",
            "`replicas` is `0`",
            "`livenessPath` is `livez`",
            "`prometheus` is `prometheus:9090`",
            "`guard` is `http://`",
            "`gateway` is `edge`",
            "`hostnames` is `App`",
            "`resources` is `1.5.2Gi`",
        ];
        for (said, member) in said.iter().zip(members) {
            assert!(said.starts_with(member) && said.contains(", and has to be "), "{member}: {said}");
        }
    }

    #[test]
    fn takes_what_kubernetes_takes() {
        for quantity in ["250m", "256Mi", "1", "0.5", "2G"] {
            assert!(is_quantity(quantity), "{quantity}");
        }
        for wrong in ["", "Mi", "1.", ".5", "1 Gi", "-1", "1mi", "1e3"] {
            assert!(!is_quantity(wrong), "{wrong}");
        }
        assert!(is_host("*.example.com") && is_host("a") && !is_host("a..b") && !is_host("*"));
        assert!(is_label_value("2.4.0") && !is_label_value("2.4.0+7") && !is_label_value(""));
        assert!(is_url("https://[::1]:9090/x") && !is_url("http:///x") && !is_url("http://a b"));
    }
}
