//! `runtime:` in `laforge.yaml`: what the service needs that engines ask for verdicts.
//!
//! In: the section, and the executor where there is one: what the section leaves out is the executor's. Out:
//! a [`Runtime`]. An engine moves the traffic itself, so neither driver nor slots are needed here. Spec:
//! `rollout.md` section 4 ("Guard as judge inside Argo").

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Executor, PrometheusSection, STATE, below};
use crate::plan::request::is_target;

/// `runtime:` of `laforge.yaml`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    expecting = "a mapping, such as `prometheus: {url: …}`"
)]
pub struct RuntimeSection {
    /// The environment whose plans are judged; default `executor: environment`.
    pub environment: Option<String>,
    /// The target; default `executor: target`, else `rollout: target`, else the environment's name.
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9._-]{0,62}$"))]
    pub target: Option<String>,
    /// The folder of what has to outlive a restart; default `executor: state`, else `.laforge/rollouts`.
    pub state: Option<String>,
    /// Arguments of the program that migrates, the plan's own appended; default `executor: commands: migrate`.
    #[serde(default)]
    pub migrate: Vec<String>,
    /// The Prometheus server that is asked; default `executor: metrics: prometheus`.
    pub prometheus: Option<PrometheusSection>,
    /// The Canary whose webhooks are answered; without it all of them are held.
    pub flagger: Option<CanaryName>,
}

/// A Canary of Flagger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryName {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// What the service works with.
#[derive(Debug, Clone)]
pub struct Runtime {
    /// The environment whose plans are judged.
    pub environment: String,
    /// The target.
    pub target: String,
    /// The folder of what has to outlive a restart.
    pub state: PathBuf,
    /// Arguments of the program that migrates; empty where there is none.
    pub migrate: Vec<String>,
    /// The Prometheus server that is asked.
    pub prometheus: PrometheusSection,
    /// The Canary whose webhooks are answered.
    pub canary: Option<CanaryName>,
}

/// Why nothing can be judged here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// Nobody says whose plans are judged.
    #[error("neither `runtime: environment` nor `executor: environment` is set")]
    Environment,
    /// Nobody says what counts.
    #[error("neither `runtime: prometheus` nor `executor: metrics: prometheus` is set")]
    Prometheus,
    /// No name of a target.
    #[error("`{0}` is no target: lower-case letters, digits, `.`, `_` and `-`")]
    Target(String),
}

impl RuntimeSection {
    /// The section, its paths resolved against `folder`, beside the executor that is configured; `target` is
    /// what `rollout:` names.
    #[must_use]
    pub fn resolved(self, folder: &Path, executor: Option<&Executor>, target: Option<&str>) -> Self {
        let mut prometheus = self.prometheus;
        for path in prometheus.iter_mut().flat_map(PrometheusSection::paths) {
            *path = below(folder, path);
        }
        let target = executor.map(|executor| executor.target.as_str()).or(target);
        let theirs = executor.map(|executor| executor.state.to_string_lossy().into_owned());
        let state = self.state.map(|state| below(folder, &state)).or(theirs);
        Self {
            target: self.target.or_else(|| target.map(str::to_owned)),
            state: state.or_else(|| Some(below(folder, STATE))),
            prometheus,
            ..self
        }
    }
}

impl Runtime {
    /// What a section says, over what an executor says.
    ///
    /// # Errors
    /// [`RuntimeError`] where neither says what is needed.
    pub fn of(section: Option<&RuntimeSection>, executor: Option<&Executor>) -> Result<Self, RuntimeError> {
        let section = section.cloned().unwrap_or_default();
        let environment = section.environment.or_else(|| executor.map(|it| it.environment.clone()));
        let environment = environment.ok_or(RuntimeError::Environment)?;
        let target = section.target.or_else(|| executor.map(|it| it.target.clone()));
        let target = target.unwrap_or_else(|| environment.clone());
        if !is_target(&target) {
            return Err(RuntimeError::Target(target));
        }
        let theirs = executor.and_then(|it| it.metrics.prometheus.clone());
        let migrate = match section.migrate.as_slice() {
            [] => executor.map(|it| it.commands.migrate.clone()).unwrap_or_default(),
            _ => section.migrate,
        };
        let state = section.state.map(PathBuf::from).or_else(|| executor.map(|it| it.state.clone()));
        Ok(Self {
            environment,
            target,
            state: state.unwrap_or_else(|| PathBuf::from(STATE)),
            migrate,
            prometheus: section.prometheus.or(theirs).ok_or(RuntimeError::Prometheus)?,
            canary: section.flagger,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Source;

    fn section(text: &str) -> RuntimeSection {
        let section: RuntimeSection = Source::new("laforge.yaml", text).read().unwrap();
        section.resolved(Path::new("/repo"), None, Some("payments-prod"))
    }

    #[test]
    fn resolves_paths_and_names() {
        let text = "{environment: production, state: kept, prometheus: {url: 'http://127.0.0.1:9090', tokenFile: t}}";
        let runtime = Runtime::of(Some(&section(text)), None).unwrap();
        assert_eq!(
            (runtime.target.as_str(), runtime.state.as_path()),
            ("payments-prod", Path::new("/repo/kept"))
        );
        assert_eq!(runtime.prometheus.token_file.as_deref(), Some("/repo/t"));
        assert_eq!((runtime.migrate, runtime.canary), (Vec::<String>::new(), None));
    }

    #[test]
    fn refuses_what_could_judge_nothing() {
        let refused = |text: &str| Runtime::of(Some(&section(text)), None).unwrap_err();
        assert_eq!(Runtime::of(None, None).unwrap_err(), RuntimeError::Environment);
        assert_eq!(refused("{environment: production}"), RuntimeError::Prometheus);
        let elsewhere = "{environment: production, target: Prod, prometheus: {url: 'http://127.0.0.1:9090'}}";
        assert_eq!(refused(elsewhere), RuntimeError::Target("Prod".to_owned()));
    }
}
