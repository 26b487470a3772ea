//! The executor: `executor:` in `laforge.yaml` of the machine that runs rollouts.
//!
//! A plan names no host, no path and no program; all of them stand here. In: the section, strictly
//! read. Out: an [`Executor`], complete for its driver, every path resolved against the document's
//! folder, or the place of what is wrong. Not checked here: whether anything answers. Spec:
//! `rollout.md` section 3.

pub mod runtime;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::request::is_target;
use crate::yaml::{DocumentError, Source, Spanned};

/// How long a program other than the migration may take.
const PROGRAM_SECONDS: u64 = 60;
/// Where journals are kept.
const STATE: &str = ".laforge/rollouts";

/// `executor:` of `laforge.yaml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping with `driver` and `slots`")]
pub struct ExecutorSection {
    /// The environment that it serves.
    pub environment: String,
    /// The target that it is; default `rollout: target`, else the environment's name.
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9._-]{0,62}$"))]
    pub target: Option<String>,
    /// The folder of the journals; default `.laforge/rollouts`.
    pub state: Option<String>,
    /// What splits the traffic.
    #[schemars(with = "DriverName")]
    pub driver: Spanned<DriverName>,
    /// haproxy, by its runtime socket.
    pub haproxy: Option<HaproxySection>,
    /// nginx, by a file that it includes.
    pub nginx: Option<NginxSection>,
    /// An `HTTPRoute` of the Gateway API.
    pub gateway_api: Option<GatewayApiSection>,
    /// The two slots, by name: at any time one serves and the other is free for a candidate.
    #[schemars(with = "BTreeMap<String, SlotSection>")]
    pub slots: Spanned<BTreeMap<String, SlotSection>>,
    /// What starts, stops and migrates.
    #[serde(default)]
    pub commands: CommandsSection,
    /// Where the counts come from.
    #[schemars(with = "MetricsSourceSection")]
    pub metrics: Spanned<MetricsSourceSection>,
}

/// What splits the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DriverName {
    /// haproxy.
    Haproxy,
    /// nginx.
    Nginx,
    /// The Gateway API.
    GatewayApi,
}

/// One slot.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlotSection {
    /// What the driver calls it: haproxy's server, nginx's upstream, a Service; default its own name.
    pub backend: Option<String>,
    /// The address at which the candidate is probed, without traffic: `http://host:port`.
    pub probe: String,
    /// Arguments of a program that prints the digests that run there, one a line: `sha256:…`.
    pub runs: Vec<String>,
}

/// Programs, each as arguments, no shell. `LAFORGE_SLOT`, `LAFORGE_VERSION`, `LAFORGE_DIGEST`,
/// `LAFORGE_IMAGE`, `LAFORGE_PLAN_DIGEST`, `LAFORGE_RELEASE` and `LAFORGE_SCALE` are in their environment.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandsSection {
    /// Starts the candidate in its slot.
    #[serde(default)]
    pub start: Vec<String>,
    /// Stops it.
    #[serde(default)]
    pub stop: Vec<String>,
    /// Brings it to `LAFORGE_SCALE` percent of stable's size.
    #[serde(default)]
    pub scale: Vec<String>,
    /// Runs the migration; the plan's own arguments are appended.
    #[serde(default)]
    pub migrate: Vec<String>,
    /// Called with `LAFORGE_ALARM` when somebody has to look.
    #[serde(default)]
    pub alarm: Vec<String>,
    /// How long each but the migration may take; default 60.
    pub timeout_seconds: Option<u64>,
}

/// haproxy, by its runtime socket.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HaproxySection {
    /// The runtime socket, `level admin`.
    pub socket: String,
    /// The backend that holds both servers.
    pub backend: String,
    /// haproxy's `server-state-file`: saved after each change, so that a restart keeps the weights.
    pub state_file: Option<String>,
}

/// nginx, by a file that it includes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NginxSection {
    /// The file that nginx includes in its `http` block; laforge alone writes it.
    pub file: String,
    /// What is hashed for the split; default `$request_id`.
    pub key: Option<String>,
    /// The variable that names the upstream; default `laforge_upstream`.
    pub variable: Option<String>,
    /// Tests the configuration; default `nginx -t`.
    #[serde(default)]
    pub test: Vec<String>,
    /// Loads it; default `nginx -s reload`.
    #[serde(default)]
    pub reload: Vec<String>,
    /// Where nginx says which split is in force: a location that returns `$laforge_split`.
    pub readback: String,
    /// Prints the connections that are left to a slot; without it drained is after the drain time.
    #[serde(default)]
    pub connections: Vec<String>,
}

