//! `service:` as it is written, and how it is read.
//!
//! In: the section. Out: a [`Service`], or a [`DocumentError`] with the place of the first thing that is not
//! acceptable.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Admission, Callers, Grant, Issuer, KeysFrom, Limits, Service, SignIn, Tls, Token};
use crate::release::registry::{NoRegistry, RegistryPattern};
use crate::yaml::{DocumentError, Source, Spanned};

/// How often keys are asked for anew.
const REFRESH: Duration = Duration::from_secs(300);
/// How long keys count while their issuer can't be asked.
const KEEP: Duration = Duration::from_secs(3600);

/// `service:` of `laforge.yaml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping, such as `oidc: […]`")]
pub struct ServiceSection {
    /// Issuers whose tokens say who asks.
    #[serde(default)]
    oidc: Vec<IssuerSection>,
    /// Which roles of trust may do what.
    #[serde(default)]
    access: AccessSection,
    /// Tokens of programs that can't get one from an issuer, known by their digests.
    #[serde(default)]
    tokens: Vec<TokenSection>,
    /// The certificate; without it HTTP is spoken, on loopback alone.
    tls: Option<TlsSection>,
    /// Answers to the webhook of a Kubernetes API server.
    admission: Option<AdmissionSection>,
    /// How people sign in to the studio; without it the studio is for one's own desk.
    studio: Option<StudioSection>,
    /// Who may ask as an engine; default `known`.
    engines: Option<Callers>,
    /// Registries that images of an evaluation may name, as `HOST`, `HOST:PORT` or `*.DOMAIN`; default: those that the
    /// configured release names, and any other at a public address.
    #[schemars(with = "Option<Vec<String>>")]
    registries: Option<Vec<Spanned<String>>>,
    /// How much is taken at a time.
    #[serde(default)]
    limits: LimitsSection,
}

/// An issuer of OpenID Connect.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping with `issuer` and `audience`")]
struct IssuerSection {
    /// Its URL, exactly as in its tokens' `iss`.
    #[schemars(with = "String")]
    issuer: Spanned<String>,
    /// The audience that a token has to be for.
    #[schemars(with = "String")]
    audience: Spanned<String>,
    /// Its keys: a file, or a URL; default what its discovery document names.
    #[schemars(with = "Option<String>")]
    jwks: Option<Spanned<String>>,
    /// How often its keys are read anew; default 5m.
    #[schemars(with = "Option<String>", extend("pattern" = crate::time::duration::PATTERN))]
    refresh: Option<Spanned<String>>,
    /// How long its last keys count while it can't be asked; default 1h.
    #[schemars(with = "Option<String>", extend("pattern" = crate::time::duration::PATTERN))]
    keep: Option<Spanned<String>>,
}

/// Roles by right; none includes another.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `read`, `control` or `evaluate`")]
struct AccessSection {
    /// Roles that see decisions, plans and rollouts.
    #[serde(default)]
    read: BTreeSet<String>,
    /// Roles that pause, resume and roll back.
    #[serde(default)]
    control: BTreeSet<String>,
    /// Roles that have releases decided.
    #[serde(default)]
    evaluate: BTreeSet<String>,
}

/// A token of a program.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `name`, `sha256` and `rights`")]
struct TokenSection {
    /// Who it is, as logs name it.
    #[schemars(with = "String")]
    name: Spanned<String>,
    /// The SHA-256 digest of the token's bytes, as 64 hex digits.
    #[schemars(with = "String", extend("pattern" = "^[0-9a-f]{64}$"))]
    sha256: Spanned<String>,
    /// What it may do.
    rights: BTreeSet<Grant>,
}

/// Certificate and key.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `certificate` and `key`")]
struct TlsSection {
    /// The PEM file of the certificate and its chain.
    certificate: String,
    /// The PEM file of its key.
    key: String,
    /// Whose certificates clients may show.
    clients: Option<ClientsSection>,
}

/// Certificates that clients may show.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `authority` and `rights`")]
struct ClientsSection {
    /// The PEM file of the authorities that issue them.
    authority: String,
    /// What whoever shows one may do.
    rights: BTreeSet<Grant>,
}

