//! A kubeconfig: which server, which authority, as whom. Pure; files that it names are read elsewhere.
//!
//! In: its text and the context that is asked for. Out: a [`Chosen`], or [`KubeconfigError`]. What would be
//! less safe than it looks, or starts a program, is refused by name: unverified TLS, passwords, `exec` and
//! `auth-provider` plugins, proxies. Spec: <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Why a kubeconfig can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KubeconfigError {
    /// Not YAML.
    #[error("it is no YAML: {0}")]
    Yaml(String),
    /// A member is missing or not such a thing.
    #[error("it has no `{0}`")]
    Missing(String),
    /// It names what it doesn't hold.
    #[error("it names the {kind} `{name}`, and has none of that name")]
    Unknown {
        /// `context`, `cluster` or `user`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A member that is not taken here.
    #[error("it sets `{0}`, which is not taken here")]
    Refused(String),
    /// A member that is no base64.
    #[error("its `{0}` is no base64")]
    Base64(String),
}

/// What a context chooses.
#[derive(Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The API server's address.
    pub server: String,
    /// Its authorities; none are the system's.
    pub authority: Option<Bytes>,
    /// As whom.
    pub user: User,
}

/// Bytes of the document, or of a file that it names.
#[derive(Debug, PartialEq, Eq)]
pub enum Bytes {
    /// Of the document.
    Inline(Vec<u8>),
    /// Of this file, relative to the kubeconfig's folder.
    File(String),
}

/// As whom to come.
#[derive(PartialEq, Eq)]
pub enum User {
    /// With this token.
    Token(String),
    /// With the token in this file.
    TokenFile(String),
    /// With a client certificate.
    Certificate {
        /// The certificate.
        certificate: Bytes,
        /// Its key.
        key: Bytes,
    },
}

impl std::fmt::Debug for User {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What logs in is nobody's to print.
        out.write_str(match self {
            Self::Token(_) => "Token",
            Self::TokenFile(_) => "TokenFile",
            Self::Certificate { .. } => "Certificate",
        })
    }
}

const CLUSTER_REFUSED: [&str; 3] = ["insecure-skip-tls-verify", "tls-server-name", "proxy-url"];
const USER_REFUSED: [&str; 6] = ["exec", "auth-provider", "username", "password", "as", "as-groups"];

/// What a context of a kubeconfig says; without a name the current one.
///
/// # Errors
/// [`KubeconfigError`].
pub fn choose(text: &str, context: Option<&str>) -> Result<Chosen, KubeconfigError> {
    let document: Value =
        serde_yaml::from_str(text).map_err(|error| KubeconfigError::Yaml(error.to_string()))?;
    let context = match context {
        Some(context) => context,
        None => member(&document, "current-context")?,
    };
    let context = named(&document, "context", context)?;
    let cluster = named(&document, "cluster", member(context, "cluster")?)?;
    let user = named(&document, "user", member(context, "user")?)?;
    refuse(cluster, "cluster", &CLUSTER_REFUSED)?;
    refuse(user, "user", &USER_REFUSED)?;
    Ok(Chosen {
        server: member(cluster, "server")?.to_owned(),
        authority: bytes(cluster, "certificate-authority")?,
        user: login(user)?,
    })
}

/// The first entry of a name, as `kubectl` takes it.
fn named<'a>(document: &'a Value, kind: &'static str, name: &str) -> Result<&'a Value, KubeconfigError> {
    let all = document[format!("{kind}s")].as_array().map(Vec::as_slice).unwrap_or_default();
    let entry = all.iter().find(|entry| entry["name"] == name);
    let entry = entry.ok_or_else(|| KubeconfigError::Unknown { kind, name: name.to_owned() })?;
    Ok(&entry[kind])
}

fn member<'a>(value: &'a Value, name: &str) -> Result<&'a str, KubeconfigError> {
    let text = value[name].as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| KubeconfigError::Missing(name.to_owned()))
}

fn refuse(value: &Value, kind: &str, names: &[&str]) -> Result<(), KubeconfigError> {
    let is_set = |value: &Value| !matches!(value, Value::Null | Value::Bool(false));
    match names.iter().find(|name| is_set(&value[**name])) {
        Some(name) => Err(KubeconfigError::Refused(format!("{kind}.{name}"))),
        None => Ok(()),
    }
}