/// An `HTTPRoute` of the Gateway API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayApiSection {
    /// The kubeconfig; default the Pod's own service account.
    pub kubeconfig: Option<String>,
    /// Its context; default the current one.
    pub context: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// The route.
    pub http_route: String,
}

/// Where the counts come from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricsSourceSection {
    /// A Prometheus server.
    pub prometheus: Option<PrometheusSection>,
    /// Objectives, by id, that haproxy's own counters answer: errors alone, no latency.
    #[serde(default)]
    pub haproxy: Vec<String>,
}

/// A Prometheus server, or what speaks its query API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrometheusSection {
    /// Its address: `http://host:port`, perhaps with a path.
    pub url: String,
    /// How often it scrapes the service; default 15.
    pub scrape_seconds: Option<u64>,
    /// A file with a bearer token, read for each query.
    pub token_file: Option<String>,
    /// A PEM file of authorities, besides the system's.
    pub ca_file: Option<String>,
    /// How long a query may take; default 10.
    pub timeout_seconds: Option<u64>,
}

/// What runs rollouts on this machine.
#[derive(Debug, Clone)]
pub struct Executor {
    /// The environment that it serves.
    pub environment: String,
    /// The target that it is.
    pub target: String,
    /// The folder of the journals.
    pub state: PathBuf,
    /// What splits the traffic.
    pub driver: Driver,
    /// The two slots.
    pub slots: [Slot; 2],
    /// What starts, stops and migrates.
    pub commands: CommandsSection,
    /// How long each program but the migration may take.
    pub program_timeout: Duration,
    /// Where the counts come from.
    pub metrics: MetricsSourceSection,
}

/// What splits the traffic, its paths resolved.
#[derive(Debug, Clone)]
pub enum Driver {
    /// haproxy.
    Haproxy(HaproxySection),
    /// nginx.
    Nginx(NginxSection),
    /// The Gateway API.
    GatewayApi(GatewayApiSection),
}

/// One slot.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// What the driver calls it.
    pub backend: String,
    /// The address at which it is probed.
    pub probe: String,
    /// Arguments of the program that prints what runs there.
    pub runs: Vec<String>,
}

impl Executor {
    /// Reads a section; `target` is what `rollout:` names, paths are relative to `folder`.
    ///
    /// # Errors
    /// [`DocumentError`] with the place of the first thing that is missing or contradicts another.
    pub fn read(
        section: &ExecutorSection,
        target: Option<&str>,
        source: &Source,
        folder: &Path,
    ) -> Result<Self, DocumentError> {
        let target = section.target.as_deref().or(target).unwrap_or(&section.environment);
        if !is_target(target) {
            let message = format!("`{target}` is no target: lower-case letters, digits, `.`, `_` and `-`");
            return Err(source.error_at(&section.driver, message));
        }
        let mut metrics = section.metrics.value.clone();
        for path in metrics.prometheus.iter_mut().flat_map(PrometheusSection::paths) {
            *path = below(folder, path);
        }
        if metrics.prometheus.is_none() && metrics.haproxy.is_empty() {
            let message = "nothing counts here: name `prometheus`, or objectives for `haproxy`";
            return Err(source.error_at(&section.metrics, message));
        }
        Ok(Self {
            environment: section.environment.clone(),
            target: target.to_owned(),
            state: folder.join(section.state.as_deref().unwrap_or(STATE)),
            driver: driver(section, source, folder)?,
            slots: slots(section, source)?,
            commands: section.commands.clone(),
            program_timeout: Duration::from_secs(section.commands.timeout_seconds.unwrap_or(PROGRAM_SECONDS)),
            metrics,
        })
    }
}

impl PrometheusSection {
    fn paths(&mut self) -> impl Iterator<Item = &mut String> {
        self.token_file.iter_mut().chain(self.ca_file.iter_mut())
    }
}

fn driver(section: &ExecutorSection, source: &Source, folder: &Path) -> Result<Driver, DocumentError> {
    let named = [
        ("haproxy", DriverName::Haproxy, section.haproxy.is_some()),
        ("nginx", DriverName::Nginx, section.nginx.is_some()),
        ("gatewayApi", DriverName::GatewayApi, section.gateway_api.is_some()),
    ];
    // A section that nothing reads is a mistake, and the reader of it would never know.
    let other = named.iter().find(|(_, name, given)| *given && *name != section.driver.value);
    if let Some((member, ..)) = other {
        let message = format!("`{member}` is set, and the driver is another");
        return Err(source.error_at(&section.driver, message));
    }
    let missing = |member| source.error_at(&section.driver, format!("this driver needs `{member}`"));
    Ok(match section.driver.value {
        DriverName::Haproxy => {
            let mut haproxy = section.haproxy.clone().ok_or_else(|| missing("haproxy"))?;
            haproxy.socket = below(folder, &haproxy.socket);
            haproxy.state_file = haproxy.state_file.map(|file| below(folder, &file));
            Driver::Haproxy(haproxy)
        }
        DriverName::Nginx => {
            let mut nginx = section.nginx.clone().ok_or_else(|| missing("nginx"))?;
            nginx.file = below(folder, &nginx.file);
            Driver::Nginx(nginx)
        }
        DriverName::GatewayApi => {
            let mut route = section.gateway_api.clone().ok_or_else(|| missing("gatewayApi"))?;
            route.kubeconfig = route.kubeconfig.map(|file| below(folder, &file));
            Driver::GatewayApi(route)
        }
    })
}