/// How people sign in to the studio, with the authorization code flow of OpenID Connect.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `url`")]
struct StudioSection {
    /// Where browsers reach it, such as `https://laforge.example`; the issuer sends them back to `/login/back` there.
    #[schemars(with = "String")]
    url: Spanned<String>,
    /// Its client id, the `audience` of one of `oidc`; default that of the only one.
    #[schemars(with = "Option<String>")]
    client: Option<Spanned<String>>,
    /// The file of the client's secret; default none, for a public client.
    secret: Option<String>,
}

/// Admission to a cluster.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping with `environment`")]
struct AdmissionSection {
    /// The environment that a namespace belongs to which is not listed.
    environment: String,
    /// Environments by namespace.
    #[serde(default)]
    namespaces: BTreeMap<String, String>,
    /// How long an allow counts after it was recorded; default as long as its plan may be started.
    #[schemars(with = "Option<String>", extend("pattern" = crate::time::duration::PATTERN))]
    valid_for: Option<Spanned<String>>,
    /// Who may ask; default `anyone`, since few API servers can say who they are.
    callers: Option<Callers>,
}

/// How much is taken at a time.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a mapping, such as `connections: 256`")]
struct LimitsSection {
    /// Connections at a time; default 256.
    #[schemars(with = "Option<usize>", range(min = 1, max = 16384))]
    connections: Option<Spanned<u64>>,
    /// Requests that are answered at a time; default 64. More are told to come back (503).
    #[schemars(with = "Option<usize>", range(min = 1, max = 4096))]
    requests: Option<Spanned<u64>>,
    /// Bytes of a release that is to be evaluated, with its evidence; default 4 MiB.
    #[schemars(with = "Option<usize>", range(min = 1024, max = 67108864))]
    body_bytes: Option<Spanned<u64>>,
    /// Seconds that a body may take; default 10.
    #[schemars(with = "Option<u64>", range(min = 1, max = 600))]
    body_seconds: Option<Spanned<u64>>,
    /// Seconds that it goes on serving, and is not ready, once it is asked to end; default 1.
    #[schemars(with = "Option<u64>", range(max = 120))]
    drain_seconds: Option<Spanned<u64>>,
}

impl ServiceSection {
    /// Reads the section; its paths are relative to `folder`.
    ///
    /// # Errors
    /// [`DocumentError`] with the place of the first thing that is not acceptable.
    pub fn read(self, source: &Source, folder: &Path) -> Result<Service, DocumentError> {
        let reader = Reader { source, folder };
        let AccessSection { read, control, evaluate } = self.access;
        let access = [(Grant::Read, read), (Grant::Control, control), (Grant::Evaluate, evaluate)];
        let issuers: Vec<Issuer> =
            self.oidc.iter().map(|issuer| reader.issuer(issuer)).collect::<Result<_, _>>()?;
        Ok(Service {
            studio: self.studio.map(|studio| reader.studio(studio, &issuers)).transpose()?,
            issuers,
            access: access.into_iter().collect(),
            tokens: self.tokens.into_iter().map(|token| reader.token(token)).collect::<Result<_, _>>()?,
            tls: self.tls.map(|tls| reader.tls(tls)),
            admission: self.admission.map(|admission| reader.admission(admission)).transpose()?,
            engines: self.engines.unwrap_or(Callers::Known),
            registries: self.registries.map(|all| reader.registries(&all)).transpose()?,
            limits: reader.limits(&self.limits)?,
        })
    }
}

struct Reader<'a> {
    source: &'a Source,
    folder: &'a Path,
}

