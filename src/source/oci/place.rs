//! Where a repository is: the host that is asked for it, and its name there.
//!
//! In: a repository as people write it. Out: [`Place`], whose URLs stay on its host. Docker's short
//! names mean Docker Hub (<https://github.com/distribution/reference>).

use reqwest::Url;

use super::fault::Fault;
use crate::network::is_loopback;

/// What images without a host mean, and the host that serves them.
const DOCKER_HUB: [&str; 2] = ["docker.io", DOCKER_HUB_KEY];
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// Docker Hub's token service: another host of the same party.
const DOCKER_HUB_TOKENS: &str = "auth.docker.io";

/// The key of Docker Hub's credentials, in every tool's files.
const DOCKER_HUB_KEY: &str = "index.docker.io";

/// A repository and the registry that has it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The registry's root.
    root: Url,
    /// Host and port, as the user writes them: what credentials are kept under.
    key: String,
    /// The repository's name there.
    path: String,
}

impl Place {
    pub(super) fn of(repository: &str) -> Result<Self, Fault> {
        let (host, path) = match repository.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path.to_owned()),
            _ => (DOCKER_HUB_KEY, repository.to_owned()),
        };
        let unusable = || Fault::Host { host: host.to_owned() };
        let (hub, key) = (DOCKER_HUB.contains(&host), key_of(host));
        let served = if hub { DOCKER_HUB_HOST } else { host };
        let path = if hub && !path.contains('/') { format!("library/{path}") } else { path };
        let mut root = Url::parse(&format!("https://{served}/")).map_err(|_| unusable())?;
        if !root.username().is_empty() || root.password().is_some() || root.path() != "/" {
            return Err(unusable());
        }
        if is_loopback(&root) {
            // The port is written anew: one that `https` goes without is none of `http`.
            root = Url::parse(&format!("http://{served}/")).map_err(|_| unusable())?;
        }
        Ok(Self { root, key: key.to_owned(), path })
    }

    /// A URL below the repository's name, e.g. of `manifests/latest`.
    pub(super) fn url(&self, below: &str) -> Result<Url, Fault> {
        let refuse = |_| Fault::Host { host: self.key.clone() };
        self.root.join(&format!("v2/{}/{below}", self.path)).map_err(refuse)
    }

    /// What it is called in reasons, and what credentials are kept under.
    pub(super) fn host(&self) -> &str {
        &self.key
    }

    /// The registry's root.
    pub(super) fn root(&self) -> &Url {
        &self.root
    }

    /// Whether a host is the token service of the party that this one is of, when that is Docker Hub.
    pub(super) fn is_served_tokens_by(&self, host: &str) -> bool {
        self.root.host_str() == Some(DOCKER_HUB_HOST) && host == DOCKER_HUB_TOKENS
    }

    /// The scope of a token that reads it.
    pub(super) fn scope(&self) -> String {
        format!("repository:{}:pull", self.path)
    }
}

/// How people write a host of Docker Hub's.
pub(super) fn hub_names(host: &str) -> &'static [&'static str] {
    match host == DOCKER_HUB_HOST || host == DOCKER_HUB_TOKENS {
        true => &DOCKER_HUB,
        false => &[],
    }
}

/// What a host's credentials are kept under: Docker Hub has several names and one key.
pub(super) fn key_of(host: &str) -> &str {
    if DOCKER_HUB.contains(&host) { DOCKER_HUB_KEY } else { host }
}

/// Whether two URLs are of one scheme, host and port: what credentials may be shown to.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    let origin =
        |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    origin(one) == origin(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(repository: &str) -> String {
        Place::of(repository).unwrap().url("manifests/x").unwrap().to_string()
    }

    #[test]
    fn finds_the_host_that_serves_a_repository() {
        for (repository, expected) in [
            ("ghcr.io/acme/payments", "https://ghcr.io/v2/acme/payments/manifests/x"),
            ("registry.example:5000/a", "https://registry.example:5000/v2/a/manifests/x"),
            ("localhost:5000/a/b", "http://localhost:5000/v2/a/b/manifests/x"),
            ("127.0.0.1:7005/a", "http://127.0.0.1:7005/v2/a/manifests/x"),
            ("127.0.0.1:443/a", "http://127.0.0.1:443/v2/a/manifests/x"),
            ("[::1]:7005/a", "http://[::1]:7005/v2/a/manifests/x"),
            ("localhost/a", "http://localhost/v2/a/manifests/x"),
            ("payments", "https://registry-1.docker.io/v2/library/payments/manifests/x"),
            ("docker.io/acme/payments", "https://registry-1.docker.io/v2/acme/payments/manifests/x"),
            ("acme/payments", "https://registry-1.docker.io/v2/acme/payments/manifests/x"),
        ] {
            assert_eq!(url(repository), expected);
        }
        assert_eq!(Place::of("payments").unwrap().host(), "index.docker.io");
    }

    #[test]
    fn speaks_plain_http_to_this_machine_alone() {
        for repository in
            ["127.0.0.1.evil.example/a", "localhost.evil.example/a", "10.0.0.1:80/a", "0.0.0.0:80/a"]
        {
            assert!(url(repository).starts_with("https://"), "{repository}");
        }
    }

    #[test]
    fn tells_another_origin_by_scheme_host_or_port() {
        let parse = |text: &str| Url::parse(text).unwrap();
        let one = parse("https://a.example/x");
        assert!(same_origin(&one, &parse("https://a.example:443/y")));
        for other in ["http://a.example/x", "https://b.example/x", "https://a.example:444/x"] {
            assert!(!same_origin(&one, &parse(other)), "{other}");
        }
    }
}