fn slots(section: &ExecutorSection, source: &Source) -> Result<[Slot; 2], DocumentError> {
    let refuse = |message: String| Err(source.error_at(&section.slots, message));
    let slot = |(name, slot): (&String, &SlotSection)| Slot {
        name: name.clone(),
        backend: slot.backend.clone().unwrap_or_else(|| name.clone()),
        probe: slot.probe.clone(),
        runs: slot.runs.clone(),
    };
    let slots: Vec<Slot> = section.slots.value.iter().map(slot).collect();
    if let Some(slot) = slots.iter().find(|slot| slot.runs.is_empty()) {
        return refuse(format!(
            "slot `{}` needs `runs`: what runs there has to be read, not believed",
            slot.name
        ));
    }
    let slots = <[Slot; 2]>::try_from(slots);
    match slots {
        Ok([one, other]) if one.backend == other.backend => {
            refuse(format!("both slots are the backend `{}`", one.backend))
        }
        Ok(slots) => Ok(slots),
        Err(slots) => refuse(format!("a rollout has two slots; here are {}", slots.len())),
    }
}

/// A path as a program outside takes it.
fn below(folder: &Path, path: &str) -> String {
    folder.join(path).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "
environment: production
driver: haproxy
haproxy: {socket: admin.sock, backend: app, stateFile: /var/lib/haproxy/state}
slots:
  blue: {probe: 'http://127.0.0.1:8081', runs: [cat, blue]}
  green: {backend: app2, probe: 'http://127.0.0.1:8082', runs: [cat, green]}
metrics: {prometheus: {url: 'http://127.0.0.1:9090', tokenFile: token}}
";

    fn read(text: &str) -> Result<Executor, DocumentError> {
        let source = Source::new("laforge.yaml", text);
        let section: ExecutorSection = source.read()?;
        Executor::read(&section, None, &source, Path::new("/repo"))
    }

    fn refused(from: &str, to: &str) -> String {
        assert!(WHOLE.contains(from), "{from}");
        read(&WHOLE.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn resolves_paths_and_names() {
        let executor = read(WHOLE).unwrap();
        assert_eq!(
            (executor.target.as_str(), executor.state.as_path()),
            ("production", Path::new("/repo/.laforge/rollouts"))
        );
        let Driver::Haproxy(haproxy) = &executor.driver else { panic!("another driver") };
        assert_eq!(
            (haproxy.socket.as_str(), haproxy.state_file.as_deref()),
            ("/repo/admin.sock", Some("/var/lib/haproxy/state"))
        );
        assert_eq!(executor.slots.each_ref().map(|slot| slot.backend.as_str()), ["blue", "app2"]);
        assert_eq!(executor.metrics.prometheus.unwrap().token_file.as_deref(), Some("/repo/token"));
    }

    #[test]
    fn refuses_what_would_leave_a_rollout_blind() {
        for (from, to, said) in [
            ("driver: haproxy", "driver: nginx", "`haproxy` is set, and the driver is another"),
            (
                "haproxy: {socket: admin.sock, backend: app, stateFile: /var/lib/haproxy/state}\n",
                "",
                "needs `haproxy`",
            ),
            ("runs: [cat, blue]", "runs: []", "slot `blue` needs `runs`"),
            ("backend: app2", "backend: blue", "both slots are the backend `blue`"),
            (
                "  green: {backend: app2, probe: 'http://127.0.0.1:8082', runs: [cat, green]}\n",
                "",
                "here are 1",
            ),
            ("{prometheus: {url: 'http://127.0.0.1:9090', tokenFile: token}}", "{}", "nothing counts here"),
            ("environment: production", "environment: Production", "`Production` is no target"),
        ] {
            let refusal = refused(from, to);
            assert!(refusal.contains(said), "{from} → {to}: {refusal}");
        }
    }
}
