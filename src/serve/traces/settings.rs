//! Whether traces are asked for, and where they go.
//!
//! In: variables of the environment, as the OpenTelemetry specification names them. Out: [`Settings`], none where no
//! endpoint is named, or [`SettingsError`]. They are variables and no members of `laforge.yaml`: where a collector is,
//! and which token it wants, belongs to where the service runs, not to what is reviewed; operators inject them.
//! Samplers, batches and further attributes are read by the libraries themselves.
//! Spec: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use reqwest::Url;

/// How long one batch may take to be sent, tries and all.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that it may be told to take.
const MOST_PATIENCE: Duration = Duration::from_secs(60);

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The address that spans are posted to.
    pub(super) endpoint: Url,
    /// How they are written.
    pub(super) encoding: Encoding,
    /// What the service is called.
    pub(super) service: String,
    /// How long one batch may take to be sent.
    pub(super) patience: Duration,
}

/// How spans are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

/// A variable that can't be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// An endpoint that is no address.
    #[error("`{variable}` is no http or https address: `{value}`")]
    Endpoint {
        /// The variable.
        variable: &'static str,
        /// What it holds, without a password.
        value: String,
    },
    /// A protocol or an exporter that is not built in.
    #[error("`{variable}` is `{value}`, and here it can be {known}")]
    Unknown {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        value: String,
        /// What it could.
        known: &'static str,
    },
    /// A time that is none.
    #[error("`{variable}` is `{value}`, and not 1 to 60000 milliseconds")]
    Timeout {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        value: String,
    },
    /// Headers, whose values are secrets and are not repeated.
    #[error("`{variable}` is no list of `name=value` pairs: the {place}. pair is none")]
    Headers {
        /// The variable.
        variable: &'static str,
        /// Which of its pairs, from 1.
        place: usize,
    },
}