impl Reader<'_> {
    fn issuer(&self, section: &IssuerSection) -> Result<Issuer, DocumentError> {
        self.address(&section.issuer)?;
        if section.audience.value.trim().is_empty() {
            return Err(self.source.error_at(&section.audience, "an empty audience is anybody's".to_owned()));
        }
        let keys = match &section.jwks {
            None => KeysFrom::Discovery,
            Some(jwks) if jwks.value.contains("://") => {
                self.address(jwks)?;
                KeysFrom::Url(jwks.value.clone())
            }
            Some(jwks) => KeysFrom::File(self.folder.join(&jwks.value)),
        };
        Ok(Issuer {
            issuer: section.issuer.value.clone(),
            audience: section.audience.value.clone(),
            keys,
            refresh: self.duration(section.refresh.as_ref())?.unwrap_or(REFRESH),
            keep: self.duration(section.keep.as_ref())?.unwrap_or(KEEP),
        })
    }

    /// Keys that come over the network decide who is let in: over TLS, or from this machine itself.
    fn address(&self, member: &Spanned<String>) -> Result<(), DocumentError> {
        let rest = member.value.split_once("://");
        let host = |rest: &str| rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned();
        let near = |host: &str| {
            let name = host.rsplit_once(':').map_or(host, |(name, port)| match port.parse::<u16>() {
                Ok(_) => name,
                Err(_) => host,
            });
            matches!(name, "127.0.0.1" | "localhost" | "[::1]")
        };
        match rest {
            Some(("https", rest)) if !host(rest).is_empty() && !host(rest).contains('@') => Ok(()),
            Some(("http", rest)) if near(&host(rest)) => Ok(()),
            _ => {
                let message =
                    format!("`{}` is no https address (http is for this machine alone)", member.value);
                Err(self.source.error_at(member, message))
            }
        }
    }

    fn limits(&self, section: &LimitsSection) -> Result<Limits, DocumentError> {
        let default = Limits::default();
        let count = |member: &Option<Spanned<u64>>, range, default: usize| {
            let given = self.within(member.as_ref(), range)?;
            Ok(given.and_then(|given| usize::try_from(given).ok()).unwrap_or(default))
        };
        let seconds = |member: &Option<Spanned<u64>>, range, default| {
            Ok(self.within(member.as_ref(), range)?.map_or(default, Duration::from_secs))
        };
        Ok(Limits {
            connections: count(&section.connections, 1..=16_384, default.connections)?,
            requests: count(&section.requests, 1..=4096, default.requests)?,
            body_bytes: count(&section.body_bytes, 1024..=64 << 20, default.body_bytes)?,
            body_time: seconds(&section.body_seconds, 1..=600, default.body_time)?,
            drain: seconds(&section.drain_seconds, 0..=120, default.drain)?,
        })
    }

    fn within(
        &self,
        member: Option<&Spanned<u64>>,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, DocumentError> {
        let Some(member) = member else { return Ok(None) };
        if range.contains(&member.value) {
            return Ok(Some(member.value));
        }
        let message = format!("{} is not {} to {}", member.value, range.start(), range.end());
        Err(self.source.error_at(member, message))
    }

    fn duration(&self, member: Option<&Spanned<String>>) -> Result<Option<Duration>, DocumentError> {
        let Some(member) = member else { return Ok(None) };
        let read = crate::time::duration::parse(&member.value).and_then(|length| length.to_std().ok());
        read.map(Some).ok_or_else(|| {
            let message = format!("`{}` is no duration such as `90s`, `5m` or `1h30m`", member.value);
            self.source.error_at(member, message)
        })
    }

    fn registries(&self, all: &[Spanned<String>]) -> Result<Vec<RegistryPattern>, DocumentError> {
        let read = |text: &Spanned<String>| {
            let refused = |error: NoRegistry| self.source.error_at(text, error.to_string());
            text.value.parse::<RegistryPattern>().map_err(refused)
        };
        all.iter().map(read).collect()
    }

    fn token(&self, section: TokenSection) -> Result<Token, DocumentError> {
        if section.name.value.trim().is_empty() {
            return Err(self.source.error_at(&section.name, "a token has to have a name".to_owned()));
        }
        let lower = !section.sha256.value.bytes().any(|byte| byte.is_ascii_uppercase());
        let digest = hex::decode(&section.sha256.value).ok().filter(|_| lower);
        let digest = digest.and_then(|digest| <[u8; 32]>::try_from(digest).ok()).ok_or_else(|| {
            let message = "`sha256` is no SHA-256 digest of a token: 64 lower-case hex digits".to_owned();
            self.source.error_at(&section.sha256, message)
        })?;
        Ok(Token { name: section.name.value, sha256: digest, rights: section.rights })
    }

    fn tls(&self, section: TlsSection) -> Tls {
        Tls {
            certificate: self.folder.join(section.certificate),
            key: self.folder.join(section.key),
            clients: section.clients.map(|it| (self.folder.join(it.authority), it.rights)),
        }
    }

    fn studio(&self, section: StudioSection, issuers: &[Issuer]) -> Result<SignIn, DocumentError> {
        let StudioSection { url, client, secret } = section;
        self.address(&url)?;
        let origin = url.value.strip_suffix('/').unwrap_or(&url.value);
        if origin.split_once("://").is_none_or(|(_, rest)| rest.contains(['/', '?', '#'])) {
            let message = format!("`{}` has a path: the studio is the whole of its host", url.value);
            return Err(self.source.error_at(&url, message));
        }
        let issuer = match (&client, issuers) {
            (Some(client), _) => {
                issuers.iter().find(|issuer| issuer.audience == client.value).ok_or_else(|| {
                    let message = format!("`{}` is the `audience` of none of `oidc`", client.value);
                    self.source.error_at(client, message)
                })?
            }
            (None, [issuer]) => issuer,
            (None, []) => {
                let message = "people sign in by an issuer, and `oidc` names none".to_owned();
                return Err(self.source.error_at(&url, message));
            }
            (None, _) => {
                let message = "`oidc` names several issuers: name the `client`".to_owned();
                return Err(self.source.error_at(&url, message));
            }
        };
        Ok(SignIn {
            url: origin.to_owned(),
            issuer: issuer.issuer.clone(),
            client: issuer.audience.clone(),
            secret: secret.map(|secret| self.folder.join(secret)),
        })
    }

    fn admission(&self, section: AdmissionSection) -> Result<Admission, DocumentError> {
        Ok(Admission {
            valid_for: self.duration(section.valid_for.as_ref())?,
            environment: section.environment,
            namespaces: section.namespaces,
            callers: section.callers.unwrap_or(Callers::Anyone),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Service, DocumentError> {
        let source = Source::new("laforge.yaml", text);
        source.read::<ServiceSection>()?.read(&source, Path::new("/repo"))
    }

    #[test]
    fn nothing_is_open_that_is_not_opened() {
        assert_eq!(
            read("{}").unwrap(),
            Service {
                access: [Grant::Read, Grant::Control, Grant::Evaluate]
                    .map(|right| (right, BTreeSet::new()))
                    .into(),
                ..Service::default()
            }
        );
        assert_eq!((Service::default().engines, Service::default().admission), (Callers::Known, None));
    }

    #[test]
    fn reads_issuers_tokens_and_files() {
        let text = format!(
            "oidc: [{{issuer: 'https://id.example', audience: laforge}}, \
             {{issuer: 'http://127.0.0.1:9/a', audience: b, jwks: keys.json, refresh: 1m, keep: 2h}}]\n\
             access: {{read: [auditor], control: [release-manager]}}\n\
             tokens: [{{name: argo, sha256: {}, rights: [engine]}}]\n\
             tls: {{certificate: tls.crt, key: /k/tls.key, clients: {{authority: ca.crt, rights: [admission]}}}}\n\
             admission: {{environment: production, namespaces: {{test: staging}}, validFor: 7d, callers: known}}\n\
             engines: anyone\n",
            "ab".repeat(32)
        );
        let service = read(&text).unwrap();
        let [first, second] = service.issuers.as_slice() else { panic!("two issuers") };
        assert_eq!((&first.keys, first.refresh, first.keep), (&KeysFrom::Discovery, REFRESH, KEEP));
        assert_eq!(second.keys, KeysFrom::File("/repo/keys.json".into()));
        assert_eq!((second.refresh.as_secs(), second.keep.as_secs()), (60, 7200));
        assert_eq!(service.tokens[0].sha256, [0xab; 32]);
        assert_eq!(service.tokens[0].rights, BTreeSet::from([Grant::Engine]));
        let tls = service.tls.unwrap();
        assert_eq!((tls.certificate, tls.key), ("/repo/tls.crt".into(), "/k/tls.key".into()));
        let admission = service.admission.unwrap();
        assert_eq!((admission.valid_for.unwrap().as_secs(), admission.callers), (604_800, Callers::Known));
        assert_eq!(service.engines, Callers::Anyone);
    }

    #[test]
    fn refuses_keys_that_anybody_on_the_way_could_change() {
        for (issuer, taken) in [
            ("https://id.example", true),
            ("http://localhost:8080", true),
            ("http://[::1]:8080/x", true),
            ("http://id.example", false),
            ("http://127.0.0.1.example", false),
            ("http://localhost@id.example", false),
            ("https://", false),
            ("https://a@b.example", false),
            ("id.example", false),
        ] {
            let read = read(&format!("oidc: [{{issuer: '{issuer}', audience: a}}]\n"));
            assert_eq!(read.is_ok(), taken, "{issuer}");
        }
        let error = read("oidc: [{issuer: 'https://a', audience: a, jwks: 'ftp://a/b'}]\n").unwrap_err();
        let said = "laforge.yaml:1:49: `ftp://a/b` is no https address (http is for this machine alone)";
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn refuses_what_would_be_no_lock() {
        for (text, wrong) in [
            ("tokens: [{name: a, sha256: abc, rights: [read]}]\n", "is no SHA-256 digest of a token"),
            ("tokens: [{name: '', sha256: abc, rights: [read]}]\n", "a token has to have a name"),
            ("tokens: [{name: a, sha256: abc, rights: [all]}]\n", "all"),
            ("oidc: [{issuer: 'https://a', audience: ' '}]\n", "an empty audience is anybody's"),
            ("oidc: [{issuer: 'https://a', audience: a, keep: forever}]\n", "`forever` is no duration"),
            ("access: {write: [a]}\n", "write"),
            ("admission: {}\n", "environment"),
            ("limits: {connections: 0}\n", "laforge.yaml:1:23: 0 is not 1 to 16384"),
            ("limits: {bodyBytes: 1023}\n", "1023 is not 1024 to 67108864"),
            ("limits: {drainSeconds: 121}\n", "121 is not 0 to 120"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(wrong), "{text} {error}");
        }
    }

    #[test]
    fn reads_registries_and_refuses_what_names_none() {
        let service = read("registries: [docker.io, 'r.example:5000', '*.example.com']\n").unwrap();
        let shown: Vec<String> = service.registries.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["docker.io", "r.example:5000", "*.example.com"]);
        assert_eq!(read("registries: []\n").unwrap().registries, Some(Vec::new()), "nothing may be asked");
        let error = read("registries: [docker.io, 'https://r.example/']\n").unwrap_err().to_string();
        assert!(error.starts_with("laforge.yaml:1:25: `https://r.example/` is no registry"), "{error}");
    }

    #[test]
    fn people_sign_in_by_an_issuer_that_is_configured() {
        let one = "oidc: [{issuer: 'https://id.example', audience: studio}]\n";
        let service =
            read(&format!("{one}studio: {{url: 'https://laforge.example/', secret: s.txt}}\n")).unwrap();
        let found = SignIn {
            url: "https://laforge.example".to_owned(),
            issuer: "https://id.example".to_owned(),
            client: "studio".to_owned(),
            secret: Some("/repo/s.txt".into()),
        };
        assert_eq!(service.studio, Some(found));
        let two = "oidc: [{issuer: 'https://a', audience: a}, {issuer: 'https://b', audience: b}]\n";
        let service = read(&format!("{two}studio: {{url: 'http://127.0.0.1:8089', client: b}}\n")).unwrap();
        assert_eq!(service.studio.unwrap().issuer, "https://b");
        for (issuers, studio, wrong) in [
            (one, "{url: 'https://a.example/studio'}", "has a path: the studio is the whole of its host"),
            (one, "{url: 'http://a.example'}", "is no https address"),
            (one, "{url: 'https://a.example', client: other}", "`other` is the `audience` of none of `oidc`"),
            (two, "{url: 'https://a.example'}", "several issuers: name the `client`"),
            ("", "{url: 'https://a.example'}", "`oidc` names none"),
            (one, "{client: studio}", "url"),
        ] {
            let error = read(&format!("{issuers}studio: {studio}\n")).unwrap_err().to_string();
            assert!(error.contains(wrong), "{studio}: {error}");
        }
    }
}
