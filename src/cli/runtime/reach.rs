//! Which registries are asked for somebody who may have releases decided.
//!
//! In: `service: registries`, the configured release, what was sent. Out: the bounds that the registries' client keeps,
//! or a refusal of an image that is named outside of them. Without a list those of the configured release are asked, and
//! any other at a public address: a service inside a network is no way into it. Behind a proxy nobody here sees which
//! address a name leads to, so there only what is listed or configured is asked.

use crate::config::Config;
use crate::release::{Location, Release};
use crate::serve::runtime::Evaluation;
use crate::source::oci::{Others, Reach, Registries};

use super::super::flags::ReleaseFlags;
use super::super::load;
use super::super::{Failure, Session};

/// What a proxy for https is named by.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The bounds, and whether a release stays within them as far as names tell.
pub(super) fn bounds(
    asked: &Evaluation,
    release: &Release,
    config: &Config,
    session: &Session,
) -> Result<Reach, Failure> {
    let listed = config.service.as_ref().and_then(|service| service.registries.clone());
    let proxied = PROXIES.iter().any(|name| session.variable(name).is_some_and(|proxy| !proxy.is_empty()));
    let (others, hint) = match (proxied, &listed) {
        (true, _) => (
            Others::Never,
            "a proxy hides which address a name leads to: list the registry under `service: registries` in laforge.yaml",
        ),
        (false, Some(_)) => {
            (Others::LedTo, "list it under `service: registries` in laforge.yaml, if it may be asked")
        }
        (false, None) => (
            Others::Public,
            "list it under `service: registries` in laforge.yaml, with all others that may be asked",
        ),
    };
    let repositories = match listed {
        Some(_) => Vec::new(),
        None if asked.release.is_none() && asked.images.is_empty() => repositories(release),
        None => configured(config, session),
    };
    let reach = Reach::Within { listed: listed.unwrap_or_default(), repositories, others };
    for repository in self::repositories(release) {
        Registries::may_ask(&repository, &reach)
            .map_err(|error| Failure::usage(format!("image `{repository}`: {error}")).hint(hint))?;
    }
    Ok(reach)
}

/// The repositories of the release that is configured, if one is.
fn configured(config: &Config, session: &Session) -> Vec<String> {
    let flags = ReleaseFlags { release: None, manifests: None, image: Vec::new(), environment: None };
    match load::release_in_reach(&flags, config, session) {
        Ok(Some(release)) => repositories(&release),
        // One that can't be read names nothing.
        _ => Vec::new(),
    }
}

fn repositories(release: &Release) -> Vec<String> {
    let of = |location: &Location| match location {
        Location::Registry { repository } => Some(repository.clone()),
        _ => None,
    };
    release.artifacts.iter().chain(&release.config).filter_map(|artifact| of(&artifact.location)).collect()
}