impl Settings {
    /// Reads the variables; an empty one is as good as none.
    ///
    /// # Errors
    /// [`SettingsError`]: traces are asked for in a way that can't be followed.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, SettingsError> {
        let read = |name| variable(name).filter(|value| !value.is_empty()).map(|value| (name, value));
        if read("OTEL_SDK_DISABLED").is_some_and(|(_, value)| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        match read("OTEL_TRACES_EXPORTER").as_ref().map(|(name, value)| (*name, value.as_str())) {
            Some((_, "none")) => return Ok(None),
            None | Some((_, "otlp")) => {}
            Some((variable, value)) => return Err(unknown(variable, value, "`otlp` or `none`")),
        }
        let endpoint = match read("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
            Some((variable, value)) => address(variable, &value)?,
            None => match read("OTEL_EXPORTER_OTLP_ENDPOINT") {
                Some((variable, value)) => below(address(variable, &value)?),
                None => return Ok(None),
            },
        };
        let either = |own, shared| read(own).or_else(|| read(shared));
        if let Some((variable, value)) =
            either("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
        {
            check_headers(variable, &value)?;
        }
        let protocol = either("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL");
        let timeout = either("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
        Ok(Some(Self {
            endpoint,
            encoding: protocol.map_or(Ok(Encoding::Protobuf), |(name, value)| encoding(name, &value))?,
            service: read("OTEL_SERVICE_NAME").map_or_else(|| "laforge".to_owned(), |(_, value)| value),
            patience: timeout.map_or(Ok(PATIENCE), |(name, value)| patience(name, value))?,
        }))
    }
}

fn unknown(variable: &'static str, value: &str, known: &'static str) -> SettingsError {
    SettingsError::Unknown { variable, value: value.to_owned(), known }
}

fn encoding(variable: &'static str, value: &str) -> Result<Encoding, SettingsError> {
    match value {
        "http/protobuf" => Ok(Encoding::Protobuf),
        "http/json" => Ok(Encoding::Json),
        other => Err(unknown(variable, other, "`http/protobuf` or `http/json`")),
    }
}

fn patience(variable: &'static str, value: String) -> Result<Duration, SettingsError> {
    let read = value.parse().ok().map(Duration::from_millis);
    let read = read.filter(|patience| !patience.is_zero() && *patience <= MOST_PATIENCE);
    read.ok_or(SettingsError::Timeout { variable, value })
}

fn address(variable: &'static str, value: &str) -> Result<Url, SettingsError> {
    let url = Url::parse(value).ok();
    let good = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    // A password would be told wherever the address is; tokens are headers.
    good.filter(|url| url.username().is_empty() && url.password().is_none()).ok_or_else(|| {
        let shown = value.rsplit_once('@').map_or_else(|| value.to_owned(), |(_, rest)| format!("…@{rest}"));
        SettingsError::Endpoint { variable, value: shown }
    })
}

/// Where spans go below the address of all signals.
fn below(mut base: Url) -> Url {
    let path = format!("{}/v1/traces", base.path().trim_end_matches('/'));
    base.set_path(&path);
    base
}

/// The exporter leaves out what it can't read, and a token that is left out is only missed at the collector.
fn check_headers(variable: &'static str, list: &str) -> Result<(), SettingsError> {
    for (number, pair) in list.split(',').enumerate().filter(|(_, pair)| !pair.trim().is_empty()) {
        let good = pair.split_once('=').is_some_and(|(name, value)| {
            HeaderName::try_from(name.trim()).is_ok() && HeaderValue::try_from(value.trim()).is_ok()
        });
        if !good {
            return Err(SettingsError::Headers { variable, place: number + 1 });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(given: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        let value =
            |name: &str| given.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Settings::of(value).map_err(|error| error.to_string())
    }

    const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    #[test]
    fn nothing_is_sent_that_is_not_asked_for() {
        assert_eq!(settings(&[]), Ok(None));
        assert_eq!(settings(&[("OTEL_SERVICE_NAME", "gate")]), Ok(None));
        assert_eq!(settings(&[(BASE.0, "")]), Ok(None));
        assert_eq!(settings(&[BASE, ("OTEL_SDK_DISABLED", "True")]), Ok(None));
        assert_eq!(settings(&[BASE, ("OTEL_TRACES_EXPORTER", "none")]), Ok(None));
    }

    #[test]
    fn a_signals_own_address_is_taken_as_it_is_and_the_shared_one_gets_its_path() {
        let endpoint = |given: &[(&str, &str)]| settings(given).unwrap().unwrap().endpoint.to_string();
        assert_eq!(endpoint(&[BASE]), "http://collector:4318/v1/traces");
        assert_eq!(endpoint(&[(BASE.0, "https://c/otlp/")]), "https://c/otlp/v1/traces");
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c/spans");
        assert_eq!(endpoint(&[BASE, own]), "https://c/spans");
    }

    #[test]
    fn reads_the_rest_with_the_specifications_defaults() {
        let default = Settings {
            endpoint: "http://collector:4318/v1/traces".parse().unwrap(),
            encoding: Encoding::Protobuf,
            service: "laforge".to_owned(),
            patience: Duration::from_secs(10),
        };
        assert_eq!(settings(&[BASE]), Ok(Some(default.clone())));
        let given = [
            BASE,
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_SERVICE_NAME", "gate"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc,x-tenant=7,"),
        ];
        let patience = Duration::from_millis(250);
        let read = Settings { encoding: Encoding::Json, service: "gate".to_owned(), patience, ..default };
        assert_eq!(settings(&given), Ok(Some(read)));
    }

    #[test]
    fn refuses_what_it_would_not_follow() {
        for (given, said) in [
            ((BASE.0, "collector:4318"), "is no http or https address: `collector:4318`"),
            ((BASE.0, "ftp://collector"), "is no http or https address"),
            ((BASE.0, "http://"), "is no http or https address"),
            (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), "is `grpc`, and here it can be `http/protobuf` or"),
            (("OTEL_TRACES_EXPORTER", "zipkin"), "is `zipkin`, and here it can be `otlp` or `none`"),
            (("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"), "is `10s`, and not 1 to 60000 milliseconds"),
            (("OTEL_EXPORTER_OTLP_TIMEOUT", "0"), "is `0`, and not 1 to 60000 milliseconds"),
            (("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "60001"), "is `60001`, and not 1 to 60000 milliseconds"),
        ] {
            let error = settings(&[given, BASE]).unwrap_err();
            assert!(error.starts_with(&format!("`{}` {said}", given.0)), "{error}");
        }
    }

    #[test]
    fn a_secret_that_is_refused_is_not_repeated() {
        let error = settings(&[(BASE.0, "https://me:secret@collector")]).unwrap_err();
        assert_eq!(error, format!("`{}` is no http or https address: `…@collector`", BASE.0));
        for wrong in ["a=b,secret", "a=b,sec ret=c", "a=b,c=sec\nret"] {
            let error = settings(&[BASE, ("OTEL_EXPORTER_OTLP_HEADERS", wrong)]).unwrap_err();
            let said = "`OTEL_EXPORTER_OTLP_HEADERS` is no list of `name=value` pairs: the 2. pair is none";
            assert_eq!(error, said, "{wrong}");
        }
    }
}