/// `NAME-data`, which goes before `NAME`.
fn bytes(value: &Value, name: &str) -> Result<Option<Bytes>, KubeconfigError> {
    let data = format!("{name}-data");
    if let Ok(text) = member(value, &data) {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| KubeconfigError::Base64(data))?;
        return Ok(Some(Bytes::Inline(bytes)));
    }
    Ok(member(value, name).ok().map(|file| Bytes::File(file.to_owned())))
}

/// A token file goes before a token, as `client-go` has it.
fn login(user: &Value) -> Result<User, KubeconfigError> {
    if let Ok(file) = member(user, "tokenFile") {
        return Ok(User::TokenFile(file.to_owned()));
    }
    if let Ok(token) = member(user, "token") {
        return Ok(User::Token(token.to_owned()));
    }
    let missing = |name: &str| KubeconfigError::Missing(name.to_owned());
    let certificate =
        bytes(user, "client-certificate")?.ok_or_else(|| missing("user.token or user.client-certificate"))?;
    let key = bytes(user, "client-key")?.ok_or_else(|| missing("user.client-key"))?;
    Ok(User::Certificate { certificate, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: near, user: bot}}
- {name: other, context: {cluster: far, user: admin, namespace: x}}
clusters:
- {name: near, cluster: {server: 'https://127.0.0.1:6443', certificate-authority: ca.crt}}
- {name: far, cluster: {server: 'https://k8s.example', certificate-authority-data: Y2E=}}
users:
- {name: bot, user: {token: t0ken}}
- {name: admin, user: {client-certificate-data: Y2VydA==, client-key: admin.key}}
";

    #[test]
    fn takes_the_current_context_or_the_one_that_is_named() {
        let near = choose(TWO, None).unwrap();
        let expected = Chosen {
            server: "https://127.0.0.1:6443".into(),
            authority: Some(Bytes::File("ca.crt".into())),
            user: User::Token("t0ken".into()),
        };
        assert_eq!(near, expected);
        let expected = Chosen {
            server: "https://k8s.example".into(),
            authority: Some(Bytes::Inline(b"ca".to_vec())),
            user: User::Certificate {
                certificate: Bytes::Inline(b"cert".to_vec()),
                key: Bytes::File("admin.key".into()),
            },
        };
        assert_eq!(choose(TWO, Some("other")).unwrap(), expected);
        assert!(!format!("{near:?}").contains("t0ken"));
        let file = TWO.replace("token: t0ken", "token: t0ken, tokenFile: run/token");
        assert_eq!(choose(&file, None).unwrap().user, User::TokenFile("run/token".into()));
    }

    #[test]
    fn refuses_by_name_what_it_does_not_take() {
        for (from, to, said) in [
            (
                "certificate-authority: ca.crt",
                "insecure-skip-tls-verify: true",
                "`cluster.insecure-skip-tls-verify`",
            ),
            ("token: t0ken", "exec: {command: aws}", "`user.exec`"),
            ("token: t0ken", "auth-provider: {name: gcp}", "`user.auth-provider`"),
            ("token: t0ken", "username: u, password: p", "`user.username`"),
            ("token: t0ken", "token: t, as: root", "`user.as`"),
            ("certificate-authority: ca.crt", "proxy-url: 'http://p'", "`cluster.proxy-url`"),
            ("current-context: one", "current-context: ''", "it has no `current-context`"),
            ("current-context: one", "current-context: two", "it names the context `two`, and has none"),
            ("user: bot}", "user: nobody}", "it names the user `nobody`, and has none"),
            ("cluster: near, user", "cluster: away, user", "it names the cluster `away`, and has none"),
            ("token: t0ken", "token: ''", "it has no `user.token or user.client-certificate`"),
            (
                "certificate-authority: ca.crt",
                "certificate-authority-data: '%'",
                "`certificate-authority-data` is no base64",
            ),
            ("server: 'https://127.0.0.1:6443', ", "", "it has no `server`"),
            ("kind: Config", "kind: [", "it is no YAML"),
        ] {
            assert!(TWO.contains(from), "{from}");
            let refusal = choose(&TWO.replace(from, to), None).unwrap_err().to_string();
            assert!(refusal.contains(said), "{to}: {refusal}");
        }
    }
}
